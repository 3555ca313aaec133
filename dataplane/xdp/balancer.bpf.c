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
#include "encapsulate.h"
#include "counters.h"

char _license[] SEC("license") = "Dual MIT/GPL";

/* UNDECIDED: packet->flow is the flow that the packet, an error, is about. */
static __always_inline enum reason read_icmp(struct cursor *cursor, struct packet *packet, __be32 *client,
					     const enum family family)
{
	if (packet->traits & IS_LATER_FRAGMENT)
		return REASON_NOT_VIP_FRAGMENT;
	packet->icmp = take(cursor, sizeof(*packet->icmp));
	if (!packet->icmp)
		return REASON_MALFORMED_ICMP;
	if (packet->traits & IS_FRAGMENT)
		return REASON_NOT_VIP_FRAGMENT;
	if (is_echo_request(packet->icmp, family))
		return can_answer_echo(packet, family) ? REASON_ECHO_REPLY : REASON_OTHER_ICMP;
	if (is_icmp_error(packet->icmp, family))
		return parse_quote(cursor, packet, client, family);
	return REASON_OTHER_ICMP;
}

/* Reads all headers up to the transport's, and the quote of an ICMP error. UNDECIDED: packet->flow is about a TCP or UDP flow. */
static __always_inline enum reason read_headers(struct cursor *cursor, struct packet *packet, __be32 *client,
						const enum family family)
{
	if (family == FAMILY_IPV4) {
		if (!parse_ipv4(cursor, packet))
			return REASON_MALFORMED_IPV4;
	} else {
		if (!parse_ipv6(cursor, packet))
			return REASON_MALFORMED_IPV6;
	}
	if (option_scope_all) {
		if (has_ip_options(packet, family) && !option_ip_options_balance)
			return REASON_IP_OPTIONS;
		if ((packet->traits & IS_FRAGMENT) && !option_fragments_balance)
			return REASON_FRAGMENT;
	}

	if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP && !is_icmp(packet->protocol, family))
		return REASON_OTHER_PROTOCOL;
	if (unlikely(is_icmp(packet->protocol, family)))
		return read_icmp(cursor, packet, client, family);
	packet->flow.source = packet->source;
	packet->flow.protocol = packet->protocol;
	return packet->traits & IS_LATER_FRAGMENT ? UNDECIDED : parse_ports(cursor, packet);
}

/* Malformed packets and echo requests concern us when they are for a VIP's address. Under scope vip, what is not is not ours to
 * drop, however malformed. */
static __always_inline enum reason decide_by_address(const struct packet *packet, const struct settings *settings,
						     enum reason reason, const enum family family)
{
	bool is_ours = packet->network && is_vip_address(settings, packet->destination, family);

	if (reason == REASON_ECHO_REPLY)
		return decide_echo(packet, is_ours, family);
	return is_ours || option_scope_all ? reason : REASON_NOT_VIP_MALFORMED;
}

/* The VIP of the packet's flow: of the very port, else of every port. NULL: none. */
static __always_inline struct vip *find_vip_of(struct packet *packet, const struct settings *settings,
					       const enum family family)
{
	struct vip_search search = start_vip_search(settings, packet->destination, family);
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

/* Where the packet's backend may be remembered. */
struct memory {
	struct fragment *fragment; /* NULL: the packet is whole */
	void *line; /* NULL: not in the flow table */
	struct flow_entry *entry; /* NULL: not yet */
	struct flow_key key;
	__u64 now;
};

/* False: it is no backend, or no longer one. */
static __always_inline bool set_backend(struct packet *packet, __u32 id)
{
	packet->backend_id = id;
	packet->backend = bpf_map_lookup_elem(&backends, &id);
	return packet->backend && packet->backend->family != 0;
}

/* The VIP and the backend that another fragment of the same datagram went to. NULL: none is known. */
static __always_inline struct vip *recall_fragment(struct packet *packet, const struct memory *memory, __u32 *ports,
						   const enum family family)
{
	const struct fragment *fragment = memory->fragment;
	__u32 vip_id = fragment->vip;

	if (!is_fragment_known(fragment, packet, memory->now, family))
		return NULL;
	if (!set_backend(packet, fragment->backend))
		return NULL;
	*ports = fragment->ports;
	packet->vip_id = vip_id;
	return bpf_map_lookup_elem(&vips, &vip_id);
}

/* Finds the backend of the packet's flow, in the flow table or in the VIP's ring. */
static __always_inline enum reason choose_backend(struct packet *packet, const struct vip *vip, struct memory *memory,
						  const struct settings *settings, __u32 ports, __u32 cpu,
						  const enum family family)
{
	enum reason reason = packet->traits & IS_LATER_FRAGMENT ? REASON_FRAGMENT_GUESSED : REASON_FLOW_BYPASS;
	__u32 backend_id;

	if (!(packet->traits & IS_LATER_FRAGMENT) && !(vip->flags & VIP_BYPASS_FLOW_TABLE)) {
		memory->key = (struct flow_key){.source = packet->flow.source, .ports = ports, .vip = vip->flow_vip};
		memory->line = flow_line(&memory->key, cpu, family);
		if (!memory->line)
			return REASON_INTERNAL_ERROR;
		memory->entry = find_flow(memory->line, &memory->key, family);
		reason = REASON_FLOW_NEW;
	}
	if (memory->entry && !(packet->traits & IS_TCP_SYN) &&
	    !(packet->flow.protocol == IPPROTO_UDP &&
	      idle_ticks(memory->entry, memory->now) > settings->udp_idle_ticks)) {
		backend_id = backend_of(memory->entry);
		reason = REASON_FLOW_HIT;
	} else {
		backend_id = ring_backend(vip, flow_hash(vip, packet->flow.source, ports, family));
	}
	if (!set_backend(packet, backend_id))
		return REASON_NO_BACKEND;
	return packet->traits & IS_ICMP_ERROR ? REASON_ICMP_ERROR : reason;
}

/* Whether the packet may leave with its outer header. */
static __always_inline bool fits_outer(struct packet *packet, const struct settings *settings, const enum family family)
{
	__u32 outer_bytes =
		packet->backend->family == FAMILY_IPV4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header);
	__u32 mtu = settings->mtu;

	packet->ip_bytes = ip_bytes(packet, family);
	if (likely(mtu != 0 ? packet->ip_bytes + outer_bytes <= mtu : packet->ip_bytes + outer_bytes <= MAX_IP_BYTES))
		return true;
	packet->mtu = mtu > outer_bytes ? mtu - outer_bytes : 0;
	return false;
}

/* Whose the packet is, whether it may be forwarded, where to, whether it fits; only then is anything remembered. A reason of the
 * forwarding kind: the packet has all that its outer header needs. */
static __always_inline enum reason find_target(struct packet *packet, const struct settings *settings, __u32 cpu,
					       const enum family family)
{
	enum reason reason = UNDECIDED;
	struct memory memory = {};
	struct vip *vip = NULL;
	__u32 ports = 0;

	memory.now = now_ticks();
	if (unlikely((packet->traits & IS_FRAGMENT) && option_fragments_balance)) {
		memory.fragment = fragment_place(packet, cpu, family);
		if (!memory.fragment)
			return REASON_INTERNAL_ERROR;
		vip = recall_fragment(packet, &memory, &ports, family);
		if (vip)
			reason = REASON_FRAGMENT_HIT;
	}
	if (reason == UNDECIDED) {
		vip = find_vip_of(packet, settings, family);
		if (!vip)
			return reason_without_vip(packet);
		ports = packet->flow.ports & vip->ports_mask;
	}

	if (unlikely(has_ip_options(packet, family) && !option_ip_options_balance))
		return REASON_IP_OPTIONS;
	if (unlikely((packet->traits & IS_FRAGMENT) && !option_fragments_balance))
		return REASON_FRAGMENT;
	if (unlikely(packet->frame_bytes - packet->tag_bytes > settings->max_frame_bytes)) {
		packet->mtu = settings->max_frame_bytes - ETH_HLEN;
		return REASON_TOO_BIG;
	}

	if (reason == UNDECIDED)
		reason = choose_backend(packet, vip, &memory, settings, ports, cpu, family);
	if (!is_forwarded(reason))
		return reason;
	if (!fits_outer(packet, settings, family))
		return REASON_TOO_BIG;

	packet->traffic_class = traffic_class(packet, family);
	packet->outer_source = vip->flags & VIP_HASH_DESTINATION_PORT ? 0 : last_word(packet->flow.source, family);
	packet->outer_port = ports;
	if (reason == REASON_FLOW_HIT)
		mark_seen(memory.entry, next_state(memory.entry, packet), memory.now);
	else if (reason == REASON_FLOW_NEW)
		reason = remember_flow(settings, memory.line, memory.entry, &memory.key, packet, cpu, memory.now,
				       family);
	if (unlikely(memory.fragment && reason != REASON_FRAGMENT_HIT))
		remember_fragment(memory.fragment, packet, ports, memory.now, family);
	return reason;
}

/* Everything that is done to an IP packet. Gives the reason it ends with. */
static __always_inline enum reason balance_ip(struct xdp_md *ctx, struct cursor *cursor, struct packet *packet,
					      const struct settings *settings, __u32 cpu, const enum family family)
{
	__be32 client[4]; /* of the flow that an ICMP error is about */
	enum reason reason = read_headers(cursor, packet, client, family);

	if (unlikely(is_malformed(reason) || reason == REASON_ECHO_REPLY)) {
		reason = decide_by_address(packet, settings, reason, family);
		if (reason == REASON_ECHO_REPLY)
			write_echo_reply(packet, family);
	}
	if (reason != UNDECIDED)
		return reason;

	/* Lest clang compile all that follows anew for each kind of packet. */
	barrier_var(packet->traits);
	reason = find_target(packet, settings, cpu, family);
	if (unlikely(reason == REASON_TOO_BIG))
		return answer_too_big(ctx, packet, family);
	if (unlikely(!is_forwarded(reason)))
		return reason;
	if (!encapsulate(ctx, packet, settings, family))
		return REASON_NO_HEADROOM;
	count_forwarded(packet, cpu);
	return reason;
}

static __always_inline enum reason balance_frame(struct xdp_md *ctx, const struct settings *settings, __u32 cpu)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct cursor cursor = {.at = data, .end = data_end, .left = UNLIMITED};
	struct packet packet = {.frame_bytes = data_end - data};
	__be16 ethertype;

	if (!parse_ethernet(&cursor, &packet, &ethertype))
		return option_scope_all ? REASON_MALFORMED_ETHERNET : REASON_NOT_VIP_MALFORMED;
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
