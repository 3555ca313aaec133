/* SPDX-License-Identifier: MIT
 *
 * IP in IP (RFC 2003, 2473, 4213): the backend's outer header in front of the packet, which itself stays as it is.
 *
 * The outer source spreads flows over the fabric's paths and the backend's queues, and is Katran's:
 *   IPv4   172.16.(s2 ^ p1).(s3 ^ p0)   s0..s3: the last four bytes of the client's address, p0 p1: its port as on the wire
 *   IPv6   100::/64, then in the last four bytes (s0 ^ p0)(s1 ^ p1)(s2)(s3)
 */
#ifndef LAMNA_ENCAPSULATE_H
#define LAMNA_ENCAPSULATE_H

#include "checksum.h"
#include "ethernet.h"
#include "ip.h"
#include "maps.h"
#include "packet.h"

static __always_inline void write_outer_ipv4(void *to, const struct packet *packet, __u8 protocol)
{
	const struct backend *backend = packet->backend;
	__u16 source_low = (packet->outer_source >> 16) ^ __builtin_bswap16((__be16)packet->ports);
	__be16 total_length = bpf_htons(packet->ip_bytes + sizeof(struct ipv4_header));
	const __u32 *template = (const __u32 *)backend->outer;
	__u32 *words = to;
	__u32 sum;

	sum = backend->template_sum + ((__u32)packet->traffic_class << 8) + total_length + ((__u32)protocol << 8) +
	      source_low;
	words[0] = template[0] | (__u32)packet->traffic_class << 8 | (__u32)total_length << 16;
	words[1] = template[1];
	words[2] = template[2] | (__u32)protocol << 8 | (__u32)fold_checksum(sum) << 16;
	words[3] = template[3] | (__u32)source_low << 16;
	words[4] = template[4];
}

static __always_inline void write_outer_ipv6(void *to, const struct packet *packet, __u8 protocol)
{
	const __u32 *template = (const __u32 *)packet->backend->outer;
	__u32 *words = to;

	words[0] = template[0] | bpf_htonl((__u32)packet->traffic_class << 20);
	words[1] = template[1] | bpf_htons(packet->ip_bytes) | (__u32)protocol << 16;
	words[2] = template[2];
	words[3] = template[3];
	words[4] = template[4];
	words[5] = template[5] | (packet->outer_source ^ (packet->ports & 0xffff));
	words[6] = template[6];
	words[7] = template[7];
	words[8] = template[8];
	words[9] = template[9];
}

/* Makes room and fills it. False: there is no room. */
static __always_inline bool push_outer(struct xdp_md *ctx, const struct packet *packet, __u8 protocol,
				       const enum family outer_family)
{
	const __u32 outer_bytes = outer_family == FAMILY_IPV4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header);
	void *to, *from, *end;
	__u32 mac_start;
	__u16 mac_end;
	__u64 tags;

	if (bpf_xdp_adjust_head(ctx, -(int)outer_bytes))
		return false;
	to = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	from = to + outer_bytes;
	/* Never so: an IP header follows. */
	if (from + MAX_ETHERNET_BYTES > end)
		return false;

	/* Old and new Ethernet header overlap: read first. The old destination is this host, hence the new source. */
	mac_start = *(__u32 *)from;
	mac_end = *(__u16 *)(from + 4);
	tags = *(__u64 *)(from + 12);
	*(__u32 *)to = packet->gateway;
	*(__u16 *)(to + 4) = packet->gateway >> 32;
	*(__u32 *)(to + 6) = mac_start;
	*(__u16 *)(to + 10) = mac_end;
	/* As many as there are; what is written beyond them is written over. */
	*(__u64 *)(to + 12) = tags;
	to += 12 + packet->tag_bytes;
	/* Never so: the verifier does not know how many tags there are. */
	if (to + 2 + outer_bytes > end)
		return false;
	if (outer_family == FAMILY_IPV4) {
		*(__be16 *)to = bpf_htons(ETH_P_IP);
		write_outer_ipv4(to + 2, packet, protocol);
	} else {
		*(__be16 *)to = bpf_htons(ETH_P_IPV6);
		write_outer_ipv6(to + 2, packet, protocol);
	}
	return true;
}

/* Puts the outer header before the packet, of either family. False: there is no room. */
static __always_inline bool encapsulate(struct xdp_md *ctx, const struct packet *packet, const enum family family)
{
	const __u8 protocol = family == FAMILY_IPV4 ? IPPROTO_IPIP : IPPROTO_IPV6;

	if (packet->backend->family == FAMILY_IPV4)
		return push_outer(ctx, packet, protocol, FAMILY_IPV4);
	return push_outer(ctx, packet, protocol, FAMILY_IPV6);
}

#endif
