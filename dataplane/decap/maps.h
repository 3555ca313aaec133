/* SPDX-License-Identifier: MIT
 *
 * Every map of the program. Both hooks use the same; the loader sets the CPUs. Unlike the balancer's these are searched by helper
 * calls: docs/rationale.md says why that is right here.
 */
#ifndef LAMNA_DECAP_MAPS_H
#define LAMNA_DECAP_MAPS_H

#include "layout.h"
#include "reasons.h"

#define BPF_MAP_TYPE_PERCPU_HASH 5
#define BPF_MAP_TYPE_LPM_TRIE 11
#define BPF_F_NO_PREALLOC (1U << 0)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} settings SEC(".maps");

/* Not preallocated: an element that is deleted then keeps its key until no packet looks at it any more. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, struct vip_key);
	__type(value, struct traffic);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct source_prefix);
	__type(value, __u32);
} sources SEC(".maps");

/* One block a CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct reason_block);
} reason_counters SEC(".maps");

/* clang emits into BTF only what a variable or a function's type names: this names the rest of what the codecs need. */
union shared_types {
	enum reason reason;
	enum family family;
	enum layout layout;
} shared_types SEC(".shared_types") __attribute__((used));

#endif
