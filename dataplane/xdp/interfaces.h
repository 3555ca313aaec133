/* SPDX-License-Identifier: MIT
 *
 * The next hop, by the interface that the packet came in by: see layout.h for the table.
 */
#ifndef LAMNA_INTERFACES_H
#define LAMNA_INTERFACES_H

#include "maps.h"
#include "packet.h"

/* In packet->mtu, where no mtu is that small: there is no gateway, whatever the packet's size. */
#define MTU_WITHOUT_GATEWAY 1

/* Sets packet->gateway, and gives the largest outgoing IP packet; 0: no limit. What is found is copied: with a pointer to either
 * place, the verifier would walk all that follows for each of them. */
static __always_inline __u32 find_next_hop(__u32 ifindex, struct packet *packet, const struct settings *settings)
{
	/* One load, as it is one store; so are those below. */
	__u64 table = *(const volatile __u64 *)&settings->interface_table;
	__u32 index = (__u32)table + (ifindex * (__u32)(table >> 32) >> (32 - INTERFACE_SLOTS_LOG2));
	const struct interface_entry *entry = bpf_map_lookup_elem(&interfaces, &index);

	if (likely(entry)) {
		__u64 ifindex_and_mtu = *(const volatile __u64 *)&entry->ifindex;

		if (likely((__u32)ifindex_and_mtu == ifindex)) {
			packet->gateway = *(const volatile __u64 *)entry->gateway_mac;
			return ifindex_and_mtu >> 32;
		}
	}
	packet->gateway = *(const volatile __u64 *)settings->gateway_mac;
	return settings->mtu;
}

static __always_inline bool is_gateway_known(const struct packet *packet)
{
	return packet->gateway << 16;
}

_Static_assert(__builtin_offsetof(struct settings, gateway_mac) == 0 &&
		       __builtin_offsetof(struct interface_entry, gateway_mac) == 0 &&
		       __builtin_offsetof(struct interface_entry, ifindex) == 8 &&
		       __builtin_offsetof(struct interface_entry, mtu) == 12,
	       "MACs are read as the low bytes of a 64-bit word, ifindex and mtu as another");

#endif
