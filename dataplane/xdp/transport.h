/* SPDX-License-Identifier: MIT
 *
 * The transport header of a whole packet or a first fragment: TCP (RFC 9293), UDP (RFC 768), ICMP and ICMPv6. Only what
 * comes first in each is looked at: neither TCP's data offset nor UDP's length can lead astray.
 */
#ifndef LAMNA_TRANSPORT_H
#define LAMNA_TRANSPORT_H

#include "packet.h"

static __always_inline bool is_icmp(__u8 protocol, const enum family family)
{
	return protocol == (family == FAMILY_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* The ports of TCP or UDP. UNDECIDED, or why the packet is malformed. */
static __always_inline enum reason parse_ports(struct cursor *cursor, struct packet *packet)
{
	if (packet->protocol == IPPROTO_TCP) {
		struct tcp_header *tcp = take(cursor, sizeof(*tcp));

		if (!tcp)
			return REASON_MALFORMED_TCP;
		packet->flow.ports = tcp->ports;
		packet->traits |= tcp->flags;
	} else {
		struct udp_header *udp = take(cursor, sizeof(*udp));

		if (!udp)
			return REASON_MALFORMED_UDP;
		packet->flow.ports = udp->ports;
	}
	return UNDECIDED;
}

#endif
