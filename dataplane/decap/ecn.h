/* SPDX-License-Identifier: MIT
 *
 * Explicit congestion notification on decapsulation, RFC 6040 section 4.2:
 *
 *                     outer   Not-ECT    ECT(0)    ECT(1)    CE
 *   inner  Not-ECT            Not-ECT    Not-ECT   Not-ECT   drop
 *          ECT(0)             ECT(0)     ECT(0)    ECT(1)    CE
 *          ECT(1)             ECT(1)     ECT(1)    ECT(1)    CE
 *          CE                 CE         CE        CE        CE
 */
#ifndef LAMNA_ECN_H
#define LAMNA_ECN_H

#include "../xdp/checksum.h"
#include "capsule.h"

enum ecn {
	ECN_NOT_ECT = 0,
	ECN_ECT_1 = 1,
	ECN_ECT_0 = 2,
	ECN_CE = 3,
};

/* The inner header with another ECN field goes to the capsule; it is the hook that writes it. */
static __always_inline void remark(struct capsule *capsule, __u8 from, __u8 to)
{
	__u16 before = *(const __u16 *)capsule->inner;

	capsule->is_remarked = true;
	if (capsule->traits & IS_INNER_IPV6) {
		capsule->first_word = before ^ bpf_htons((from ^ to) << 4);
	} else {
		const struct ipv4_header *ip = capsule->inner;

		capsule->first_word = before ^ bpf_htons(from ^ to);
		capsule->checksum = update_checksum(ip->checksum, before, capsule->first_word);
	}
}

/* UNDECIDED: the packet may carry what the outer header told. */
static __always_inline enum reason carry_ecn(struct capsule *capsule)
{
	__be16 first_word = *(const __be16 *)capsule->inner;
	__u8 inner = capsule->traits & IS_INNER_IPV6 ? ipv6_ecn(first_word) : bpf_ntohs(first_word) & ECN_MASK;
	__u8 outer = capsule->outer_ecn;

	if (likely(outer == inner))
		return UNDECIDED;
	if (outer == ECN_CE) {
		if (inner == ECN_NOT_ECT)
			return REASON_CONGESTED;
		remark(capsule, inner, ECN_CE);
	} else if (outer == ECN_ECT_1 && inner == ECN_ECT_0) {
		remark(capsule, inner, ECN_ECT_1);
	}
	return UNDECIDED;
}

#endif
