/* SPDX-License-Identifier: MIT
 *
 * The backend that a VIP's ring gives a flow, by Katran's hash of source address and ports.
 */
#ifndef LAMNA_RING_H
#define LAMNA_RING_H

#include "address.h"
#include "jhash.h"
#include "maps.h"
#include "packet.h"

/* The hash modulo RING_SLOTS = 2^16 + 1, where 2^16 is -1: low half less high half. Saves a
 * division. */
static __always_inline __u32 ring_slot_of(__u32 hash)
{
	__s32 difference = (hash & 0xffff) - (hash >> 16);

	/* Without a branch: all ones when it is negative. */
	return difference + (difference >> 31 & RING_SLOTS);
}
_Static_assert(RING_SLOTS == (1 << 16) + 1, "ring_slot_of() is for this number of slots");

/* `ports` is masked by the VIP's ports_mask. With VIP_HASH_DESTINATION_PORT the destination port stands in for the source
 * port and the source address is zero: all that talk to one port share a backend. */
static __always_inline __u32 flow_hash(const struct vip *vip, const __be32 *source, __u32 ports,
				       const enum family family)
{
	__be32 words[4];

	for (int i = 0; i < ADDRESS_WORDS(family); i++)
		words[i] = source[i];
	if (unlikely(vip->flags & VIP_HASH_DESTINATION_PORT)) {
		ports = ports >> 16 | (ports & 0xffff0000);
		for (int i = 0; i < ADDRESS_WORDS(family); i++)
			words[i] = 0;
	}
	if (family == FAMILY_IPV4)
		return jhash_two_words(words[0], ports, option_hash_seed);
	return jhash_two_words(jhash_four_words(words, option_hash_seed_ipv6), ports, option_hash_seed);
}

/* 0: the VIP has no backends. */
static __always_inline __u32 ring_backend(const struct vip *vip, __u32 hash)
{
	/* One load: the control plane switches rings by one store. */
	__u32 id = *(const volatile __u32 *)&vip->ring;
	struct ring *ring = bpf_map_lookup_elem(&rings, &id);
	__u32 slot = ring_slot_of(hash);

	/* Without the barrier clang proves the check needless and drops it, and the verifier sees none. */
	barrier_var(slot);
	if (!ring || slot >= RING_SLOTS)
		return 0;
	return ring->slots[slot].backend;
}

#endif
