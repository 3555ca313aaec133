/* SPDX-License-Identifier: MIT
 *
 * The one exit: every packet is counted under its one reason, which says its verdict.
 */
#ifndef LAMNA_DECAP_COUNTERS_H
#define LAMNA_DECAP_COUNTERS_H

#include "capsule.h"
#include "maps.h"

static __always_inline bool is_dropped(enum reason reason)
{
	return reason >= REASON_MALFORMED_INNER_DROPPED && reason <= REASON_NOT_STRIPPED;
}

/* The reason of a packet that came out of its capsule. */
static __always_inline enum reason decapsulated(const struct capsule *capsule)
{
	return REASON_IPV4_IN_IPV4 + !!(capsule->traits & IS_OUTER_IPV6) + 2 * !!(capsule->traits & IS_INNER_IPV6) +
	       4 * !!(capsule->traits & IS_GUE);
}

/* Reason of an encapsulated packet that is not accepted. */
static __always_inline enum reason refused(enum reason reason, const struct settings *settings)
{
	return settings->drop_others ? reason + (REASON_MALFORMED_INNER_DROPPED - REASON_MALFORMED_INNER) : reason;
}

static __always_inline void count_reason(enum reason reason)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct reason_block *block = bpf_map_lookup_elem(&reason_counters, &cpu);

	if (block && (__u32)reason < REASON_BLOCK)
		block->packets[reason]++;
}

static __always_inline void count_traffic(const struct capsule *capsule)
{
	if (!capsule->traffic)
		return;
	capsule->traffic->packets++;
	capsule->traffic->bytes += capsule->inner_bytes;
}

_Static_assert((int)REASON_COUNT <= (int)REASON_BLOCK, "a block has room for every reason");
_Static_assert(REASON_NOT_VIP_DROPPED - REASON_NOT_VIP == REASON_MALFORMED_INNER_DROPPED - REASON_MALFORMED_INNER &&
		       REASON_SOURCE_REFUSED_DROPPED - REASON_SOURCE_REFUSED ==
			       REASON_MALFORMED_INNER_DROPPED - REASON_MALFORMED_INNER,
	       "refused() adds the same to each");

#endif
