// SPDX-License-Identifier: MIT
/*
 * An XDP program that has nothing to do with load balancing, and uses what ours does not: hash and per-CPU maps, helpers, callbacks,
 * functions, a tail call, globals. It counts packets by IPv4 source address, tells of every new source, and drops sources of
 * which more than `limit` packets were seen.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual MIT/GPL";

struct source {
	__u64 packets;
	__u64 first_ns;
};

struct event {
	__u32 address;
	__u32 payload_sum; /* of the first bytes behind the IPv4 header */
	__u64 time_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct source);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} samples SEC(".maps");

int over_limit(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int(struct xdp_md *));
} next SEC(".maps") = { .values = { [1] = (void *)&over_limit } };

const volatile __u64 limit = 2;
__u64 packets_seen = 0;

struct sum {
	struct xdp_md *ctx;
	__u32 offset;
	__u32 value;
};

static long add_byte(__u32 index, void *context)
{
	struct sum *sum = context;
	__u8 byte;

	if (bpf_xdp_load_bytes(sum->ctx, sum->offset + index, &byte, sizeof(byte)) < 0)
		return 1;
	sum->value += byte;
	return 0;
}

static __attribute__((noinline)) void count(__u32 verdict)
{
	__u64 *counter = bpf_map_lookup_elem(&verdicts, &verdict);

	if (counter)
		*counter += 1;
}

static __attribute__((noinline)) int tell(struct xdp_md *ctx, __u32 address, __u64 now)
{
	struct sum sum = { .ctx = ctx, .offset = sizeof(struct ethhdr) + sizeof(struct iphdr) };
	struct event *event;

	bpf_loop(8, add_byte, &sum, 0);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return -1;
	event->address = address;
	event->payload_sum = sum.value;
	event->time_ns = now;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("xdp")
int count_sources(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = data;
	struct iphdr *ip = (void *)(ethernet + 1);
	struct source *known, fresh = {};
	__u32 address;

	__sync_fetch_and_add(&packets_seen, 1);
	if ((void *)(ip + 1) > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	address = ip->saddr;
	known = bpf_map_lookup_elem(&sources, &address);
	if (!known) {
		fresh.packets = 1;
		fresh.first_ns = bpf_ktime_get_ns();
		bpf_map_update_elem(&sources, &address, &fresh, BPF_NOEXIST);
		if (tell(ctx, address, fresh.first_ns))
			return XDP_ABORTED;
	} else if (__sync_add_and_fetch(&known->packets, 1) > limit) {
		bpf_tail_call(ctx, &next, 1);
	}
	count(0);
	return XDP_PASS;
}

SEC("xdp")
int over_limit(struct xdp_md *ctx)
{
	__u32 length = ctx->data_end - ctx->data;

	bpf_perf_event_output(ctx, &samples, BPF_F_CURRENT_CPU | (14ULL << 32), &length, sizeof(length));
	bpf_printk("dropped %u bytes", length);
	count(1);
	return XDP_DROP;
}
