/* SPDX-License-Identifier: MIT
 *
 * What the program uses of the kernel's and libbpf's headers, in their spelling, so that the bytes of the object do
 * not depend on which headers a machine has. Numbers are ABI:
 *   struct xdp_md, verdicts, map types and flags, helper numbers   include/uapi/linux/bpf.h (Linux 5.10)
 *   ethertypes, protocol and extension header numbers              IANA; RFC 791, 8200, 792, 4443
 *   SEC, __uint, __type, __array                                   the form of map definition that libbpf reads from BTF
 */
#ifndef LAMNA_KERNEL_H
#define LAMNA_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef __u16 __be16; /* in network order, as loaded from the wire */
typedef __u32 __be32;

#define bool _Bool
#define true 1
#define false 0
#define NULL ((void *)0)

/* Makes clang forget what it knows of a variable. */
#define barrier_var(variable) asm volatile("" : "+r"(variable))

#define SEC(name) __attribute__((section(name), used))
#define __always_inline inline __attribute__((always_inline))
#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* ------------------------------------------------------------------------------------------------ the verifier
 *
 * It walks every way through the program with all it knows of each register and stack slot. Where ways meet it goes on with one of them only
 * if they know the same; otherwise everything behind is walked once for each. So ways that meet forget how they came. */

/* `pointer` itself, of which the verifier then knows only that it lies behind `start`, in the same region, by bits of `mask`: it must.
 * The difference of two pointers is any number to the verifier. How far a packet pointer may be read is forgotten too. */
static __always_inline void *forget_way(void *pointer, void *start, __u64 mask)
{
	__u64 distance;

	/* clang would follow the ways as well, and take the difference apart. */
	barrier_var(pointer);
	distance = pointer - start;
	barrier_var(distance);
	return start + (distance & mask);
}

/* `value` itself, of which the verifier then knows as little as of `any`. */
static __always_inline __u32 forget_value(__u32 value, __u32 any)
{
	value ^= any;
	barrier_var(value);
	return value ^ any;
}

#define __uint(name, value) int(*name)[value]
#define __type(name, type) typeof(type) *name
#define __array(name, type) typeof(type) *name[]

/* The target is little-endian. */
#define bpf_htons(value) ((__be16)__builtin_bswap16(value))
#define bpf_ntohs(value) __builtin_bswap16(value)
#define bpf_htonl(value) ((__be32)__builtin_bswap32(value))

/* ------------------------------------------------------------------------------------------------ XDP */

struct xdp_md {
	__u32 data;
	__u32 data_end;
	__u32 data_meta;
	__u32 ingress_ifindex;
	__u32 rx_queue_index;
	__u32 egress_ifindex;
};

enum xdp_action {
	XDP_ABORTED = 0,
	XDP_DROP = 1,
	XDP_PASS = 2,
	XDP_TX = 3,
	XDP_REDIRECT = 4,
};

enum bpf_map_type {
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
};

#define BPF_F_MMAPABLE (1U << 10)

static void *(*const bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static __u32 (*const bpf_get_smp_processor_id)(void) = (void *)8;
static long (*const bpf_xdp_adjust_head)(struct xdp_md *ctx, int delta) = (void *)44;
static long (*const bpf_xdp_adjust_tail)(struct xdp_md *ctx, int delta) = (void *)65;
static __u64 (*const bpf_jiffies64)(void) = (void *)118;

/* ------------------------------------------------------------------------------------------------ protocols */

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define ETH_HLEN 14

#define IPPROTO_HOPOPTS 0
#define IPPROTO_ICMP 1
#define IPPROTO_IPIP 4
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_ICMPV6 58
#define IPPROTO_DSTOPTS 60

#endif
