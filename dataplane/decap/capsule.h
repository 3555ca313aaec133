/* SPDX-License-Identifier: MIT
 *
 * An encapsulated packet, and the reading of what is around it and of what is inside.
 *
 *   Ethernet | 0 to 2 VLAN tags | outer IP | UDP of GUE | inner IP | ...
 *            |<-- tag_bytes --->|<---- outer_bytes ---->|<- inner_bytes
 *
 * Taken are IP in IP (RFC 2003, 2473, 4213) and variant 1 of GUE (draft-ietf-intarea-gue section 4), where the IP header follows
 * UDP's: the version in its first bits tells them apart from variant 0, whose header begins with zero bits.
 *
 * Checksums around the packet are not verified: what they protect was consumed by getting here, but for the length, which must agree
 * with the one inside, and what is inside has its own. UDP's is 0 over IPv6 too, as RFC 6935 allows a tunnel.
 */
#ifndef LAMNA_CAPSULE_H
#define LAMNA_CAPSULE_H

#include "../xdp/cursor.h"
#include "../xdp/ethernet.h"
#include "../xdp/wire.h"
#include "layout.h"
#include "reasons.h"

enum trait {
	IS_FRAGMENT = 1,
	IS_LATER_FRAGMENT = 2, /* not the first of its datagram, so without a UDP header */
	HAS_OPTIONS = 4, /* that the stack has to look at */
	IS_GUE = 8,
	IS_OUTER_IPV6 = 16,
	IS_INNER_IPV6 = 32,
};

struct capsule {
	__u32 traits; /* enum trait */
	__u32 tag_bytes;
	__u32 outer_bytes;
	__u8 protocol; /* of the outer header, after extension headers */
	__u8 outer_ecn;
	const __be32 *outer_source;

	/* An IP header, whole and within the frame. */
	void *inner;
	__u32 inner_bytes; /* as its header says */

	/* NULL: only counted as a whole. */
	struct traffic *traffic;

	/* What ECN makes of the inner header: its first 16 bits, and for IPv4 its checksum. */
	bool is_remarked;
	__u16 first_word;
	__u16 checksum;
};

#define ECN_MASK 3

/* Of the first 16 bits of an IPv6 header. */
static __always_inline __u8 ipv6_ecn(__be16 first_word)
{
	return bpf_ntohs(first_word) >> 4 & ECN_MASK;
}

/* False: malformed. */
static __always_inline bool parse_outer_ipv4(struct cursor *cursor, struct capsule *capsule)
{
	struct ipv4_header *ip = take(cursor, sizeof(*ip));
	__u32 header_bytes, total_bytes;

	if (!ip || ip->version_ihl >> 4 != 4)
		return false;
	header_bytes = (__u32)(ip->version_ihl & 0xf) * 4;
	total_bytes = bpf_ntohs(ip->total_length);
	if (header_bytes < sizeof(*ip) || total_bytes < header_bytes)
		return false;
	if (header_bytes > sizeof(*ip)) {
		if (!take(cursor, header_bytes - sizeof(*ip)))
			return false;
		capsule->traits |= HAS_OPTIONS;
	}
	cursor->left = total_bytes - header_bytes;

	capsule->outer_bytes = header_bytes;
	capsule->protocol = ip->protocol;
	capsule->outer_ecn = ip->tos & ECN_MASK;
	capsule->outer_source = &ip->source;
	if (ip->fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))
		capsule->traits |= IS_FRAGMENT;
	if (ip->fragment & IPV4_OFFSET_MASK)
		capsule->traits |= IS_LATER_FRAGMENT;
	return true;
}

/* No tunnel writes more. */
#define MAX_EXTENSION_HEADERS 3

/* Steps over extension headers. Of these only destination options stay unread when a packet is decapsulated: Linux writes the tunnel
 * encapsulation limit (RFC 2473 section 4.1.1) there. False: malformed. */
static __always_inline bool take_extension(struct cursor *cursor, struct capsule *capsule)
{
	__u32 bytes;

	if (capsule->protocol == IPPROTO_FRAGMENT) {
		struct fragment_header *header = take(cursor, sizeof(*header));

		if (!header)
			return false;
		capsule->traits |= IS_FRAGMENT;
		if (header->offset_more & IPV6_OFFSET_MASK)
			capsule->traits |= IS_LATER_FRAGMENT;
		capsule->protocol = header->next_header;
		bytes = sizeof(*header);
	} else {
		struct extension_header *header = take(cursor, sizeof(*header));

		if (!header || !take(cursor, (__u32)header->length * 8))
			return false;
		if (capsule->protocol != IPPROTO_DSTOPTS)
			capsule->traits |= HAS_OPTIONS;
		capsule->protocol = header->next_header;
		bytes = sizeof(*header) + (__u32)header->length * 8;
	}
	capsule->outer_bytes += bytes;
	return true;
}

static __always_inline bool is_extension(__u8 type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_DSTOPTS ||
	       type == IPPROTO_FRAGMENT;
}

/* False: malformed. */
static __always_inline bool parse_outer_ipv6(struct cursor *cursor, struct capsule *capsule)
{
	struct ipv6_header *ip = take(cursor, sizeof(*ip));

	if (!ip || *(__u8 *)ip >> 4 != 6)
		return false;
	cursor->left = bpf_ntohs(ip->payload_length);

	capsule->traits |= IS_OUTER_IPV6;
	capsule->outer_bytes = sizeof(*ip);
	capsule->protocol = ip->next_header;
	capsule->outer_ecn = ipv6_ecn(*(__be16 *)ip);
	capsule->outer_source = ip->source;
#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_EXTENSION_HEADERS && unlikely(is_extension(capsule->protocol)); i++) {
		/* What follows in a later fragment is data. */
		if (capsule->traits & IS_LATER_FRAGMENT)
			break;
		if (!take_extension(cursor, capsule))
			return false;
	}
	return true;
}

/* Steps over the outer headers. UNDECIDED: the cursor is at what should be an IP header. */
static __always_inline enum reason parse_outer(struct cursor *cursor, struct capsule *capsule,
					       const struct settings *settings)
{
	__be16 ethertype, gue_port = settings->gue_port;
	struct udp_header *udp;

	if (!take_ethernet(cursor, &ethertype, &capsule->tag_bytes))
		return REASON_MALFORMED_OUTER;
	if (ethertype == bpf_htons(ETH_P_IP)) {
		if (!parse_outer_ipv4(cursor, capsule))
			return REASON_MALFORMED_OUTER;
	} else if (ethertype == bpf_htons(ETH_P_IPV6)) {
		if (!parse_outer_ipv6(cursor, capsule))
			return REASON_MALFORMED_OUTER;
	} else {
		return REASON_NOT_ENCAPSULATED;
	}

	if (capsule->protocol == IPPROTO_UDP && gue_port != 0 && !(capsule->traits & IS_LATER_FRAGMENT)) {
		udp = take(cursor, sizeof(*udp));
		if (!udp)
			return REASON_MALFORMED_OUTER;
		if (udp->ports >> 16 != gue_port)
			return REASON_NOT_ENCAPSULATED;
		if (!(capsule->traits & IS_FRAGMENT) && bpf_ntohs(udp->length) != cursor->left + sizeof(*udp))
			return REASON_MALFORMED_OUTER;
		capsule->outer_bytes += sizeof(*udp);
		capsule->traits |= IS_GUE;
	} else if (capsule->protocol != IPPROTO_IPIP && capsule->protocol != IPPROTO_IPV6) {
		return REASON_NOT_ENCAPSULATED;
	}
	if (capsule->traits & IS_FRAGMENT)
		return REASON_OUTER_FRAGMENT;
	if (capsule->traits & HAS_OPTIONS)
		return REASON_OUTER_OPTIONS;
	return UNDECIDED;
}

/* False: no IP packet that fills exactly what is around it. Where the kernel has merged several datagrams of GUE into one, which it
 * does for UDP when told to, the first inside is shorter than what is around all of them. */
static __always_inline bool parse_inner(struct cursor *cursor, struct capsule *capsule)
{
	__u32 filled_bytes = cursor->left;
	struct ipv4_header *ipv4 = take(cursor, sizeof(*ipv4));
	struct ipv6_header *ipv6;
	__u32 header_bytes;
	__u8 version;

	if (!ipv4)
		return false;
	version = ipv4->version_ihl >> 4;
	if (version == 4 && capsule->protocol != IPPROTO_IPV6) {
		header_bytes = (__u32)(ipv4->version_ihl & 0xf) * 4;
		capsule->inner_bytes = bpf_ntohs(ipv4->total_length);
		if (header_bytes < sizeof(*ipv4) || capsule->inner_bytes < header_bytes)
			return false;
	} else if (version == 6 && capsule->protocol != IPPROTO_IPIP) {
		if (!take(cursor, sizeof(*ipv6) - sizeof(*ipv4)))
			return false;
		ipv6 = (void *)ipv4;
		capsule->inner_bytes = sizeof(*ipv6) + bpf_ntohs(ipv6->payload_length);
		capsule->traits |= IS_INNER_IPV6;
	} else {
		return false;
	}
	capsule->inner = ipv4;
	return capsule->inner_bytes == filled_bytes;
}

#endif
