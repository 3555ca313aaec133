/* SPDX-License-Identifier: MIT
 *
 * IPv6 headers and the extension headers before the transport (RFC 8200).
 */
#ifndef LAMNA_IPV6_H
#define LAMNA_IPV6_H

#include "options.h"
#include "packet.h"

/* More are not seen outside of attacks: RFC 8200 section 4.1 has at most five before the transport. */
#define MAX_EXTENSION_HEADERS 6
#define MAX_EXTENSION_BYTES (8 * 256)

/* The bits of the distance from an IPv6 header, or from its end, to what follows the extension headers. */
#define EXTENSIONS_MASK 0x3ff8
_Static_assert(sizeof(struct ipv6_header) + MAX_EXTENSION_HEADERS * MAX_EXTENSION_BYTES <= EXTENSIONS_MASK,
	       "the mask is of enough bits");

struct extensions {
	__u8 protocol; /* of what follows them */
	bool has_fragment_header;
	__be16 offset_more; /* of the fragment header */
	__be32 id;
};

static __always_inline bool is_extension(__u8 type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_DSTOPTS ||
	       type == IPPROTO_FRAGMENT;
}

/* Follows the chain that begins with the header type in `extensions->protocol`. What comes behind the fragment header of a
 * later fragment is data, so the chain ends there. False: a header is cut, there are too many, or a second
 * fragment header, which no sender writes. */
static __always_inline bool take_extensions(struct cursor *cursor, struct extensions *extensions)
{
	void *start = cursor->at;

	if (likely(!is_extension(extensions->protocol)))
		return true;
#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		__u8 type = extensions->protocol;

		/* As many and as long as the headers may have been, one way. */
		cursor->at = forget_way(cursor->at, start, EXTENSIONS_MASK);
		if (type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_DSTOPTS) {
			struct extension_header *header = take(cursor, sizeof(*header));

			if (!header || !take(cursor, (__u32)header->length * 8))
				return false;
			extensions->protocol = header->next_header;
		} else if (type == IPPROTO_FRAGMENT) {
			struct fragment_header *header = take(cursor, sizeof(*header));

			if (!header || extensions->has_fragment_header)
				return false;
			extensions->has_fragment_header = true;
			extensions->offset_more = header->offset_more;
			extensions->id = header->id;
			extensions->protocol = header->next_header;
			if (header->offset_more & IPV6_OFFSET_MASK)
				return true;
		} else {
			return true;
		}
	}
	return !is_extension(extensions->protocol);
}

/* False: malformed. */
static __always_inline bool parse_ipv6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6_header *ip = take(cursor, sizeof(*ip));
	struct extensions extensions = {};

	if (!ip)
		return false;
	packet->network = ip;
	if (*(__u8 *)ip >> 4 != 6)
		return false;
	cursor->left = bpf_ntohs(ip->payload_length);

	extensions.protocol = ip->next_header;
	if (!take_extensions(cursor, &extensions))
		return false;
	packet->protocol = extensions.protocol;
	if (unlikely(extensions.has_fragment_header)) {
		/* An "atomic" fragment (RFC 6946) is the only one of its datagram: whole, unless fragments are unwanted. */
		if (!option_fragments_balance || (extensions.offset_more & (IPV6_MORE_FRAGMENTS | IPV6_OFFSET_MASK)))
			packet->traits |= IS_FRAGMENT;
		if (extensions.offset_more & IPV6_OFFSET_MASK)
			packet->traits |= IS_LATER_FRAGMENT;
		packet->fragment_id = extensions.id;
	}
	return true;
}

#endif
