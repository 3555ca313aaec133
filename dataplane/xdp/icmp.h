/* SPDX-License-Identifier: MIT
 *
 * ICMP (RFC 792) and ICMPv6 (RFC 4443). An error quotes the packet it is about, which a backend sent from the VIP's
 * address to its client. Reversed, that is the flow whose backend wants to know. RFC 792 promises no more of the quoted
 * transport header than 8 bytes: enough for the ports.
 */
#ifndef LAMNA_ICMP_H
#define LAMNA_ICMP_H

#include "address.h"
#include "ip.h"
#include "transport.h"

enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_DESTINATION_UNREACHABLE = 3,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
};

enum icmp_code {
	ICMP_FRAGMENTATION_NEEDED = 4,
};

enum icmpv6_type {
	ICMPV6_DESTINATION_UNREACHABLE = 1,
	ICMPV6_PACKET_TOO_BIG = 2,
	ICMPV6_TIME_EXCEEDED = 3,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
};

#define QUOTED_TRANSPORT_BYTES 8

static __always_inline bool is_icmp_error(const struct icmp_header *icmp, const enum family family)
{
	if (family == FAMILY_IPV4)
		return icmp->type == ICMP_DESTINATION_UNREACHABLE || icmp->type == ICMP_TIME_EXCEEDED ||
		       icmp->type == ICMP_PARAMETER_PROBLEM;
	return icmp->type >= ICMPV6_DESTINATION_UNREACHABLE && icmp->type <= ICMPV6_PARAMETER_PROBLEM;
}

static __always_inline bool is_echo_request(const struct icmp_header *icmp, const enum family family)
{
	return icmp->type == (family == FAMILY_IPV4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST);
}

/* Reads the quoted packet and takes the flow it belongs to as the packet's own. UNDECIDED when that is done. The quote's own length
 * field is of the packet that was quoted, so it bounds nothing here. */
static __always_inline enum reason parse_quote(struct cursor *cursor, struct packet *packet, const enum family family)
{
	const __be32 *source, *destination;
	const __u32 *ports;
	bool is_later_fragment;
	__u8 protocol;

	if (family == FAMILY_IPV4) {
		struct ipv4_header *ip = take(cursor, sizeof(*ip));

		if (!ip || !take_ipv4_options(cursor, ip))
			return REASON_MALFORMED_ICMP;
		source = &ip->source;
		destination = &ip->destination;
		protocol = ip->protocol;
		is_later_fragment = ip->fragment & IPV4_OFFSET_MASK;
	} else {
		struct ipv6_header *ip = take(cursor, sizeof(*ip));
		struct extensions extensions = {};

		if (!ip || *(__u8 *)ip >> 4 != 6)
			return REASON_MALFORMED_ICMP;
		extensions.protocol = ip->next_header;
		if (!take_extensions(cursor, &extensions))
			return REASON_MALFORMED_ICMP;
		source = ip->source;
		destination = ip->destination;
		protocol = extensions.protocol;
		is_later_fragment = extensions.offset_more & IPV6_OFFSET_MASK;
	}
	if (is_later_fragment || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
		return REASON_OTHER_ICMP;
	ports = take(cursor, QUOTED_TRANSPORT_BYTES);
	if (!ports)
		return REASON_MALFORMED_ICMP;
	if (!same_address(source, destination_of(packet, family), family))
		return REASON_OTHER_ICMP;

	copy_address(packet->flow.source, destination, family);
	packet->flow.ports = *ports << 16 | *ports >> 16;
	packet->flow.protocol = protocol;
	packet->traits = forget_value(packet->traits | IS_ICMP_ERROR, packet->frame_bytes);
	return UNDECIDED;
}

#endif
