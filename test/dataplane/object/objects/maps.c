// Every field of a map definition, and initial values.
#include "bpf.h"

char _license[] SEC("license") = "GPL";

struct key {
	__u32 prefix;
	__u8 address[4];
};

struct inner {
	__uint(type, ARRAY);
	__uint(max_entries, 4);
	__uint(map_flags, 1024);
	__type(key, __u32);
	__type(value, __u64);
};

struct inner inner_a SEC(".maps");
static struct inner inner_b SEC(".maps");

struct {
	__uint(type, ARRAY_OF_MAPS);
	__uint(max_entries, 8);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [2] = &inner_a, [5] = (void *)&inner_b, [6] = &inner_a } };

struct {
	__uint(type, HASH_OF_MAPS);
	__uint(max_entries, 2);
	__uint(key_size, 8);
	__array(values, struct {
		__uint(type, HASH);
		__uint(max_entries, 16);
		__type(key, struct key);
		__uint(value_size, 24);
	});
} outer_hash SEC(".maps");

int target(struct xdp_md *ctx);

struct {
	__uint(type, PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
} programs SEC(".maps") = { .values = { [1] = (void *)&target, [3] = (void *)&target } };

struct {
	__uint(type, HASH);
	__uint(max_entries, 100);
	__uint(map_flags, 1);
	__type(key, struct key);
	__uint(key_size, sizeof(struct key));
	__type(value, __u64[3]);
	__uint(pinning, 1);
	__uint(numa_node, 2);
	__ulong(map_extra, 0x123456789);
} everything SEC(".maps");

struct {
	__uint(type, PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct {
	__uint(type, QUEUE);
	__uint(max_entries, 3);
	__type(value, __u32);
} queue SEC(".maps");

SEC("xdp") int target(struct xdp_md *ctx)
{
	__u32 key = 0;
	return bpf_map_lookup_elem(&outer, &key) != 0;
}
