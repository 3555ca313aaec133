// Map definitions as they were before BTF.
#include "bpf.h"

struct bpf_map_def {
	__u32 type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def table SEC("maps") = { ARRAY, 4, 8, 1, 0 };

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u32 key = 0;
	return bpf_map_lookup_elem(&table, &key) != 0;
}
