/* SPDX-License-Identifier: MIT
 *
 * What the program and the control plane share: map values and their constants.
 *
 * TypeScript reads and writes these through codecs generated from the object's BTF (`npm run gen`), so a
 * change here is a change there. A `__be16`/`__be32` field is in network order and a codec gives it in host
 * order; everything else is in the host's order, which is little-endian.
 *
 * Ids start at 1 and 0 means none, for VIPs, backends and rings alike. Element 0 of each map is therefore
 * never written, and all zero: backend 0 is no backend, ring 0 is a ring of no backends.
 */
#ifndef LAMNA_LAYOUT_H
#define LAMNA_LAYOUT_H

#include "kernel.h"

/* An enum, not macros, so that they are in BTF. */
enum layout {
	LINE_BYTES = 64,
	RING_SLOTS = 65537, /* prime, as Maglev wants, and Katran's default */
	RING_BYTES = 266240, /* RING_SLOTS of 4 bytes, padded to whole pages so that one ring can be mapped alone */
	VIP_BUCKET_SLOTS = 4,
	FLOWS_IPV4_PER_LINE = 4,
	FLOWS_IPV6_PER_LINE = 2,
	INTERFACE_SLOTS_LOG2 = 8, /* of one copy of the table of interfaces */
	INTERFACE_SLOTS = 1 << INTERFACE_SLOTS_LOG2,
	FLOW_STATE_BITS = 2, /* the low bits of a flow's `seen`; the rest: tick of its last packet, modulo 2^30 */
	REASON_BLOCK = 64,
};

enum family {
	FAMILY_IPV4 = 4,
	FAMILY_IPV6 = 6,
};

/* ------------------------------------------------------------------------------------------------ settings */

/* What may change while the program runs. One element. */
struct settings {
	/* Destination MAC of what is forwarded, where the interface it came in by has no entry in `interfaces`; all zero: none.
	 * One 64-bit word with the next field. */
	__u8 gateway_mac[6];
	__u16 max_frame_bytes; /* of the incoming frame, VLAN tags not counted */
	/* Which copy of the bucket table is live, and its seed; switched by one 64-bit store:
	 * bits 0..31 the index of the copy's first bucket, bits 32..63 the seed. */
	__u64 vip_table;
	/* The same of the table of interfaces: bits 0..31 the index of the live copy's first entry, bits 32..63 the multiplier. */
	__u64 interface_table;
	__u32 mtu; /* largest outgoing IP packet, where the interface has no entry; 0: no limit. 0 without a gateway_mac */
	__u32 new_flows_per_second; /* per CPU; 0: no limit */
	__u32 udp_idle_ticks;
	__u8 reserved[28];
};

/* ------------------------------------------------------------------------------------------------- finding a VIP
 *
 * vip_buckets holds two copies of a table of buckets; `settings.vip_table` names the live one. A key is
 * (address, port, protocol, family); vip_hash() in vip.h mixes it with the seed to 32 bits: the low bits choose
 * the bucket, all of them are the fingerprint. The control plane chooses a seed with which no bucket overflows and
 * no two keys share a fingerprint, so at most one slot can match; the VIP's own line then confirms the key.
 *
 * Three kinds of key lead to a VIP:
 *   exact      (address, port, protocol): as configured, port 0 standing for every port
 *   fragments  (address, 0, protocol | VIP_KEY_LOWEST_PORT): the VIP of that address and protocol with the lowest port
 *   address    (address, 0, VIP_KEY_ADDRESS): some VIP has this address
 */
struct vip_bucket {
	__u32 fingerprint[VIP_BUCKET_SLOTS];
	__u32 vip[VIP_BUCKET_SLOTS]; /* id; 0: free slot */
};

enum vip_key {
	VIP_KEY_ADDRESS = 0, /* in place of the protocol */
	VIP_KEY_LOWEST_PORT = 0x80, /* or'ed to the protocol */
};

/* Bits 0 to 9 are numbered as Katran numbers them. */
enum vip_flag {
	VIP_NO_SOURCE_PORT = 1 << 0,
	VIP_BYPASS_FLOW_TABLE = 1 << 1,
	VIP_QUIC = 1 << 2,
	VIP_HASH_DESTINATION_PORT = 1 << 3,
	VIP_SOURCE_ROUTING = 1 << 4,
	VIP_LOCAL = 1 << 5,
	VIP_GLOBAL_FLOW_TABLE = 1 << 6,
	VIP_HASH_BOTH_PORTS = 1 << 7,
	VIP_UDP_STABLE_ROUTING = 1 << 8,
	VIP_UDP_FLOW_MIGRATION = 1 << 9,
};

/* Written before a bucket names it and never changed while one does, but for `ring`, which is switched by one store. */
struct vip {
	__u8 address[16]; /* IPv4: the first four bytes, the rest zero */
	__be16 port; /* 0: every port */
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 family; /* enum family */
	__u32 flags; /* enum vip_flag */
	/* What of the packet's ports (source in the low half, as loaded from the wire) goes into the hash, the flow key
	 * and the outer source address: derived from port and flags by the control plane. */
	__u32 ports_mask;
	__u32 ring; /* id */
	/* What flow entries call this VIP: kept when the VIP changes and so takes a new id, and not used again while a
	 * flow entry may still hold it. Never 0. */
	__u16 flow_vip;
	__u8 reserved[30];
};

/* ------------------------------------------------------------------------------------------------ interfaces
 *
 * Where frames go out to, and how large, by the interface that they came in by and go out by again. `interfaces` holds two
 * copies of a table of INTERFACE_SLOTS entries; `settings.interface_table` names the live one and its multiplier:
 *
 *   index = first + (ifindex * multiplier mod 2^32) >> (32 - INTERFACE_SLOTS_LOG2)
 *
 * The control plane chooses a multiplier with which no two interfaces share a slot. An entry confirms its ifindex; where it is
 * another's or free, the settings' gateway_mac and mtu hold.
 *
 * A copy is filled while it is not live. In the live one each half of an entry changes by one 64-bit store: the MAC; and
 * ifindex with mtu, which are all zero in a free entry. The mtu is 0 while the MAC is all zero, so that only packets which
 * do not fit a plain comparison with the mtu need to be looked at for it.
 */
struct interface_entry {
	__u8 gateway_mac[6]; /* all zero: not known */
	__u8 reserved[2];
	__u32 ifindex; /* 0: free */
	__u32 mtu; /* largest outgoing IP packet; 0: no limit. 0 without a gateway_mac */
};

/* ------------------------------------------------------------------------------------------------ rings */

struct ring_slot {
	__u16 backend; /* id of the owner */
	__u16 previous; /* the owner before the last change; equal when there is nothing to remember */
};

struct ring {
	struct ring_slot slots[RING_BYTES / 4]; /* the first RING_SLOTS are used */
};

/* ------------------------------------------------------------------------------------------------ backends */

/* The outer header as a template: all that does not depend on the packet. The program fills in length, traffic
 * class, protocol (4 or 41), the source's last bits and, for IPv4, the checksum. */
struct backend {
	union {
		__u8 outer[40];
		struct {
			__u8 version_ihl; /* 0x45 */
			__u8 tos;
			__be16 total_length;
			__be16 id;
			__be16 fragment_offset;
			__u8 ttl; /* 64 */
			__u8 protocol;
			__be16 checksum;
			__u8 source[4]; /* 172.16.0.0 */
			__u8 destination[4];
		} ipv4;
		struct {
			__be32 version_class_label; /* 6 << 28 */
			__be16 payload_length;
			__u8 next_header;
			__u8 hop_limit; /* 64 */
			__u8 source[16]; /* 100:: */
			__u8 destination[16];
		} ipv6;
	};
	/* IPv4: ones' complement sum of the template's 16-bit words as loaded, not folded, checksum counted as 0. */
	__u32 template_sum;
	__u8 family; /* of the outer header; 0: free entry */
	__u8 flags; /* reserved: bit 0 as Katran's IPv6 mark is `family` here, bit 1 will be local */
	__u8 reserved[18];
};

/* ------------------------------------------------------------------------------------------------ flows
 *
 * flows_ipv4 and flows_ipv6 hold one array per CPU. A flow lives in the one line its key hashes to; a line is
 * searched whole. What entry a new flow may take is decided by flow_state: see flow_table.h.
 */
enum flow_state {
	FLOW_NEW = 0, /* one packet seen */
	FLOW_ESTABLISHED = 1, /* TCP, more than the SYN seen */
	FLOW_CLOSING = 2, /* TCP, FIN or RST seen */
	FLOW_DATAGRAMS = 3, /* UDP, more than one packet seen */
};

struct flow_ipv4 {
	__be32 source;
	__u32 ports; /* as loaded from the wire, masked by vip.ports_mask */
	__u16 flow_vip; /* 0: free */
	__u16 backend; /* id; 0: free. Shares a 32-bit word with flow_vip, so that both are cleared by one store. */
	__u32 seen;
};

struct flow_ipv6 {
	__u8 source[16];
	__u32 ports;
	__u16 flow_vip;
	__u16 backend;
	__u32 seen;
	__u32 reserved;
};

struct flow_ipv4_line {
	struct flow_ipv4 entries[FLOWS_IPV4_PER_LINE];
};

struct flow_ipv6_line {
	struct flow_ipv6 entries[FLOWS_IPV6_PER_LINE];
};

/* The backend of a fragmented datagram; direct mapped, per CPU. */
struct fragment {
	__u8 source[16];
	__u8 destination[16];
	__u32 id; /* as loaded from the wire; IPv4: 16 bits */
	__u8 protocol;
	__u8 family;
	__u16 backend; /* 0: free */
	__u32 vip; /* id, for its counters */
	__u32 seen; /* tick of the first fragment, modulo 2^32 */
	__u32 ports; /* masked; of the outer source address. 0 when the first fragment seen carried none */
	__u8 reserved[12];
};

/* ------------------------------------------------------------------------------------------------ counters
 *
 * One block a CPU, each a whole number of lines; element index = cpu * stride + id.
 */
struct traffic {
	__u64 packets;
	__u64 bytes; /* of the frames as they came in */
};

struct reason_block {
	__u64 packets[REASON_BLOCK]; /* by enum reason */
};

struct cpu_state {
	__u64 window_start_ticks; /* of the second in which new flows are being counted */
	__u32 window_flows;
	__u8 reserved[52];
};

#define ASSERT_LINE(type) _Static_assert(sizeof(struct type) == LINE_BYTES, #type " is not one cache line")
ASSERT_LINE(settings);
ASSERT_LINE(vip);
ASSERT_LINE(backend);
ASSERT_LINE(flow_ipv4_line);
ASSERT_LINE(flow_ipv6_line);
ASSERT_LINE(fragment);
ASSERT_LINE(cpu_state);
_Static_assert(sizeof(struct vip_bucket) == LINE_BYTES / 2, "two buckets share a cache line");
_Static_assert(sizeof(struct interface_entry) == 16, "an interface is two 64-bit words");
_Static_assert(sizeof(struct ring) == RING_BYTES && RING_SLOTS * 4 <= RING_BYTES, "a ring fills whole pages");
_Static_assert(sizeof(struct flow_ipv4) == 16 && sizeof(struct flow_ipv6) == 32, "flow entries pack a line");

#endif
