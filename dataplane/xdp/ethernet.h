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

/* The header of a frame that has one: never NULL. Where it is wanted late it is fetched anew, since the verifier would tell apart all that
 * happened meanwhile by what is known of how long the frame is. */
static __always_inline struct ethernet_header *ethernet_of(const struct xdp_md *ctx)
{
	struct ethernet_header *header = (void *)(long)ctx->data;

	return (void *)(header + 1) > (void *)(long)ctx->data_end ? NULL : header;
}

/* Broadcast or multicast: what came by it is not answered (RFC 1122 section 3.2.2), and as a source it would be invalid. */
static __always_inline bool is_to_group(const struct xdp_md *ctx)
{
	const struct ethernet_header *header = ethernet_of(ctx);

	return !header || header->destination[0] & 1;
}

static __always_inline void swap_macs(const struct xdp_md *ctx)
{
	struct ethernet_header *header = ethernet_of(ctx);
	__u16 *destination, *source;

	if (!header)
		return;
	destination = (__u16 *)header->destination;
	source = (__u16 *)header->source;

	for (int i = 0; i < 3; i++) {
		__u16 word = destination[i];

		destination[i] = source[i];
		source[i] = word;
	}
}

#endif
