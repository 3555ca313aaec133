/* SPDX-License-Identifier: MIT
 *
 * Where the fragments of a datagram go: all to the backend of the one that was seen first, for option_fragment_ticks. A small
 * direct-mapped table per CPU; NICs that spread flows over CPUs hash fragments by their addresses only, so that
 * one CPU sees all of a datagram. Entries are overwritten freely, since at worst a datagram is lost.
 */
#ifndef LAMNA_FRAGMENTS_H
#define LAMNA_FRAGMENTS_H

#include "address.h"
#include "maps.h"
#include "ip.h"
#include "packet.h"

/* The one place of this packet's datagram. NULL: the table is missing. */
static __always_inline struct fragment *fragment_place(const struct packet *packet, __u32 cpu, const enum family family)
{
	__u64 hash = option_flow_seed ^ (packet->fragment_id | (__u64)packet->protocol << 32);
	void *table = bpf_map_lookup_elem(&fragments, &cpu);
	const __be32 *source = source_of(packet, family), *destination = destination_of(packet, family);
	__u32 index;

	for (int i = 0; i < ADDRESS_WORDS(family); i++) {
		hash ^= source[i] | (__u64)destination[i] << 32;
		hash *= 0x9E3779B97F4A7C15;
		hash ^= hash >> 32;
	}
	hash *= 0xC2B2AE3D27D4EB4F;
	index = (hash >> 32) & option_fragment_mask;
	return table ? bpf_map_lookup_elem(table, &index) : NULL;
}

/* Whether the place holds this packet's datagram, and still counts. */
static __always_inline bool is_fragment_known(const struct fragment *place, const struct packet *packet, __u32 now,
					      const enum family family)
{
	__s32 age = now - place->seen;

	/* As with flows, a clock that stepped back makes nothing old. */
	return place->backend != 0 && place->family == family && place->protocol == packet->protocol &&
	       place->id == packet->fragment_id && same_address(place->source, source_of(packet, family), family) &&
	       same_address(place->destination, destination_of(packet, family), family) &&
	       (age < 0 || (__u32)age <= option_fragment_ticks);
}

static __always_inline void remember_fragment(const struct packet *packet, __u32 now, __u32 cpu,
					      const enum family family)
{
	struct fragment *place = fragment_place(packet, cpu, family);

	if (!place)
		return;
	store_address(place->source, source_of(packet, family), family);
	store_address(place->destination, destination_of(packet, family), family);
	place->id = packet->fragment_id;
	place->vip = packet->vip_id;
	place->seen = now;
	place->ports = packet->ports;
	/* Protocol, family and backend by one store: the control plane clears entries while this runs. */
	*(volatile __u32 *)&place->protocol = packet->protocol | family << 8 | packet->backend_id << 16;
}

_Static_assert(__builtin_offsetof(struct fragment, family) == __builtin_offsetof(struct fragment, protocol) + 1 &&
		       __builtin_offsetof(struct fragment, backend) ==
			       __builtin_offsetof(struct fragment, protocol) + 2,
	       "protocol, family and backend share a word");

#endif
