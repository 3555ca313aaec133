/* SPDX-License-Identifier: MIT
 *
 * Why a packet ended as it did. Every packet ends with exactly one reason, and a reason always goes with the same
 * verdict, so that reasons sum to packets and their sums by group are the verdicts.
 *
 * The names, without REASON_ and in lower case, are a public, closed list: reports, metrics and fixtures use them.
 */
#ifndef LAMNA_REASONS_H
#define LAMNA_REASONS_H

enum reason {
	/* XDP_ABORTED */
	REASON_INTERNAL_ERROR = 0, /* a map the program needs is missing: never seen on a programmed dataplane */

	/* XDP_PASS: the host's own network stack goes on with it */
	REASON_NOT_IP,
	REASON_NOT_VIP, /* TCP or UDP to an address and port that no VIP has */
	REASON_NOT_VIP_MALFORMED, /* scope vip: malformed, and not addressed to a VIP as far as can be read */
	REASON_NOT_VIP_FRAGMENT, /* a fragment that no VIP claims */
	REASON_OTHER_PROTOCOL, /* neither TCP, UDP nor a kind of ICMP that is balanced */
	REASON_OTHER_ICMP, /* ICMP that is neither an error about a VIP's flow nor an echo request that is answered */

	/* XDP_TX: forwarded to a backend */
	REASON_FLOW_HIT, /* the flow table knew the backend */
	REASON_FLOW_NEW, /* chosen from the ring and remembered */
	REASON_FLOW_BYPASS, /* chosen from the ring; the VIP bypasses the flow table, or the packet is one that is never remembered (RST) */
	REASON_FLOW_TABLE_FULL, /* chosen from the ring; every entry of the line is held by an established flow */
	REASON_FLOW_RATE_LIMITED, /* chosen from the ring; more new flows this second than newFlowsPerSecondPerCpu */
	REASON_FRAGMENT_HIT, /* a fragment of a datagram already seen */
	REASON_FRAGMENT_GUESSED, /* the first fragment seen of its datagram carries no ports: lowest port's VIP, ports 0 */
	REASON_ICMP_ERROR, /* an ICMP error, to the backend that owns the quoted flow */

	/* XDP_TX: answered */
	REASON_ECHO_REPLY,
	REASON_TOO_BIG_REPLY, /* ICMP fragmentation needed, or ICMPv6 packet too big */

	/* XDP_DROP */
	REASON_MALFORMED_ETHERNET, /* cut in the Ethernet header or its VLAN tags */
	REASON_MALFORMED_IPV4,
	REASON_MALFORMED_IPV6, /* the header or an extension header; or more extension headers than are followed */
	REASON_MALFORMED_TCP,
	REASON_MALFORMED_UDP,
	REASON_MALFORMED_ICMP, /* the ICMP header, or the packet an error quotes */
	REASON_IP_OPTIONS,
	REASON_FRAGMENT,
	REASON_NO_BACKEND, /* the VIP has no backend that takes new flows, and the flow is not known */
	REASON_TOO_BIG,
	REASON_NO_HEADROOM, /* no room before the frame for the outer header */
	REASON_NO_GATEWAY, /* the MAC of the next hop is not known */

	REASON_COUNT,
};

#endif
