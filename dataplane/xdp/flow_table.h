/* SPDX-License-Identifier: MIT
 *
 * The flow table: which backend a flow already has. Per CPU and set-associative: a flow lives in the one cache line its key
 * hashes to, so finding it touches one line and calls nothing. What a new flow does to a full line is the point
 * of it: it takes the place of a flow that was idle too long, or of one that never got beyond its first packet, and otherwise
 * goes without. So a SYN flood cannot empty the table of established flows, whatever its rate.
 *
 * The two families differ in the size of the key only; what follows the key is alike, and most functions work on that.
 */
#ifndef LAMNA_FLOW_TABLE_H
#define LAMNA_FLOW_TABLE_H

#include "address.h"
#include "maps.h"
#include "packet.h"
#include "transport.h"

struct flow_key {
	const __be32 *source;
	__u32 ports; /* masked by the VIP's ports_mask */
	__u16 vip; /* flow_vip */
};

/* The end of a flow_ipv4 and of a flow_ipv6. */
struct flow_entry {
	__u32 owner; /* flow_vip in the low half, backend in the high half; 0: free */
	__u32 seen;
};

#define FLOW_BYTES(family) (family == FAMILY_IPV4 ? sizeof(struct flow_ipv4) : sizeof(struct flow_ipv6))
#define FLOWS_PER_LINE(family) (family == FAMILY_IPV4 ? FLOWS_IPV4_PER_LINE : FLOWS_IPV6_PER_LINE)
#define FLOW_ENTRY_OFFSET(family)                                               \
	(family == FAMILY_IPV4 ? __builtin_offsetof(struct flow_ipv4, flow_vip) \
			       : __builtin_offsetof(struct flow_ipv6, flow_vip))

static __always_inline struct flow_entry *entry_of(void *line, int position, const enum family family)
{
	return line + position * FLOW_BYTES(family) + FLOW_ENTRY_OFFSET(family);
}

/* Any hash does that is cheap, and with which nobody who does not know the seed can aim at one line. It is not the ring's: a
 * flow that is found needs no jhash. */
static __always_inline __u32 flow_line_hash(const struct flow_key *key, const enum family family)
{
	__u64 hash = option_flow_seed;

	if (family == FAMILY_IPV4) {
		hash ^= key->source[0] | (__u64)key->ports << 32;
	} else {
		hash ^= *(const __u64 *)&key->source[0];
		hash *= 0x9E3779B97F4A7C15;
		hash ^= hash >> 32;
		hash ^= *(const __u64 *)&key->source[2];
		hash *= 0xC2B2AE3D27D4EB4F;
		hash ^= hash >> 32;
		hash ^= key->ports;
	}
	hash *= 0x9E3779B97F4A7C15;
	hash ^= hash >> 32;
	hash ^= key->vip;
	hash *= 0xC2B2AE3D27D4EB4F;
	return hash >> 32;
}

/* The line the key belongs in, of this CPU's table. NULL: the table is missing. */
static __always_inline void *flow_line(const struct flow_key *key, __u32 cpu, const enum family family)
{
	__u32 index = flow_line_hash(key, family);
	void *table;

	if (family == FAMILY_IPV4) {
		table = bpf_map_lookup_elem(&flows_ipv4, &cpu);
		index &= option_flow_ipv4_line_mask;
	} else {
		table = bpf_map_lookup_elem(&flows_ipv6, &cpu);
		index &= option_flow_ipv6_line_mask;
	}
	return table ? bpf_map_lookup_elem(table, &index) : NULL;
}

static __always_inline bool has_key(const void *flow, const struct flow_key *key, const enum family family)
{
	const struct flow_ipv6 *ipv6 = flow;

	if (family == FAMILY_IPV4) /* source and ports in one load */
		return *(const __u64 *)flow == (key->source[0] | (__u64)key->ports << 32);
	return same_address(ipv6->source, key->source, FAMILY_IPV6) && ipv6->ports == key->ports;
}

/* The key's entry in its line, or NULL. */
static __always_inline struct flow_entry *find_flow(void *line, const struct flow_key *key, const enum family family)
{
#pragma unroll
	for (int i = 0; i < FLOWS_PER_LINE(family); i++) {
		void *flow = line + i * FLOW_BYTES(family);
		struct flow_entry *entry = entry_of(line, i, family);

		/* A free entry's flow_vip is 0, which no key has. */
		if (has_key(flow, key, family) && (__u16)entry->owner == key->vip)
			/* Whichever it is, one way. */
			return forget_way(flow, line, LINE_BYTES - FLOW_BYTES(family)) + FLOW_ENTRY_OFFSET(family);
	}
	return NULL;
}

static __always_inline __u32 backend_of(const struct flow_entry *entry)
{
	return entry->owner >> 16;
}

/* Since the flow's last packet. The clock wraps, and in a capture it may step back: an age beyond half its range is none. */
static __always_inline __u32 idle_ticks(const struct flow_entry *entry, __u32 now)
{
	__s32 age = (now << FLOW_STATE_BITS) - (entry->seen & ~((1U << FLOW_STATE_BITS) - 1));

	return age < 0 ? 0 : (__u32)age >> FLOW_STATE_BITS;
}

static __always_inline enum flow_state state_of(const struct flow_entry *entry)
{
	return entry->seen & ((1U << FLOW_STATE_BITS) - 1);
}

/* Writes only what changes: a line that stays clean costs no write-back. */
static __always_inline void mark_seen(struct flow_entry *entry, enum flow_state state, __u32 now)
{
	__u32 seen = now << FLOW_STATE_BITS | state;

	if (entry->seen != seen)
		entry->seen = seen;
}

/* The state after one more packet of a flow that was found. */
static __always_inline enum flow_state next_state(const struct flow_entry *entry, const struct packet *packet)
{
	if (packet->flow.protocol == IPPROTO_UDP)
		return FLOW_DATAGRAMS;
	if ((packet->traits & (IS_TCP_FIN | IS_TCP_RST)) || state_of(entry) == FLOW_CLOSING)
		return FLOW_CLOSING;
	return FLOW_ESTABLISHED;
}

/* How ready an entry in use is to be given away: not at all (0), or as a new flow the more the longer it is idle, or most of all
 * as a flow that is idle beyond the limit of its state. */
static __always_inline __u32 readiness(const struct flow_entry *entry, __u32 udp_idle_ticks, __u32 now)
{
	__u32 idle = idle_ticks(entry, now), limit;

	switch (state_of(entry)) {
	case FLOW_NEW:
		return idle + 1;
	case FLOW_ESTABLISHED:
		limit = option_established_idle_ticks;
		break;
	case FLOW_CLOSING:
		limit = option_closing_idle_ticks;
		break;
	default:
		limit = udp_idle_ticks;
	}
	return idle > limit ? 0x80000000 : 0;
}

/* Where in its line a new flow may live, by position; -1: nowhere. */
static __always_inline int find_place(void *line, __u32 udp_idle_ticks, __u32 now, const enum family family)
{
	__u32 best = 0;
	int place = -1;

#pragma clang loop unroll(disable)
	for (int i = 0; i < FLOWS_PER_LINE(family); i++) {
		const struct flow_entry *entry = entry_of(line, i, family);
		__u32 ready;

		if (entry->owner == 0)
			return i;
		ready = readiness(entry, udp_idle_ticks, now);
		if (ready > best) {
			best = ready;
			place = i;
		}
	}
	return place;
}

/* Counts a flow against the limit of this CPU; false: over it. A window is one second from its first flow on. */
static __always_inline bool admit_new_flow(const struct settings *settings, __u32 cpu, __u64 now)
{
	struct cpu_state *state;

	if (settings->new_flows_per_second == 0)
		return true;
	state = bpf_map_lookup_elem(&cpu_states, &cpu);
	if (!state)
		return false;
	/* A clock that stepped back makes the difference huge, and begins a window too. */
	if (now - state->window_start_ticks >= option_ticks_per_second) {
		state->window_start_ticks = now;
		state->window_flows = 0;
	}
	if (state->window_flows >= settings->new_flows_per_second)
		return false;
	state->window_flows++;
	return true;
}

/* Remembers the backend of a flow that was chosen from the ring. `entry` is the flow's own, where it has one. Says how that went. */
static __always_inline enum reason remember_flow(const struct settings *settings, void *line, struct flow_entry *entry,
						 const struct flow_key *key, const struct packet *packet, __u32 cpu,
						 __u64 now, const enum family family)
{
	__u32 owner = key->vip | packet->backend_id << 16;
	enum flow_state state = FLOW_NEW;

	if (packet->traits & IS_TCP_RST)
		return REASON_FLOW_BYPASS;
	if (entry) {
		/* A SYN seen again, or by a client that uses its port again. */
		if ((packet->traits & IS_TCP_SYN) && entry->owner == owner && state_of(entry) != FLOW_CLOSING)
			state = state_of(entry);
	} else {
		void *flow;
		int place;

		if (!admit_new_flow(settings, cpu, now))
			return REASON_FLOW_RATE_LIMITED;
		place = find_place(line, settings->udp_idle_ticks, now, family);
		if (place < 0)
			return REASON_FLOW_TABLE_FULL;
		flow = line + place * FLOW_BYTES(family);
		if (family == FAMILY_IPV4) {
			*(__u64 *)flow = key->source[0] | (__u64)key->ports << 32;
		} else {
			store_address(flow, key->source, FAMILY_IPV6);
			((struct flow_ipv6 *)flow)->ports = key->ports;
		}
		entry = entry_of(line, place, family);
	}
	/* One store: the control plane clears entries while this runs. */
	*(volatile __u32 *)&entry->owner = owner;
	mark_seen(entry, state, now);
	return REASON_FLOW_NEW;
}

_Static_assert(__builtin_offsetof(struct flow_ipv4, source) == 0 && __builtin_offsetof(struct flow_ipv4, ports) == 4 &&
		       __builtin_offsetof(struct flow_ipv6, source) == 0,
	       "keys begin their entries");
_Static_assert(__builtin_offsetof(struct flow_ipv4, backend) == FLOW_ENTRY_OFFSET(FAMILY_IPV4) + 2 &&
		       __builtin_offsetof(struct flow_ipv6, backend) == FLOW_ENTRY_OFFSET(FAMILY_IPV6) + 2 &&
		       __builtin_offsetof(struct flow_ipv4, seen) == FLOW_ENTRY_OFFSET(FAMILY_IPV4) + 4 &&
		       __builtin_offsetof(struct flow_ipv6, seen) == FLOW_ENTRY_OFFSET(FAMILY_IPV6) + 4,
	       "entries end as a flow_entry");

#endif
