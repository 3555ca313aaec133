/* SPDX-License-Identifier: MIT
 *
 * Ethernet II, with up to two VLAN tags (IEEE 802.1Q, 802.1ad), in whatever order of tag types.
 */
#ifndef LAMNA_ETHERNET_H
#define LAMNA_ETHERNET_H

#include "cursor.h"
#include "wire.h"

/* The header; the ethertype behind its tags and their size go to *ethertype and *tag_bytes. NULL: the frame ends before they do. */
static __always_inline struct ethernet_header *take_ethernet(struct cursor *cursor, __be16 *ethertype, __u32 *tag_bytes)
{
	struct ethernet_header *header = take(cursor, sizeof(*header));

	if (!header)
		return NULL;
	*ethertype = header->ethertype;
	*tag_bytes = 0;
	for (int i = 0; i < MAX_VLAN_TAGS && unlikely(is_vlan(*ethertype)); i++) {
		struct vlan_tag *tag = take(cursor, sizeof(*tag));

		if (!tag)
			return NULL;
		*ethertype = tag->ethertype;
		*tag_bytes += sizeof(*tag);
	}
	return header;
}

/* Broadcast or multicast: what came by it is not answered (RFC 1122 section 3.2.2), and as a source it would be invalid. */
static __always_inline bool is_to_group(const struct ethernet_header *header)
{
	return header->destination[0] & 1;
}

static __always_inline void swap_macs(struct ethernet_header *header)
{
	__u16 *destination = (__u16 *)header->destination, *source = (__u16 *)header->source;

	for (int i = 0; i < 3; i++) {
		__u16 word = destination[i];

		destination[i] = source[i];
		source[i] = word;
	}
}

#endif
