// SPDX-License-Identifier: MIT
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "layout.h"
#include "options.h"
#include "reasons.h"
#include "maps.h"
#include "clock.h"
char _license[] SEC("license") = "Dual MIT/GPL";
SEC("xdp")
int balance(struct xdp_md *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), zero = 0;
	struct reason_block *b = bpf_map_lookup_elem(&reason_counters, &cpu);
	void *inner = bpf_map_lookup_elem(&flows_ipv4, &cpu);
	struct settings *s = bpf_map_lookup_elem(&settings, &zero);
	if (!b || !s || !inner)
		return XDP_ABORTED;
	__u32 h = (__u32)now_ticks() & option_flow_ipv4_line_mask;
	struct flow_ipv4_line *l = bpf_map_lookup_elem(inner, &h);
	if (!l) return XDP_ABORTED;
	b->packets[REASON_NOT_VIP] += l->entries[0].ports + s->mtu;
	return XDP_PASS;
}
