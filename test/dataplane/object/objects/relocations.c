// Every way in which an instruction refers to something: maps, variables, strings, functions; global and static.
#include "bpf.h"

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} global_map SEC(".maps");

static struct {
	__uint(type, HASH);
	__uint(max_entries, 8);
	__type(key, __u64);
	__type(value, __u32);
} static_map SEC(".maps");

const volatile __u32 global_option = 7;
static const volatile __u16 static_options[4] = { 1, 2, 3, 4 };
__u64 global_cell = 0x1122334455667788;
static volatile int static_cell = -5;
static volatile int zeros[16];
__u32 named_section SEC(".data.named") = 9;

static __noinline int leaf(int x)
{
	return x * static_cell + static_options[x & 3];
}

__noinline int shared(int x)
{
	return leaf(x) + (int)global_option;
}

static long callback(__u32 index, __u64 *sum)
{
	*sum += index;
	return 0;
}

SEC("xdp") int first(struct xdp_md *ctx)
{
	__u32 key = 1;
	__u64 sum = 0, *value = bpf_map_lookup_elem(&global_map, &key);
	if (value)
		sum = *value;
	bpf_loop(3, callback, &sum, 0);
	return shared((int)sum) + (int)global_cell;
}

SEC("xdp") static __noinline int beside(int x)
{
	return x ^ 0x55;
}

SEC("xdp") int second(struct xdp_md *ctx)
{
	static const char format[] = "value %d";
	__u64 key = 2;
	__u32 *value = bpf_map_lookup_elem(&static_map, &key);
	bpf_trace_printk(format, sizeof format, value ? *value : 0);
	zeros[ctx->data & 15] = beside(ctx->data);
	return zeros[3] + named_section;
}

SEC("tc") int third(struct xdp_md *ctx)
{
	return leaf(ctx->data) + shared(1);
}
