/* SPDX-License-Identifier: MIT
 *
 * IPv4 headers (RFC 791). The header checksum is not verified: the NIC and every hop did, and the backend will. A total
 * length beyond the frame is no mistake either, since captures are cut by their snap length.
 */
#ifndef LAMNA_IPV4_H
#define LAMNA_IPV4_H

#include "options.h"
#include "packet.h"

/* The bits of a header's length. */
#define IPV4_HEADER_MASK (0xf * 4)

/* Checks version and header length, and steps over the options. False: malformed. */
static __always_inline bool take_ipv4_options(struct cursor *cursor, const struct ipv4_header *ip)
{
	if (ip->version_ihl >> 4 != 4 || (ip->version_ihl & 0xf) < 5)
		return false;
	return take(cursor, ((__u32)(ip->version_ihl & 0xf) - 5) * 4);
}

/* False: malformed. */
static __always_inline bool parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	struct ipv4_header *ip = take(cursor, sizeof(*ip));
	__u32 header_bytes = sizeof(*ip), total_bytes;

	if (!ip)
		return false;
	packet->network = ip;
	if (unlikely(ip->version_ihl != 0x45)) {
		if (!take_ipv4_options(cursor, ip))
			return false;
		header_bytes = (__u32)(ip->version_ihl & 0xf) * 4;
		packet->traits |= HAS_IP_OPTIONS;
	}
	total_bytes = bpf_ntohs(ip->total_length);
	if (total_bytes < header_bytes)
		return false;
	cursor->left = total_bytes - header_bytes;

	packet->protocol = ip->protocol;
	if (unlikely(ip->fragment & (IPV4_MORE_FRAGMENTS | IPV4_OFFSET_MASK))) {
		packet->traits |= IS_FRAGMENT;
		if (ip->fragment & IPV4_OFFSET_MASK)
			packet->traits |= IS_LATER_FRAGMENT;
		packet->fragment_id = ip->id;
	}
	return true;
}

#endif
