/* SPDX-License-Identifier: MIT
 *
 * Why a packet ended as it did. Every packet ends with exactly one reason, and a reason always goes with the same verdict, so that
 * reasons sum to packets.
 *
 * The names, without REASON_ and in lower case, are a public, closed list.
 */
#ifndef LAMNA_DECAP_REASONS_H
#define LAMNA_DECAP_REASONS_H

enum reason {
	/* Left to the stack as it came. */
	REASON_INTERNAL_ERROR = 0, /* a map is missing: never seen. A backend that drops everything could not be reached to mend it */
	REASON_NOT_ENCAPSULATED, /* anything else that the host gets */
	REASON_MALFORMED_OUTER, /* cut within, or contradicting itself in, the headers that would say whether it is encapsulated */
	REASON_OUTER_FRAGMENT, /* the stack puts it together */
	REASON_OUTER_OPTIONS, /* IPv4 options, or IPv6 extension headers other than destination options: the stack heeds them */

	/* Encapsulated, not accepted, left to the stack as it came. */
	REASON_MALFORMED_INNER, /* what is inside is no IP packet that fills what is around it */
	REASON_NOT_VIP, /* what is inside is not for a configured VIP */
	REASON_SOURCE_REFUSED, /* for a VIP, but from no configured source */

	/* The same three, dropped. In the same order. */
	REASON_MALFORMED_INNER_DROPPED,
	REASON_NOT_VIP_DROPPED,
	REASON_SOURCE_REFUSED_DROPPED,

	/* Dropped. */
	REASON_CONGESTED, /* marked "congestion experienced" outside, and what is inside cannot carry the mark (RFC 6040 section 4.2) */
	REASON_NOT_STRIPPED, /* the kernel refused to take the outer headers off */

	/* Decapsulated, and on to the stack: what is inside, in what. In the order of decapsulated(). */
	REASON_IPV4_IN_IPV4,
	REASON_IPV4_IN_IPV6,
	REASON_IPV6_IN_IPV4,
	REASON_IPV6_IN_IPV6,
	REASON_GUE_IPV4_IN_IPV4,
	REASON_GUE_IPV4_IN_IPV6,
	REASON_GUE_IPV6_IN_IPV4,
	REASON_GUE_IPV6_IN_IPV6,

	REASON_COUNT,
};

/* What a stage says that has not decided: the next one goes on. */
#define UNDECIDED REASON_COUNT

#endif
