/* SPDX-License-Identifier: MIT
 *
 * Packets that are too big, and telling their senders (RFC 1191, RFC 8201): the packet becomes the answer, cut to what an
 * answer quotes, with new IP and ICMP headers before it.
 */
#ifndef LAMNA_TOO_BIG_H
#define LAMNA_TOO_BIG_H

#include "checksum.h"
#include "echo.h"
#include "ethernet.h"
#include "icmp.h"
#include "maps.h"

/* As Katran. IPv4: a header with most options and 64 bytes. */
#define QUOTE_BYTES(family) (family == FAMILY_IPV4 ? 84 : 248)
#define MAX_IP_BYTES 65535

struct too_big_ipv4 {
	struct ipv4_header ip;
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be16 unused;
	__be16 mtu;
};

struct too_big_ipv6 {
	struct ipv6_header ip;
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 mtu;
};

/* Whether the sender is to be told. Nobody is told that an ICMP error or a later fragment was too big (RFC 1122 section 3.2.2),
 * nor when there is no size that would do. */
static __always_inline bool can_answer_too_big(const struct xdp_md *ctx, const struct packet *packet,
					       const enum family family)
{
	return option_too_big_icmp && packet->mtu != 0 && !(packet->traits & (IS_ICMP_ERROR | IS_LATER_FRAGMENT)) &&
	       is_unicast(source_of(packet, family), family) && !is_to_group(ctx);
}

/* Sums the words from `from` to the end of the frame, which is cut to an even length. */
static __always_inline __u32 add_rest(__u32 sum, const void *from, const void *end, int count_max)
{
#pragma clang loop unroll(disable)
	for (int i = 0; i < count_max; i++) {
		const __u16 *word = from + i * 2;

		if ((const void *)(word + 1) > end)
			break;
		sum += *word;
	}
	return sum;
}

/* Answers, where the sender is to be told. Gives the reason the packet ends with. */
static __always_inline enum reason answer_too_big(struct xdp_md *ctx, const struct packet *packet,
						  const enum family family)
{
	const __u32 header_bytes = family == FAMILY_IPV4 ? sizeof(struct too_big_ipv4) : sizeof(struct too_big_ipv6);
	const __u32 quote_bytes_max = QUOTE_BYTES(family);
	__u32 ethernet_bytes = ETH_HLEN + packet->tag_bytes;
	__u32 quote_bytes = packet->frame_bytes - ethernet_bytes;
	void *to, *from, *end;

	if (!can_answer_too_big(ctx, packet, family))
		return REASON_TOO_BIG;
	quote_bytes = quote_bytes < quote_bytes_max ? quote_bytes & ~1U : quote_bytes_max;
	if (bpf_xdp_adjust_head(ctx, -(int)header_bytes) ||
	    bpf_xdp_adjust_tail(ctx, (int)(ethernet_bytes + quote_bytes) - (int)packet->frame_bytes))
		return REASON_NO_HEADROOM;
	to = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	from = to + header_bytes;
	/* Never so: the quote has an IP header at least. */
	if (from + MAX_ETHERNET_BYTES + sizeof(struct ipv4_header) > end)
		return REASON_NO_HEADROOM;

	for (int i = 0; i < 6; i += 2) {
		*(__u16 *)(to + i) = *(__u16 *)(from + 6 + i);
		*(__u16 *)(to + 6 + i) = *(__u16 *)(from + i);
	}
	*(__u64 *)(to + 12) = *(__u64 *)(from + 12);
	to += 12 + packet->tag_bytes;
	from = to + 2 + header_bytes;
	/* Never so: as above, for the verifier, which does not know how many tags there are. */
	if (from + sizeof(struct ipv4_header) > end)
		return REASON_NO_HEADROOM;
	*(__be16 *)to = family == FAMILY_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	to += 2;

	if (family == FAMILY_IPV4) {
		const struct ipv4_header *old = from;
		struct too_big_ipv4 *reply = to;

		*reply = (struct too_big_ipv4){
			.ip.version_ihl = 0x45,
			.ip.total_length = bpf_htons(header_bytes + quote_bytes),
			.ip.ttl = REPLY_TTL,
			.ip.protocol = IPPROTO_ICMP,
			.ip.source = old->destination,
			.ip.destination = old->source,
			.type = ICMP_DESTINATION_UNREACHABLE,
			.code = ICMP_FRAGMENTATION_NEEDED,
			.mtu = bpf_htons(packet->mtu),
		};
		reply->ip.checksum = fold_checksum(add_words(0, &reply->ip, sizeof(reply->ip) / 2));
		reply->checksum = fold_checksum(add_rest(0, &reply->type, end, (8 + quote_bytes_max) / 2));
	} else {
		const struct ipv6_header *old = from;
		struct too_big_ipv6 *reply = to;
		__u32 sum;

		if ((void *)(old + 1) > end)
			return REASON_NO_HEADROOM;
		*reply = (struct too_big_ipv6){
			.ip.version_class_label = bpf_htonl(6U << 28),
			.ip.payload_length = bpf_htons(8 + quote_bytes),
			.ip.next_header = IPPROTO_ICMPV6,
			.ip.hop_limit = REPLY_TTL,
			.type = ICMPV6_PACKET_TOO_BIG,
			.mtu = bpf_htonl(packet->mtu),
		};
		for (int i = 0; i < 4; i++) {
			reply->ip.source[i] = old->destination[i];
			reply->ip.destination[i] = old->source[i];
		}
		/* The pseudo-header: addresses, length, next header. */
		sum = add_words(bpf_htons(8 + quote_bytes) + bpf_htons(IPPROTO_ICMPV6), reply->ip.source, 16);
		reply->checksum = fold_checksum(add_rest(sum, &reply->type, end, (8 + quote_bytes_max) / 2));
	}
	return REASON_TOO_BIG_REPLY;
}

#endif
