/* SPDX-License-Identifier: MIT
 *
 * What the program knows of the packet in hand, and the cursor that reads it.
 */
#ifndef LAMNA_PACKET_H
#define LAMNA_PACKET_H

#include "kernel.h"
#include "layout.h"
#include "reasons.h"

/* What a stage says that has not decided: the next one goes on. */
#define UNDECIDED REASON_COUNT

/* A connection, as seen from its client: source is the client, destination the VIP. The addresses point into the
 * packet, one word (IPv4) or four (IPv6), and die when the packet is resized. An ICMP error carries the flow
 * it is about; any other packet carries its own. */
struct flow {
	const __be32 *source;
	const __be32 *destination;
	__u32 ports; /* as loaded from the wire: source in the low half */
	__u8 protocol;
};

struct packet {
	/* The frame. */
	struct ethernet_header *ethernet;
	__u32 frame_bytes;
	__u32 tag_bytes; /* of VLAN tags: 0, 4 or 8 */

	/* The IP header and its extensions. */
	void *network;
	const __be32 *source;
	const __be32 *destination; /* NULL: the frame ends before it */
	__u32 ip_bytes; /* header and payload, as the header says */
	__u8 traffic_class;
	__u8 protocol; /* after extension headers */
	bool has_options; /* IPv4 */
	bool is_fragment;
	bool is_later_fragment; /* not the first of its datagram, so without a transport header */
	__u32 fragment_id; /* as loaded from the wire */

	/* The transport header. */
	struct icmp_header *icmp;
	bool is_icmp_error;
	__u8 tcp_flags; /* 0 for all but TCP */
	struct flow flow;

	/* What was decided. */
	__u32 vip_id;
	__u32 backend_id;
	struct backend *backend;
	__be32 outer_source; /* what the outer source address is derived from: see encapsulate.h */
	__be16 outer_port;
	__u32 mtu; /* told in answer to a packet that is too big */
};

/* Headers are taken from the front, each within the frame and within the length that the IP header gives. A frame
 * may be longer than its packet (Ethernet padding) and shorter (captures are cut by a snap length). */
struct cursor {
	void *at;
	void *end; /* of the frame */
	__u32 left; /* bytes from `at` to the end of the packet as its IP header says; above IP without limit */
};

#define UNLIMITED 0xffffffff

/* The next `bytes` bytes, or NULL when there are not as many. */
static __always_inline void *take(struct cursor *cursor, __u32 bytes)
{
	void *start = cursor->at;

	if (bytes > cursor->left || start + bytes > cursor->end)
		return NULL;
	cursor->at = start + bytes;
	cursor->left -= bytes;
	return start;
}

#endif
