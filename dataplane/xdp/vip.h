/* SPDX-License-Identifier: MIT
 *
 * Finding the VIP: see layout.h for the table. The control plane mirrors this hash to fill it.
 *
 * vip_hash, all in 32 bits:
 *   h = seed
 *   for each word w of the address as loaded from the wire, one (IPv4) or four (IPv6):
 *     h = (h ^ w) * 0x9E3779B1, h ^= h >> 15
 *   h = (h ^ k) * 0x85EBCA77, h ^= h >> 13     k = port as loaded from the wire | protocol << 16 | family << 24
 *   h *= 0xC2B2AE3D, h ^= h >> 16
 * The bucket is h & option_vip_bucket_mask, the fingerprint h.
 */
#ifndef LAMNA_VIP_H
#define LAMNA_VIP_H

#include "address.h"
#include "maps.h"
#include "packet.h"

/* The address part of the hash is the same for every key that one packet may be looked up by. */
struct vip_search {
	const __be32 *address;
	__u32 address_hash;
	__u32 first_bucket;
};

/* What of `k` the VIP's line confirms, by kind of key. */
enum vip_key_mask {
	VIP_EXACT = 0xffffffff,
	VIP_OF_LOWEST_PORT = 0xff7f0000, /* neither the port nor VIP_KEY_LOWEST_PORT */
	VIP_OF_ADDRESS = 0xff000000, /* the family */
};

static __always_inline struct vip_search start_vip_search(const struct settings *settings, const __be32 *address,
							  const enum family family)
{
	/* One load, as it is one store. */
	__u64 table = *(const volatile __u64 *)&settings->vip_table;
	__u32 hash = table >> 32;

	for (int i = 0; i < ADDRESS_WORDS(family); i++) {
		hash = (hash ^ address[i]) * 0x9E3779B1;
		hash ^= hash >> 15;
	}
	return (struct vip_search){.address = address, .address_hash = hash, .first_bucket = table};
}

/* The VIP and, in *id, its id; NULL when there is none. */
static __always_inline struct vip *find_vip(const struct vip_search *search, __be16 port, __u8 protocol, __u32 mask,
					    const enum family family, __u32 *id)
{
	__u32 key = port | (__u32)protocol << 16 | (__u32)family << 24;
	__u32 hash, index;
	struct vip_bucket *bucket;
	struct vip *vip;

	hash = (search->address_hash ^ key) * 0x85EBCA77;
	hash ^= hash >> 13;
	hash *= 0xC2B2AE3D;
	hash ^= hash >> 16;

	index = search->first_bucket + (hash & option_vip_bucket_mask);
	bucket = bpf_map_lookup_elem(&vip_buckets, &index);
	if (!bucket)
		return NULL;
	index = 0;
	for (int i = 0; i < VIP_BUCKET_SLOTS; i++) {
		/* A free slot's fingerprint is 0, which a key may have too. */
		if (bucket->fingerprint[i] == hash && bucket->vip[i] != 0) {
			index = bucket->vip[i];
			break;
		}
	}
	if (index == 0)
		return NULL;
	vip = bpf_map_lookup_elem(&vips, &index);
	if (!vip || ((*(const __u32 *)&vip->port ^ key) & mask) || !same_address(vip->address, search->address, family))
		return NULL;
	*id = index;
	return vip;
}

static __always_inline bool is_vip_address(const struct settings *settings, const __be32 *address,
					   const enum family family)
{
	struct vip_search search = start_vip_search(settings, address, family);
	__u32 id;

	return find_vip(&search, 0, VIP_KEY_ADDRESS, VIP_OF_ADDRESS, family, &id);
}

_Static_assert(__builtin_offsetof(struct vip, port) == 16 && __builtin_offsetof(struct vip, protocol) == 18 &&
		       __builtin_offsetof(struct vip, family) == 19,
	       "port, protocol and family lie as in a key");

#endif
