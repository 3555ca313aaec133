/* SPDX-License-Identifier: MIT
 *
 * The one source of time. A tick is a jiffy of the running kernel (bpf_jiffies64 is inlined there to one load, where
 * bpf_ktime_get_ns costs a call), or whatever the cell below counts in when option_external_clock is set: replay and
 * tests write capture time there. option_ticks_per_second says how long a tick is; HZ is never assumed.
 */
#ifndef LAMNA_CLOCK_H
#define LAMNA_CLOCK_H

#include "kernel.h"
#include "options.h"

volatile __u64 clock_ticks SEC(".data") = 0;

static __always_inline __u64 now_ticks(void)
{
	return option_external_clock ? clock_ticks : bpf_jiffies64();
}

#endif
