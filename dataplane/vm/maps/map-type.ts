/** Map types, creation flags and update flags, spelled and numbered as in Linux 6.18's include/uapi/linux/bpf.h. */
export const BPF_MAP_TYPE_HASH = 1;
export const BPF_MAP_TYPE_ARRAY = 2;
export const BPF_MAP_TYPE_PROG_ARRAY = 3;
export const BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4;
export const BPF_MAP_TYPE_PERCPU_HASH = 5;
export const BPF_MAP_TYPE_PERCPU_ARRAY = 6;
export const BPF_MAP_TYPE_LRU_HASH = 9;
export const BPF_MAP_TYPE_LRU_PERCPU_HASH = 10;
export const BPF_MAP_TYPE_LPM_TRIE = 11;
export const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
export const BPF_MAP_TYPE_HASH_OF_MAPS = 13;
export const BPF_MAP_TYPE_DEVMAP = 14;
export const BPF_MAP_TYPE_CPUMAP = 16;
export const BPF_MAP_TYPE_XSKMAP = 17;
export const BPF_MAP_TYPE_DEVMAP_HASH = 25;
export const BPF_MAP_TYPE_RINGBUF = 27;

/** By number; also of the types that no map here is made from, so that a refusal can name them. */
const TYPE_NAMES: readonly string[] = [
  "UNSPEC",
  "HASH",
  "ARRAY",
  "PROG_ARRAY",
  "PERF_EVENT_ARRAY",
  "PERCPU_HASH",
  "PERCPU_ARRAY",
  "STACK_TRACE",
  "CGROUP_ARRAY",
  "LRU_HASH",
  "LRU_PERCPU_HASH",
  "LPM_TRIE",
  "ARRAY_OF_MAPS",
  "HASH_OF_MAPS",
  "DEVMAP",
  "SOCKMAP",
  "CPUMAP",
  "XSKMAP",
  "SOCKHASH",
  "CGROUP_STORAGE",
  "REUSEPORT_SOCKARRAY",
  "PERCPU_CGROUP_STORAGE",
  "QUEUE",
  "STACK",
  "SK_STORAGE",
  "DEVMAP_HASH",
  "STRUCT_OPS",
  "RINGBUF",
  "INODE_STORAGE",
  "TASK_STORAGE",
  "BLOOM_FILTER",
  "USER_RINGBUF",
  "CGRP_STORAGE",
  "ARENA",
];

/** The kernel's name without its prefix, "LRU_HASH"; the number when it is none of the kernel's. */
export function mapTypeName(type: number): string {
  return TYPE_NAMES[type] ?? String(type);
}

// Creation flags.
export const BPF_F_NO_PREALLOC: number = 1 << 0;
export const BPF_F_NO_COMMON_LRU: number = 1 << 1;
export const BPF_F_NUMA_NODE: number = 1 << 2;
export const BPF_F_RDONLY: number = 1 << 3;
export const BPF_F_WRONLY: number = 1 << 4;
export const BPF_F_STACK_BUILD_ID: number = 1 << 5;
export const BPF_F_ZERO_SEED: number = 1 << 6;
export const BPF_F_RDONLY_PROG: number = 1 << 7;
export const BPF_F_WRONLY_PROG: number = 1 << 8;
export const BPF_F_CLONE: number = 1 << 9;
export const BPF_F_MMAPABLE: number = 1 << 10;
export const BPF_F_PRESERVE_ELEMS: number = 1 << 11;
export const BPF_F_INNER_MAP: number = 1 << 12;

const FLAG_NAMES: readonly string[] = [
  "BPF_F_NO_PREALLOC",
  "BPF_F_NO_COMMON_LRU",
  "BPF_F_NUMA_NODE",
  "BPF_F_RDONLY",
  "BPF_F_WRONLY",
  "BPF_F_STACK_BUILD_ID",
  "BPF_F_ZERO_SEED",
  "BPF_F_RDONLY_PROG",
  "BPF_F_WRONLY_PROG",
  "BPF_F_CLONE",
  "BPF_F_MMAPABLE",
  "BPF_F_PRESERVE_ELEMS",
  "BPF_F_INNER_MAP",
  "BPF_F_LINK",
  "BPF_F_PATH_FD",
  "BPF_F_VTYPE_BTF_OBJ_FD",
  "BPF_F_TOKEN_FD",
  "BPF_F_SEGV_ON_FAULT",
  "BPF_F_NO_USER_CONV",
];

/** Names of the set bits, lowest first; a bit without a name as hexadecimal. */
export function mapFlagNames(flags: number): readonly string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++) {
    if ((flags >>> bit) & 1) names.push(FLAG_NAMES[bit] ?? `0x${((1 << bit) >>> 0).toString(16)}`);
  }
  return names;
}

// Flags of an update.
export const BPF_ANY = 0n;
export const BPF_NOEXIST = 1n;
export const BPF_EXIST = 2n;
/** Only for values that hold a `struct bpf_spin_lock`, which no map here has. */
export const BPF_F_LOCK = 4n;
