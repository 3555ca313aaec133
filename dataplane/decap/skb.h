/* SPDX-License-Identifier: MIT
 *
 * What the tc program uses of the kernel's headers, beyond ../xdp/kernel.h. Numbers are ABI:
 *   struct __sk_buff, helper numbers and flags   include/uapi/linux/bpf.h (Linux 5.10)
 *   tc verdicts                                  include/uapi/linux/pkt_cls.h
 */
#ifndef LAMNA_SKB_H
#define LAMNA_SKB_H

#include "../xdp/kernel.h"

/* As far as it is used. */
struct __sk_buff {
	__u32 len;
	__u32 pkt_type;
	__u32 mark;
	__u32 queue_mapping;
	__u32 protocol;
	__u32 vlan_present;
	__u32 vlan_tci;
	__u32 vlan_proto;
	__u32 priority;
	__u32 ingress_ifindex;
	__u32 ifindex;
	__u32 tc_index;
	__u32 cb[5];
	__u32 hash;
	__u32 tc_classid;
	__u32 data;
	__u32 data_end;
};

enum tc_action {
	TC_ACT_UNSPEC = -1, /* the next filter goes on, and after the last the stack */
	TC_ACT_SHOT = 2,
};

enum bpf_adj_room_mode {
	BPF_ADJ_ROOM_MAC = 1, /* right behind the MAC header */
};

#define BPF_F_ADJ_ROOM_FIXED_GSO (1ULL << 0)
#define BPF_F_RECOMPUTE_CSUM (1ULL << 0)

static long (*const bpf_skb_store_bytes)(struct __sk_buff *skb, __u32 offset, const void *from, __u32 len,
					 __u64 flags) = (void *)9;
static long (*const bpf_skb_vlan_push)(struct __sk_buff *skb, __be16 vlan_proto, __u16 vlan_tci) = (void *)18;
static long (*const bpf_skb_vlan_pop)(struct __sk_buff *skb) = (void *)19;
static long (*const bpf_skb_change_proto)(struct __sk_buff *skb, __be16 proto, __u64 flags) = (void *)31;
static long (*const bpf_skb_pull_data)(struct __sk_buff *skb, __u32 len) = (void *)39;
static long (*const bpf_skb_adjust_room)(struct __sk_buff *skb, __s32 len_diff, __u32 mode, __u64 flags) = (void *)50;

#endif
