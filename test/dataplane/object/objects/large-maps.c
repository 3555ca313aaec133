// Numbers of map definitions that are no sizes: BTF has each as the length of an array of int, which would take 4 GiB and more.
#include "bpf.h"

struct {
	__uint(type, ARRAY);
	__uint(max_entries, 1u << 30);
	__type(key, __u32);
	__type(value, __u64);
} large SEC(".maps");

struct {
	__uint(type, ARRAY);
	__uint(max_entries, 4294967295u);
	__type(key, __u32);
	__type(value, __u32);
} largest SEC(".maps");

struct {
	__uint(type, HASH);
	__uint(max_entries, 1);
	__uint(map_flags, 1u << 31);
	__uint(key_size, 4294967295u);
	__type(value, __u32);
} wide SEC(".maps");

SEC("xdp") int program(struct xdp_md *context)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&large, &key) != 0;
}
