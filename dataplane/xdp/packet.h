/* SPDX-License-Identifier: MIT
 *
 * What the program knows of the packet in hand.
 */
#ifndef LAMNA_PACKET_H
#define LAMNA_PACKET_H

#include "cursor.h"
#include "kernel.h"
#include "layout.h"
#include "reasons.h"
#include "wire.h"

/* What a stage says that has not decided: the next one goes on. */
#define UNDECIDED REASON_COUNT

/* A connection of a client with a VIP. An ICMP error is about one, any other packet is of one. The client's address is one
 * word (IPv4) or four (IPv6); a copy, so that it does not matter to the verifier where in the packet it was. The VIP's is the packet's own
 * destination. */
struct flow {
	__be32 source[4] __attribute__((aligned(8))); /* also read in 64-bit words */
	__u32 ports; /* as loaded from the wire: source, the client's, in the low half */
	__u8 protocol;
};

/* What a packet is, in one word, since it is asked for in many places. The low bits are those of the TCP header. */
enum trait {
	IS_TCP_FIN = 0x01,
	IS_TCP_SYN = 0x02,
	IS_TCP_RST = 0x04,
	IS_FRAGMENT = 0x100,
	IS_LATER_FRAGMENT = 0x200, /* not the first of its datagram, so without a transport header */
	IS_ICMP_ERROR = 0x400,
	HAS_IP_OPTIONS = 0x800, /* IPv4 */
};

struct packet {
	__u32 traits; /* enum trait */

	/* The frame. */
	__u32 frame_bytes;
	__u32 tag_bytes; /* of VLAN tags: 0, 4 or 8 */

	/* The IP header and its extensions. */
	void *network; /* NULL: the frame ends before it does */
	__u8 protocol; /* after extension headers */
	__u32 fragment_id; /* as loaded from the wire */

	/* The transport header. */
	struct icmp_header *icmp;
	struct flow flow;

	/* What was decided. */
	__u32 vip_id;
	__u32 backend_id;
	struct backend *backend;
	__u32 ip_bytes; /* header and payload, as the header says */
	__u8 traffic_class;
	__be32 outer_source; /* what the outer source address is derived from: see encapsulate.h */
	__u32 ports; /* masked by the VIP's ports_mask; the outer source address is derived from the source port too */
	__u64 gateway; /* the next hop's MAC in the low six bytes, as in memory; the others may hold anything */
	__u32 mtu; /* told in answer to a packet that is too big */
};

#endif
