// SPDX-License-Identifier: MIT
/*
 * The backend's side: takes the outer headers off packets that balancers sent, so that the host's stack gets them as the client
 * sent them and needs no tunnel device. Two programs for two hooks, of which one is attached:
 *
 *   decap_xdp   before the stack has allocated anything, and before GRO, which then merges what was inside
 *   decap_tc    clsact ingress, where XDP cannot be native
 *
 * The TTL inside is left as it is: no router forwarded the packet here (RFC 2003 section 3.1). What is not encapsulated, or not
 * accepted, goes on to the stack untouched, where a tunnel device or a socket may want it.
 */
#include "../xdp/kernel.h"
#include "skb.h"
#include "layout.h"
#include "reasons.h"
#include "maps.h"
#include "capsule.h"
#include "accept.h"
#include "ecn.h"
#include "counters.h"

char _license[] SEC("license") = "Dual MIT/GPL";

/* UNDECIDED: the packet is to come out of its capsule. */
static __always_inline enum reason inspect(void *data, void *data_end, struct capsule *capsule)
{
	struct cursor cursor = {.at = data, .end = data_end, .left = UNLIMITED};
	const struct settings *current;
	__u32 first = 0;
	enum reason reason;

	current = bpf_map_lookup_elem(&settings, &first);
	if (!current)
		return REASON_INTERNAL_ERROR;
	reason = parse_outer(&cursor, capsule, current);
	if (reason != UNDECIDED)
		return reason;
	if (!parse_inner(&cursor, capsule))
		return refused(REASON_MALFORMED_INNER, current);
	reason = accept(capsule, current);
	if (reason != UNDECIDED)
		return refused(reason, current);
	return carry_ecn(capsule);
}

static __always_inline __be16 inner_ethertype(const struct capsule *capsule)
{
	return capsule->traits & IS_INNER_IPV6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
}

/* ------------------------------------------------------------------------------------------------ XDP */

static __always_inline void write_remark(const struct capsule *capsule)
{
	struct ipv4_header *ip = capsule->inner;

	*(__u16 *)capsule->inner = capsule->first_word;
	if (!(capsule->traits & IS_INNER_IPV6))
		ip->checksum = capsule->checksum;
}

/* Moves the Ethernet header and its tags up to the inner packet. False: the kernel refused. */
static __always_inline bool strip_frame(struct xdp_md *ctx, const struct capsule *capsule)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__be16 ethertype = inner_ethertype(capsule);
	__u64 macs;
	__u32 macs_end;
	__u64 tags;

	/* Never so, here and below: an IP header follows. */
	if (data + MAX_ETHERNET_BYTES > data_end)
		return false;
	macs = *(__u64 *)data;
	macs_end = *(__u32 *)(data + 8);
	tags = *(__u64 *)(data + 12);
	if (bpf_xdp_adjust_head(ctx, capsule->outer_bytes))
		return false;
	data = (void *)(long)ctx->data;
	data_end = (void *)(long)ctx->data_end;
	if (data + MAX_ETHERNET_BYTES > data_end)
		return false;
	*(__u64 *)data = macs;
	*(__u32 *)(data + 8) = macs_end;
	if (likely(capsule->tag_bytes == 0)) {
		*(__be16 *)(data + 12) = ethertype;
	} else if (capsule->tag_bytes == 4) {
		*(__u32 *)(data + 12) = tags;
		*(__be16 *)(data + 16) = ethertype;
	} else {
		*(__u64 *)(data + 12) = tags;
		*(__be16 *)(data + 20) = ethertype;
	}
	return true;
}

static __always_inline enum reason decap_frame(struct xdp_md *ctx)
{
	struct capsule capsule = {};
	enum reason reason = inspect((void *)(long)ctx->data, (void *)(long)ctx->data_end, &capsule);

	if (reason != UNDECIDED)
		return reason;
	if (unlikely(capsule.is_remarked))
		write_remark(&capsule);
	if (!strip_frame(ctx, &capsule))
		return REASON_NOT_STRIPPED;
	count_traffic(&capsule);
	return decapsulated(&capsule);
}

SEC("xdp")
int decap_xdp(struct xdp_md *ctx)
{
	enum reason reason = decap_frame(ctx);

	count_reason(reason);
	return is_dropped(reason) ? XDP_DROP : XDP_PASS;
}

/* ------------------------------------------------------------------------------------------------ tc
 *
 * The kernel has taken the first VLAN tag out of the frame and keeps it beside; only a second one is still in it. Bytes are stored by
 * helpers and not written directly, since skb->csum, where the NIC has summed the packet up, has to follow.
 */

/* Room for every header that is looked at, but for the longest of destination options. */
#define HEADER_BYTES 192

/* Has the headers in one piece. Where that fails they look cut, and the packet is left alone. */
static __always_inline void pull_headers(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	__u32 wanted = skb->len < HEADER_BYTES ? skb->len : HEADER_BYTES;

	if (data + wanted > data_end)
		bpf_skb_pull_data(skb, wanted);
}

static __always_inline bool store_remark(struct __sk_buff *skb, const struct capsule *capsule)
{
	__u32 inner = ETH_HLEN + capsule->tag_bytes + capsule->outer_bytes;
	__u16 first_word = capsule->first_word, checksum = capsule->checksum;

	if (bpf_skb_store_bytes(skb, inner, &first_word, sizeof(first_word), BPF_F_RECOMPUTE_CSUM))
		return false;
	return (capsule->traits & IS_INNER_IPV6) ||
	       !bpf_skb_store_bytes(skb, inner + __builtin_offsetof(struct ipv4_header, checksum), &checksum,
				    sizeof(checksum), BPF_F_RECOMPUTE_CSUM);
}

/* Takes `bytes` out of the packet from right behind the MAC header, and has the kernel know the family of what follows. Flags for that
 * came with 6.3 (BPF_F_ADJ_ROOM_DECAP_L3_*). The way before it works on all kernels: bpf_skb_change_proto puts 20 bytes in front
 * for IPv6, or takes 20 away for IPv4, and knows the family from then on. */
static __always_inline bool take_out(struct __sk_buff *skb, __u32 bytes, __be16 ethertype)
{
	const __u32 difference = sizeof(struct ipv6_header) - sizeof(struct ipv4_header);

	if (skb->protocol != ethertype) {
		if (bpf_skb_change_proto(skb, ethertype, 0))
			return false;
		bytes = ethertype == bpf_htons(ETH_P_IPV6) ? bytes + difference : bytes - difference;
	}
	/* A packet that GRO merged is one of segments as they were inside. */
	if (bpf_skb_adjust_room(skb, -(__s32)bytes, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return false;
	/* Of no consequence to the stack, which goes by skb->protocol; but taps show it. */
	return !bpf_skb_store_bytes(skb, ETH_HLEN - sizeof(ethertype), &ethertype, sizeof(ethertype), 0);
}

/* False: the kernel refused. */
static __always_inline bool strip_skb(struct __sk_buff *skb, const struct capsule *capsule)
{
	void *data = (void *)(long)skb->data, *data_end = (void *)(long)skb->data_end;
	__be16 ethertype = inner_ethertype(capsule), tag_type;
	__u16 tag_control;

	if (likely(capsule->tag_bytes == 0))
		return take_out(skb, capsule->outer_bytes, ethertype);

	/* Bytes can be taken out only right behind the MAC header. When the first tag is popped, the kernel takes the second one beside
	 * in its place; pushed again, the first puts the second back into the frame. */
	if (skb->vlan_present) {
		tag_type = skb->vlan_proto;
		tag_control = skb->vlan_tci;
	} else {
		/* At this hook only in tests. The check never fails, as an IP header follows. */
		if (data + ETH_HLEN + sizeof(struct vlan_tag) > data_end)
			return false;
		tag_type = ((struct ethernet_header *)data)->ethertype;
		tag_control = bpf_ntohs(((struct vlan_tag *)(data + ETH_HLEN))->control);
	}
	return !bpf_skb_vlan_pop(skb) && take_out(skb, capsule->outer_bytes, ethertype) &&
	       !bpf_skb_vlan_push(skb, tag_type, tag_control);
}

static __always_inline enum reason decap_skb(struct __sk_buff *skb)
{
	struct capsule capsule = {};
	enum reason reason;

	pull_headers(skb);
	reason = inspect((void *)(long)skb->data, (void *)(long)skb->data_end, &capsule);
	if (reason != UNDECIDED)
		return reason;
	/* Three are more than XDP takes. */
	if (unlikely(skb->vlan_present && capsule.tag_bytes > sizeof(struct vlan_tag)))
		return REASON_NOT_ENCAPSULATED;
	if (unlikely(capsule.is_remarked) && !store_remark(skb, &capsule))
		return REASON_NOT_STRIPPED;
	if (!strip_skb(skb, &capsule))
		return REASON_NOT_STRIPPED;
	count_traffic(&capsule);
	return decapsulated(&capsule);
}

SEC("tc")
int decap_tc(struct __sk_buff *skb)
{
	enum reason reason = decap_skb(skb);

	count_reason(reason);
	return is_dropped(reason) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}
