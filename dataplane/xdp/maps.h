/* SPDX-License-Identifier: MIT
 *
 * Every map of the program. The sizes here are those of the default capacity and two CPUs; the loader sets the ones
 * the configuration needs before load, together with the options that mirror them (options.h).
 *
 * All of them are arrays, which the kernel inlines, and BPF_F_MMAPABLE: such values start on a page, so that a 64-byte
 * value is one cache line (in a plain array it straddles two), and user space reads and writes them without a syscall.
 * docs/maps.md says who writes and who reads what.
 */
#ifndef LAMNA_MAPS_H
#define LAMNA_MAPS_H

#include "kernel.h"
#include "layout.h"
#include "options.h"
#include "reasons.h"

#define SHARED_ARRAY(entry_type, entries)          \
	{                                          \
		__uint(type, BPF_MAP_TYPE_ARRAY);  \
		__uint(map_flags, BPF_F_MMAPABLE); \
		__uint(max_entries, entries);      \
		__type(key, __u32);                \
		__type(value, entry_type);         \
	}

struct SHARED_ARRAY(struct settings, 1) settings SEC(".maps");
struct SHARED_ARRAY(struct vip_bucket, 2 * 512) vip_buckets SEC(".maps");
struct SHARED_ARRAY(struct interface_entry, 2 * INTERFACE_SLOTS) interfaces SEC(".maps");
struct SHARED_ARRAY(struct vip, 65) vips SEC(".maps");
struct SHARED_ARRAY(struct ring, 69) rings SEC(".maps");
struct SHARED_ARRAY(struct backend, 4097) backends SEC(".maps");

/* Counters and other state of one CPU each: element index = cpu * stride + id. */
struct SHARED_ARRAY(struct reason_block, 2) reason_counters SEC(".maps");
struct SHARED_ARRAY(struct traffic, 2 * 68) vip_counters SEC(".maps");
struct SHARED_ARRAY(struct traffic, 2 * 4100) backend_counters SEC(".maps");
struct SHARED_ARRAY(struct cpu_state, 2) cpu_states SEC(".maps");

/* One inner array a CPU, on that CPU's memory. */
struct flows_ipv4_inner SHARED_ARRAY(struct flow_ipv4_line, 65536);
struct flows_ipv6_inner SHARED_ARRAY(struct flow_ipv6_line, 131072);
struct fragments_inner SHARED_ARRAY(struct fragment, 1024);

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct flows_ipv4_inner);
} flows_ipv4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct flows_ipv6_inner);
} flows_ipv6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct fragments_inner);
} fragments SEC(".maps");

/* clang emits into BTF only what a variable or a function's type names. The values of inner maps and the constants have
 * neither, and both libbpf and the generated codecs need them: this names them. Nothing reads it and no loader
 * makes a map of it. */
union shared_types {
	struct flow_ipv4_line flow_ipv4_line;
	struct flow_ipv6_line flow_ipv6_line;
	struct fragment fragment;
	enum reason reason;
	enum family family;
	enum vip_key vip_key;
	enum vip_flag vip_flag;
	enum flow_state flow_state;
	enum echo_mode echo_mode;
	enum layout layout;
} shared_types SEC(".shared_types") __attribute__((used));

#endif
