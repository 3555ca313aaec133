/* SPDX-License-Identifier: MIT
 *
 * Whether a packet may come out of its capsule: what is inside must be for a VIP, and what is outside from a balancer, as far as these
 * are configured. Without that anybody who can reach the host could speak as anybody to its services.
 */
#ifndef LAMNA_ACCEPT_H
#define LAMNA_ACCEPT_H

#include "capsule.h"
#include "maps.h"

/* Writes 16 bytes; those an IPv4 address does not have are zero. */
static __always_inline void store_address(void *to, const __be32 *address, bool is_ipv6)
{
	__be32 *words = to;

	words[0] = address[0];
	words[1] = is_ipv6 ? address[1] : 0;
	words[2] = is_ipv6 ? address[2] : 0;
	words[3] = is_ipv6 ? address[3] : 0;
}

static __always_inline struct traffic *find_vip(const struct capsule *capsule)
{
	struct vip_key key;

	if (capsule->traits & IS_INNER_IPV6) {
		const struct ipv6_header *ip = capsule->inner;

		store_address(key.address, ip->destination, true);
		key.family = FAMILY_IPV6;
	} else {
		const struct ipv4_header *ip = capsule->inner;

		store_address(key.address, &ip->destination, false);
		key.family = FAMILY_IPV4;
	}
	return bpf_map_lookup_elem(&vips, &key);
}

static __always_inline bool is_source(const struct capsule *capsule)
{
	struct source_prefix key;

	key.length_bits = SOURCE_BITS;
	if (capsule->traits & IS_OUTER_IPV6) {
		store_address(key.address, capsule->outer_source, true);
		key.family = FAMILY_IPV6;
	} else {
		store_address(key.address, capsule->outer_source, false);
		key.family = FAMILY_IPV4;
	}
	return bpf_map_lookup_elem(&sources, &key);
}

/* UNDECIDED: it may. The VIP is asked first: of what is for others, who sent it does not matter. */
static __always_inline enum reason accept(struct capsule *capsule, const struct settings *settings)
{
	capsule->traffic = find_vip(capsule);
	if (settings->vips_only && !capsule->traffic)
		return REASON_NOT_VIP;
	if (settings->sources_only && !is_source(capsule))
		return REASON_SOURCE_REFUSED;
	return UNDECIDED;
}

#endif
