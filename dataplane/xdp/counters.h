/* SPDX-License-Identifier: MIT
 *
 * The one exit: every packet is counted under its one reason, which says its verdict.
 */
#ifndef LAMNA_COUNTERS_H
#define LAMNA_COUNTERS_H

#include "maps.h"
#include "packet.h"

static __always_inline bool is_malformed(enum reason reason)
{
	return reason >= REASON_MALFORMED_ETHERNET && reason <= REASON_MALFORMED_ICMP;
}

static __always_inline bool is_forwarded(enum reason reason)
{
	return reason >= REASON_FLOW_HIT && reason <= REASON_ICMP_ERROR;
}

/* Reasons are grouped by verdict, in the order of reasons.h. */
static __always_inline enum xdp_action verdict_of(enum reason reason)
{
	if (reason >= REASON_MALFORMED_ETHERNET)
		return XDP_DROP;
	if (reason >= REASON_FLOW_HIT)
		return XDP_TX;
	if (reason >= REASON_NOT_IP)
		return XDP_PASS;
	return XDP_ABORTED;
}

static __always_inline enum xdp_action conclude(enum reason reason, __u32 cpu)
{
	struct reason_block *block = bpf_map_lookup_elem(&reason_counters, &cpu);

	if (!block || (__u32)reason >= REASON_BLOCK)
		return XDP_ABORTED;
	block->packets[reason]++;
	return verdict_of(reason);
}

/* One packet forwarded for the VIP and to the backend. */
static __always_inline void count_forwarded(const struct packet *packet, __u32 cpu)
{
	__u32 index = cpu * option_vip_stride + packet->vip_id;
	struct traffic *traffic = bpf_map_lookup_elem(&vip_counters, &index);

	if (traffic) {
		traffic->packets++;
		traffic->bytes += packet->frame_bytes;
	}
	index = cpu * option_backend_stride + packet->backend_id;
	traffic = bpf_map_lookup_elem(&backend_counters, &index);
	if (traffic) {
		traffic->packets++;
		traffic->bytes += packet->frame_bytes;
	}
}

#endif
