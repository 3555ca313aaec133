/* SPDX-License-Identifier: MIT
 *
 * Headers as they are on the wire: Ethernet II and VLAN tags (IEEE 802.3, 802.1Q, 802.1ad), IPv4 (RFC 791), IPv6 and its extension
 * headers (RFC 8200), TCP (RFC 9293), UDP (RFC 768), ICMP and ICMPv6 (RFC 792, 4443).
 */
#ifndef LAMNA_WIRE_H
#define LAMNA_WIRE_H

#include "kernel.h"

#define MAX_VLAN_TAGS 2
#define MAX_ETHERNET_BYTES (ETH_HLEN + 4 * MAX_VLAN_TAGS)
#define TAGS_MASK 0xc /* the bits of their length */

struct ethernet_header {
	__u8 destination[6];
	__u8 source[6];
	__be16 ethertype;
};

/* What follows the ethertype of a tagged frame. */
struct vlan_tag {
	__be16 control;
	__be16 ethertype; /* of what follows */
};

static __always_inline bool is_vlan(__be16 ethertype)
{
	return ethertype == bpf_htons(ETH_P_8021Q) || ethertype == bpf_htons(ETH_P_8021AD);
}

struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment; /* 3 flag bits, 13 bits of offset in 8-byte units */
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__be32 source;
	__be32 destination;
};

#define IPV4_MORE_FRAGMENTS bpf_htons(0x2000)
#define IPV4_OFFSET_MASK bpf_htons(0x1fff)

struct ipv6_header {
	__be32 version_class_label;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__be32 source[4];
	__be32 destination[4];
};

/* Hop-by-hop options, routing and destination options all begin like this. */
struct extension_header {
	__u8 next_header;
	__u8 length; /* in 8-byte units, without the first */
	__u8 content[6];
};

struct fragment_header {
	__u8 next_header;
	__u8 reserved;
	__be16 offset_more; /* 13 bits of offset in 8-byte units, 2 reserved, 1 "more fragments" */
	__be32 id;
};

#define IPV6_MORE_FRAGMENTS bpf_htons(0x0001)
#define IPV6_OFFSET_MASK bpf_htons(0xfff8)

struct tcp_header {
	__u32 ports;
	__be32 sequence;
	__be32 acknowledgement;
	__u8 data_offset;
	__u8 flags; /* CWR ECE URG ACK PSH RST SYN FIN */
	__be16 window;
	__u16 checksum;
	__be16 urgent;
};

struct udp_header {
	__u32 ports;
	__be16 length;
	__u16 checksum;
};

struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 rest;
};

#endif
