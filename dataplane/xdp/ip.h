/* SPDX-License-Identifier: MIT
 *
 * What the IP header of either family says, once it was parsed. Read where it is needed and not carried along: a load costs
 * less than a register that is spilled, and the verifier finds all ways to a place alike.
 */
#ifndef LAMNA_IP_H
#define LAMNA_IP_H

#include "ipv4.h"
#include "ipv6.h"

static __always_inline __be32 *source_of(const struct packet *packet, const enum family family)
{
	struct ipv4_header *ipv4 = packet->network;
	struct ipv6_header *ipv6 = packet->network;

	return family == FAMILY_IPV4 ? &ipv4->source : ipv6->source;
}

static __always_inline __be32 *destination_of(const struct packet *packet, const enum family family)
{
	struct ipv4_header *ipv4 = packet->network;
	struct ipv6_header *ipv6 = packet->network;

	return family == FAMILY_IPV4 ? &ipv4->destination : ipv6->destination;
}

/* Header and payload, as the header says. */
static __always_inline __u32 ip_bytes(const struct packet *packet, const enum family family)
{
	const struct ipv4_header *ipv4 = packet->network;
	const struct ipv6_header *ipv6 = packet->network;

	return family == FAMILY_IPV4 ? bpf_ntohs(ipv4->total_length) : sizeof(*ipv6) + bpf_ntohs(ipv6->payload_length);
}

/* TOS or traffic class. */
static __always_inline __u8 traffic_class(const struct packet *packet, const enum family family)
{
	const struct ipv4_header *ipv4 = packet->network;

	return family == FAMILY_IPV4 ? ipv4->tos : bpf_ntohs(*(const __be16 *)packet->network) >> 4;
}

#endif
