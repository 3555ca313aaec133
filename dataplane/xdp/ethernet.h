/* SPDX-License-Identifier: MIT
 *
 * Ethernet II, with up to two VLAN tags (IEEE 802.1Q, 802.1ad), in whatever order of tag types.
 */
#ifndef LAMNA_ETHERNET_H
#define LAMNA_ETHERNET_H

#include "packet.h"

/* The ethertype behind the tags goes to *ethertype. False: the frame ends in the header or its tags. */
static __always_inline bool parse_ethernet(struct cursor *cursor, struct packet *packet, __be16 *ethertype)
{
	struct ethernet_header *header = take(cursor, sizeof(*header));

	if (!header)
		return false;
	packet->ethernet = header;
	*ethertype = header->ethertype;
	for (int i = 0; i < MAX_VLAN_TAGS && unlikely(is_vlan(*ethertype)); i++) {
		struct vlan_tag *tag = take(cursor, sizeof(*tag));

		if (!tag)
			return false;
		*ethertype = tag->ethertype;
		packet->tag_bytes += sizeof(*tag);
	}
	return true;
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
