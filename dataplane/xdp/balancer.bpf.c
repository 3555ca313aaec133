// SPDX-License-Identifier: MIT
/*
 * The load balancer: what becomes of a packet. balance_ip() tells it in order, and is compiled once for each family.
 *
 * Whatever happens, a packet ends with one reason, which conclude() counts, and which says its verdict. Every lookup is
 * in an array, which the kernel inlines, so the one helper called for a packet that is forwarded is bpf_xdp_adjust_head.
 */
#include "kernel.h"
#include "layout.h"
#include "options.h"
#include "reasons.h"
#include "maps.h"
#include "clock.h"
#include "packet.h"
#include "ethernet.h"
#include "ip.h"
#include "transport.h"
#include "icmp.h"
#include "vip.h"
#include "ring.h"
#include "flow_table.h"
#include "fragments.h"
#include "too_big.h"
#include "echo.h"
#include "interfaces.h"
#include "encapsulate.h"
#include "counters.h"

char _license[] SEC("license") = "Dual MIT/GPL";

/* UNDECIDED: packet->flow is the flow that the packet, an error, is about. */
static __always_inline enum reason read_icmp(const struct xdp_md *ctx, struct cursor *cursor, struct packet *packet,
					     const enum family family)
{
	if (packet->traits & IS_LATER_FRAGMENT)
		return REASON_NOT_VIP_FRAGMENT;
	/* Otherwise what is read from here on would tell how far the packet may be read from its IP header on. */
	cursor->at =
		forget_way(cursor->at, packet->network, family == FAMILY_IPV4 ? IPV4_HEADER_MASK : EXTENSIONS_MASK);
	packet->icmp = take(cursor, sizeof(*packet->icmp));
	if (!packet->icmp)
		return REASON_MALFORMED_ICMP;
	if (packet->traits & IS_FRAGMENT)
		return REASON_NOT_VIP_FRAGMENT;
	if (is_echo_request(packet->icmp, family))
		return can_answer_echo(ctx, packet, family) ? REASON_ECHO_REPLY : REASON_OTHER_ICMP;
	if (is_icmp_error(packet->icmp, family))
		return parse_quote(cursor, packet, family);
	return REASON_OTHER_ICMP;
}

/* Reads all headers up to the transport's, and the quote of an ICMP error. UNDECIDED: packet->flow is a TCP or UDP flow. */
static __always_inline enum reason read_headers(const struct xdp_md *ctx, struct cursor *cursor, struct packet *packet,
						const enum family family)
{
	if (family == FAMILY_IPV4) {
		if (!parse_ipv4(cursor, packet))
			return REASON_MALFORMED_IPV4;
	} else {
		if (!parse_ipv6(cursor, packet))
			return REASON_MALFORMED_IPV6;
	}
	if (unlikely(packet->traits & (HAS_IP_OPTIONS | IS_FRAGMENT))) {
		/* Otherwise each of these few kinds of packet is followed to the end for itself. */
		packet->traits = forget_value(packet->traits, packet->frame_bytes);
		if (option_scope_all) {
			if ((packet->traits & HAS_IP_OPTIONS) && !option_ip_options_balance)
				return REASON_IP_OPTIONS;
			if ((packet->traits & IS_FRAGMENT) && !option_fragments_balance)
				return REASON_FRAGMENT;
		}
	}

	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP && !is_icmp(packet->protocol, family))
		return REASON_OTHER_PROTOCOL;
	if (unlikely(is_icmp(packet->protocol, family)))
		return read_icmp(ctx, cursor, packet, family);
	copy_address(packet->flow.source, source_of(packet, family), family);
	packet->flow.protocol = packet->protocol;
	return packet->traits & IS_LATER_FRAGMENT ? UNDECIDED : parse_ports(cursor, packet);
}

/* Malformed packets and echo requests concern us when they are for a VIP's address. Under scope vip, what is not is not ours to
 * drop, however malformed. */
static __always_inline enum reason decide_by_address(const struct packet *packet, const struct settings *settings,
						     enum reason reason, const enum family family)
{
	bool is_ours = packet->network && is_vip_address(settings, destination_of(packet, family), family);

	if (reason == REASON_ECHO_REPLY)
		return decide_echo(packet, is_ours);
	return is_ours || option_scope_all ? reason : REASON_NOT_VIP_MALFORMED;
}

/* The VIP the packet is for: of its very port, else of every port; of a fragment without ports, the address's VIP with the lowest
 * port. NULL: none. */
static __always_inline struct vip *find_vip_of(struct packet *packet, const struct settings *settings,
					       const enum family family)
{
	struct vip_search search = start_vip_search(settings, destination_of(packet, family), family);
	__u8 protocol = packet->flow.protocol;
	__be16 port = packet->flow.ports >> 16;
	__u32 mask = VIP_EXACT, id = 0;
	struct vip *vip;

	if (unlikely(packet->traits & IS_LATER_FRAGMENT)) {
		port = 0;
		protocol |= VIP_KEY_LOWEST_PORT;
		mask = VIP_OF_LOWEST_PORT;
	}
#pragma clang loop unroll(disable)
	for (;;) {
		vip = find_vip(&search, port, protocol, mask, family, &id);
		if (vip || port == 0 || !option_any_port_vips)
			break;
		port = 0;
	}
	packet->vip_id = id;
	return vip;
}

/* A first fragment is treated as a whole packet where fragments are balanced. */
static __always_inline enum reason reason_without_vip(const struct packet *packet)
{
	if (packet->traits & IS_ICMP_ERROR)
		return REASON_OTHER_ICMP;
	if ((packet->traits & IS_LATER_FRAGMENT) || ((packet->traits & IS_FRAGMENT) && !option_fragments_balance))
		return REASON_NOT_VIP_FRAGMENT;
	return REASON_NOT_VIP;
}

/* UNDECIDED: the packet may go to its VIP's backends. */
static __always_inline enum reason check_policy(struct packet *packet, const struct settings *settings)
{
	if (unlikely(packet->traits & (HAS_IP_OPTIONS | IS_FRAGMENT))) {
		if ((packet->traits & HAS_IP_OPTIONS) && !option_ip_options_balance)
			return REASON_IP_OPTIONS;
		if ((packet->traits & IS_FRAGMENT) && !option_fragments_balance)
			return REASON_FRAGMENT;
	}
	if (unlikely(packet->frame_bytes - packet->tag_bytes > settings->max_frame_bytes)) {
		packet->mtu = settings->max_frame_bytes - ETH_HLEN;
		return REASON_TOO_BIG;
	}
	return UNDECIDED;
}

/* What was found in the flow table, and where. */
struct lookup {
	void *line; /* NULL: not looked for */
	struct flow_entry *entry; /* NULL: not there */
	struct flow_key key;
	__u64 now;
};

/* The VIP that another fragment of the same datagram went to, and its backend. NULL: none is known. */
static __always_inline struct vip *recall_fragment(struct packet *packet, __u32 now, __u32 cpu,
						   const enum family family)
{
	const struct fragment *fragment = fragment_place(packet, cpu, family);
	const struct backend *backend;
	__u32 backend_id, vip_id;
	struct vip *vip;

	if (!fragment || !is_fragment_known(fragment, packet, now, family))
		return NULL;
	backend_id = fragment->backend;
	backend = bpf_map_lookup_elem(&backends, &backend_id);
	if (!backend || backend->family == 0)
		return NULL;
	vip_id = fragment->vip;
	vip = bpf_map_lookup_elem(&vips, &vip_id);
	/* The first fragment of another flow's datagram, which has come to the same id: in IPv4 that is a matter of seconds. */
	if (vip && !(packet->traits & IS_LATER_FRAGMENT) && fragment->ports != 0 &&
	    fragment->ports != (packet->flow.ports & vip->ports_mask))
		return NULL;
	packet->backend_id = backend_id;
	packet->ports = fragment->ports;
	packet->vip_id = vip_id;
	return vip;
}

/* Finds the backend of the packet's flow, in the flow table or in the VIP's ring. The reason says where. */
static __always_inline enum reason choose_backend(struct packet *packet, const struct vip *vip, struct lookup *lookup,
						  const struct settings *settings, __u32 cpu, const enum family family)
{
	enum reason reason = packet->traits & IS_LATER_FRAGMENT ? REASON_FRAGMENT_GUESSED : REASON_FLOW_BYPASS;
	const struct flow_entry *entry;

	if (likely(!(packet->traits & IS_LATER_FRAGMENT) && !(vip->flags & VIP_BYPASS_FLOW_TABLE))) {
		lookup->key =
			(struct flow_key){.source = packet->flow.source, .ports = packet->ports, .vip = vip->flow_vip};
		lookup->line = flow_line(&lookup->key, cpu, family);
		if (!lookup->line)
			return REASON_INTERNAL_ERROR;
		entry = lookup->entry = find_flow(lookup->line, &lookup->key, family);
		if (entry && !(packet->traits & IS_TCP_SYN) &&
		    !(packet->flow.protocol == IPPROTO_UDP &&
		      idle_ticks(entry, lookup->now) > settings->udp_idle_ticks)) {
			packet->backend_id = backend_of(entry);
			return REASON_FLOW_HIT;
		}
		reason = REASON_FLOW_NEW;
	}
	packet->backend_id = ring_backend(vip, flow_hash(vip, packet->flow.source, packet->ports, family));
	return reason;
}

/* Settles what the outer header needs to know. UNDECIDED: the packet fits into it, and there is a gateway to send it to.
 * REASON_TOO_BIG with MTU_WITHOUT_GATEWAY: there is none. */
static __always_inline enum reason aim(const struct xdp_md *ctx, struct packet *packet, const struct settings *settings,
				       const struct vip *vip, const enum family family)
{
	__u32 bytes = ip_bytes(packet, family), mtu, backend_id = packet->backend_id;
	struct backend *backend = bpf_map_lookup_elem(&backends, &backend_id);

	if (!backend || backend->family == 0)
		return REASON_NO_BACKEND;
	mtu = find_next_hop(ctx->ingress_ifindex, packet, settings);
	/* Most packets leave room for the larger header. An mtu of 0 is looked into here too: no limit, or no gateway. */
	if (unlikely(bytes + sizeof(struct ipv6_header) > mtu || bytes + sizeof(struct ipv6_header) > MAX_IP_BYTES)) {
		/* 20 or 40, without a branch, as each doubles what the verifier has to follow. */
		__u32 outer_bytes = sizeof(struct ipv4_header) * (1 + (backend->family >> 1 & 1));
		__u32 limit = mtu - 1 < MAX_IP_BYTES ? mtu : MAX_IP_BYTES;

		if (!is_gateway_known(packet)) {
			packet->mtu = MTU_WITHOUT_GATEWAY;
			return REASON_TOO_BIG;
		}
		if (bytes + outer_bytes > limit) {
			packet->mtu = mtu > outer_bytes ? mtu - outer_bytes : 0;
			return REASON_TOO_BIG;
		}
	}
	packet->backend = backend;
	packet->ip_bytes = bytes;
	packet->traffic_class = traffic_class(packet, family);
	packet->outer_source = vip->flags & VIP_HASH_DESTINATION_PORT ? 0 : last_word(packet->flow.source, family);
	return UNDECIDED;
}

/* Whose the packet is, whether it may be forwarded, where to, whether it fits; only then is anything remembered. A reason of the
 * forwarding kind: the packet has all that its outer header needs. */
static __always_inline enum reason find_target(const struct xdp_md *ctx, struct packet *packet,
					       const struct settings *settings, __u32 cpu, const enum family family)
{
	enum reason reason = UNDECIDED, outcome;
	struct lookup lookup = {.now = now_ticks()};
	struct vip *vip = NULL;

	if (unlikely((packet->traits & IS_FRAGMENT) && option_fragments_balance)) {
		vip = recall_fragment(packet, lookup.now, cpu, family);
		if (vip)
			reason = REASON_FRAGMENT_HIT;
	}
	if (likely(!vip)) {
		vip = find_vip_of(packet, settings, family);
		if (!vip)
			return reason_without_vip(packet);
		packet->ports = packet->flow.ports & vip->ports_mask;
	}
	outcome = check_policy(packet, settings);
	if (outcome != UNDECIDED)
		return outcome;

	if (likely(reason == UNDECIDED)) {
		reason = choose_backend(packet, vip, &lookup, settings, cpu, family);
		if (reason == REASON_INTERNAL_ERROR)
			return reason;
	}
	outcome = aim(ctx, packet, settings, vip, family);
	if (outcome != UNDECIDED)
		return outcome;

	if (unlikely(packet->traits & IS_ICMP_ERROR))
		return REASON_ICMP_ERROR;
	if (likely(reason == REASON_FLOW_HIT))
		mark_seen(lookup.entry, next_state(lookup.entry, packet), lookup.now);
	else if (reason == REASON_FLOW_NEW)
		reason = remember_flow(settings, lookup.line, lookup.entry, &lookup.key, packet, cpu, lookup.now,
				       family);
	if (unlikely((packet->traits & IS_FRAGMENT) && reason != REASON_FRAGMENT_HIT))
		remember_fragment(packet, lookup.now, cpu, family);
	return reason;
}

/* Everything that is done to an IP packet. Gives the reason it ends with. */
static __always_inline enum reason balance_ip(struct xdp_md *ctx, struct cursor *cursor, struct packet *packet,
					      const struct settings *settings, __u32 cpu, const enum family family)
{
	enum reason reason = read_headers(ctx, cursor, packet, family);

	if (unlikely(is_malformed(reason) || reason == REASON_ECHO_REPLY)) {
		reason = decide_by_address(packet, settings, reason, family);
		if (reason == REASON_ECHO_REPLY)
			write_echo_reply(ctx, packet, family);
	}
	if (reason != UNDECIDED)
		return reason;

	/* Lest clang compile all that follows anew for each kind of packet. */
	barrier_var(packet->traits);
	reason = find_target(ctx, packet, settings, cpu, family);
	/* Both come as one reason: a second constant here made clang spill registers on everybody's way, 20 instructions a packet. */
	if (unlikely(reason == REASON_TOO_BIG))
		return packet->mtu == MTU_WITHOUT_GATEWAY ? REASON_NO_GATEWAY : answer_too_big(ctx, packet, family);
	if (unlikely(!is_forwarded(reason)))
		return reason;
	if (!encapsulate(ctx, packet, family))
		return REASON_NO_HEADROOM;
	count_forwarded(packet, cpu);
	return reason;
}

static __always_inline enum reason balance_frame(struct xdp_md *ctx, const struct settings *settings, __u32 cpu)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct cursor cursor = {.at = data, .end = data_end, .left = UNLIMITED};
	struct packet packet = {.frame_bytes = data_end - data};
	struct ethernet_header *ethernet;
	__be16 ethertype;

	ethernet = take_ethernet(&cursor, &ethertype, &packet.tag_bytes);
	if (!ethernet)
		return option_scope_all ? REASON_MALFORMED_ETHERNET : REASON_NOT_VIP_MALFORMED;
	/* No tag, one and two are one way. */
	cursor.at = forget_way(cursor.at, ethernet + 1, TAGS_MASK);
	packet.tag_bytes = cursor.at - (void *)(ethernet + 1);
	if (ethertype == bpf_htons(ETH_P_IP))
		return balance_ip(ctx, &cursor, &packet, settings, cpu, FAMILY_IPV4);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return balance_ip(ctx, &cursor, &packet, settings, cpu, FAMILY_IPV6);
	return REASON_NOT_IP;
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
	__u32 cpu = bpf_get_smp_processor_id(), first = 0;
	const struct settings *current = bpf_map_lookup_elem(&settings, &first);

	return conclude(current ? balance_frame(ctx, current, cpu) : REASON_INTERNAL_ERROR, cpu);
}
