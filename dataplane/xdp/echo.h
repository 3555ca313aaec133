/* SPDX-License-Identifier: MIT
 *
 * Answering echo requests in place of the backends, none of which could say that the VIP is up.
 */
#ifndef LAMNA_ECHO_H
#define LAMNA_ECHO_H

#include "checksum.h"
#include "ethernet.h"
#include "icmp.h"
#include "vip.h"

#define REPLY_TTL 64

static __always_inline bool can_answer_echo(const struct xdp_md *ctx, const struct packet *packet,
					    const enum family family)
{
	return option_echo != ECHO_OFF && is_unicast(source_of(packet, family), family) &&
	       is_unicast(destination_of(packet, family), family) && !is_to_group(ctx);
}

/* What becomes of an echo request that can be answered. */
static __always_inline enum reason decide_echo(const struct packet *packet, bool is_to_vip)
{
	if (is_to_vip && (packet->traits & HAS_IP_OPTIONS) && !option_ip_options_balance)
		return REASON_IP_OPTIONS;
	return is_to_vip || option_echo == ECHO_ANY ? REASON_ECHO_REPLY : REASON_OTHER_ICMP;
}

/* Turns the request into the reply where it lies. Both checksums are carried forward, so that a request damaged on the way
 * becomes a reply that is seen to be damaged. Swapped addresses change no checksum. */
static __always_inline void write_echo_reply(const struct xdp_md *ctx, const struct packet *packet,
					     const enum family family)
{
	struct icmp_header *icmp = packet->icmp;

	swap_macs(ctx);
	if (family == FAMILY_IPV4) {
		struct ipv4_header *ip = packet->network;
		__u16 *ttl_and_protocol = (__u16 *)&ip->ttl, ttl_before = *ttl_and_protocol;

		swap_addresses(&ip->source, &ip->destination, FAMILY_IPV4);
		ip->ttl = REPLY_TTL;
		ip->checksum = update_checksum(ip->checksum, ttl_before, *ttl_and_protocol);
		icmp->type = ICMP_ECHO_REPLY;
		icmp->checksum = shrink_checksum(icmp->checksum, ICMP_ECHO_REQUEST - ICMP_ECHO_REPLY);
	} else {
		struct ipv6_header *ip = packet->network;
		__u16 *type_and_code = (__u16 *)&icmp->type, before = *type_and_code;

		swap_addresses(ip->source, ip->destination, FAMILY_IPV6);
		ip->hop_limit = REPLY_TTL;
		icmp->type = ICMPV6_ECHO_REPLY;
		icmp->checksum = update_checksum(icmp->checksum, before, *type_and_code);
	}
}

#endif
