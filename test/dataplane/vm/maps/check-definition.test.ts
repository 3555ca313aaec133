import { expect, test } from "vitest";
import { MapError } from "../../../../dataplane/dataplane.ts";
import type { MapSpec } from "../../../../dataplane/object/spec.ts";
import { createMap } from "../../../../dataplane/vm/maps/create.ts";
import { errnoName } from "../../../../dataplane/vm/maps/errno.ts";
import {
  BPF_F_INNER_MAP,
  BPF_F_MMAPABLE,
  BPF_F_NO_COMMON_LRU,
  BPF_F_NO_PREALLOC,
  BPF_F_NUMA_NODE,
  BPF_F_PRESERVE_ELEMS,
  BPF_F_RDONLY,
  BPF_F_RDONLY_PROG,
  BPF_F_WRONLY,
  BPF_F_WRONLY_PROG,
  BPF_F_ZERO_SEED,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_DEVMAP_HASH,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_LPM_TRIE,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_RINGBUF,
  BPF_MAP_TYPE_XSKMAP,
  mapFlagNames,
  mapTypeName,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { Memory } from "../../../../dataplane/vm/memory.ts";
import { mapSpec } from "./harness.ts";

const ARRAY = mapSpec({ type: BPF_MAP_TYPE_ARRAY });
const LPM: Partial<MapSpec> = { keySizeBytes: 8, flags: BPF_F_NO_PREALLOC };
const RING: Partial<MapSpec> = { keySizeBytes: 0, valueSizeBytes: 0, maxEntries: 4096 };
const FOUR: Partial<MapSpec> = { valueSizeBytes: 4 };

function create(spec: MapSpec): string {
  try {
    createMap(spec, new Memory({ maximumBytes: 64 * 1024 * 1024 }), { id: 1, cpuCount: 2 });
    return "";
  } catch (error) {
    if (error instanceof MapError && error.code === "bad-definition") return error.message;
    throw error;
  }
}

test.for([
  { type: BPF_MAP_TYPE_ARRAY, change: { flags: BPF_F_MMAPABLE | BPF_F_NUMA_NODE | BPF_F_RDONLY_PROG } },
  { type: BPF_MAP_TYPE_ARRAY, change: { flags: BPF_F_INNER_MAP } },
  { type: BPF_MAP_TYPE_PERCPU_ARRAY, change: { valueSizeBytes: 32768 } },
  { type: BPF_MAP_TYPE_PERF_EVENT_ARRAY, change: { ...FOUR, flags: BPF_F_PRESERVE_ELEMS } },
  { type: BPF_MAP_TYPE_PROG_ARRAY, change: FOUR },
  { type: BPF_MAP_TYPE_ARRAY_OF_MAPS, change: { ...FOUR, inner: ARRAY } },
  { type: BPF_MAP_TYPE_HASH_OF_MAPS, change: { ...FOUR, inner: ARRAY, flags: BPF_F_NO_PREALLOC } },
  { type: BPF_MAP_TYPE_HASH, change: { flags: BPF_F_NO_PREALLOC | BPF_F_ZERO_SEED | BPF_F_WRONLY_PROG } },
  { type: BPF_MAP_TYPE_LRU_HASH, change: { flags: BPF_F_NO_COMMON_LRU } },
  { type: BPF_MAP_TYPE_LPM_TRIE, change: LPM },
  { type: BPF_MAP_TYPE_LPM_TRIE, change: { ...LPM, keySizeBytes: 260 } },
  { type: BPF_MAP_TYPE_DEVMAP, change: {} },
  { type: BPF_MAP_TYPE_DEVMAP_HASH, change: FOUR },
  { type: BPF_MAP_TYPE_CPUMAP, change: FOUR },
  { type: BPF_MAP_TYPE_XSKMAP, change: FOUR },
  { type: BPF_MAP_TYPE_RINGBUF, change: RING },
])("makes a map of type $type with $change", ({ type, change }) => {
  expect(create(mapSpec({ type, ...change }))).toBe("");
});

// What bpf(2) answers on Linux 6.18, and the fact that the message has to name.
test.for([
  { type: BPF_MAP_TYPE_ARRAY, change: { keySizeBytes: 8 }, errno: "-EINVAL", fact: "key size 8, expected 4" },
  { type: BPF_MAP_TYPE_ARRAY, change: { valueSizeBytes: 0 }, errno: "-EINVAL", fact: "value size 0" },
  { type: BPF_MAP_TYPE_ARRAY, change: { maxEntries: 0 }, errno: "-EINVAL", fact: "max entries 0" },
  {
    type: BPF_MAP_TYPE_ARRAY,
    change: { flags: BPF_F_NO_PREALLOC },
    errno: "-EINVAL",
    fact: "BPF_F_NO_PREALLOC",
  },
  {
    type: BPF_MAP_TYPE_ARRAY,
    change: { flags: BPF_F_PRESERVE_ELEMS },
    errno: "-EINVAL",
    fact: "PRESERVE_ELEMS",
  },
  {
    type: BPF_MAP_TYPE_ARRAY,
    change: { flags: BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG },
    errno: "",
    fact: "exclude each other",
  },
  {
    type: BPF_MAP_TYPE_ARRAY,
    change: { flags: BPF_F_RDONLY | BPF_F_WRONLY },
    errno: "",
    fact: "exclude each other",
  },
  {
    type: BPF_MAP_TYPE_ARRAY,
    change: { valueSizeBytes: 2 ** 31 },
    errno: "-E2BIG",
    fact: "value size 2147483648",
  },
  {
    type: BPF_MAP_TYPE_PERCPU_ARRAY,
    change: { flags: BPF_F_MMAPABLE },
    errno: "-EINVAL",
    fact: "BPF_F_MMAPABLE",
  },
  {
    type: BPF_MAP_TYPE_PERCPU_ARRAY,
    change: { flags: BPF_F_INNER_MAP },
    errno: "-EINVAL",
    fact: "INNER_MAP",
  },
  {
    type: BPF_MAP_TYPE_PERCPU_ARRAY,
    change: { valueSizeBytes: 32769 },
    errno: "-E2BIG",
    fact: "at most 32768",
  },
  { type: BPF_MAP_TYPE_PROG_ARRAY, change: {}, errno: "-EINVAL", fact: "value size 8, expected 4" },
  {
    type: BPF_MAP_TYPE_PROG_ARRAY,
    change: { ...FOUR, flags: BPF_F_RDONLY_PROG },
    errno: "-EINVAL",
    fact: "BPF_F_RDONLY_PROG",
  },
  {
    type: BPF_MAP_TYPE_ARRAY_OF_MAPS,
    change: FOUR,
    errno: "-EINVAL",
    fact: "no definition of the inner maps",
  },
  {
    type: BPF_MAP_TYPE_ARRAY_OF_MAPS,
    change: { ...FOUR, inner: mapSpec({ type: BPF_MAP_TYPE_ARRAY_OF_MAPS, ...FOUR, inner: ARRAY }) },
    errno: "-EINVAL",
    fact: "maps nest once",
  },
  {
    type: BPF_MAP_TYPE_HASH_OF_MAPS,
    change: { ...FOUR, inner: mapSpec({ type: BPF_MAP_TYPE_PROG_ARRAY, ...FOUR }) },
    errno: "-ENOTSUPP",
    fact: "PROG_ARRAY",
  },
  {
    type: BPF_MAP_TYPE_ARRAY_OF_MAPS,
    change: { ...FOUR, inner: { ...ARRAY, name: "within", keySizeBytes: 1 } },
    errno: "-EINVAL",
    fact: 'map "within"',
  },
  { type: BPF_MAP_TYPE_HASH, change: { keySizeBytes: 0 }, errno: "-EINVAL", fact: "key size 0" },
  { type: BPF_MAP_TYPE_HASH, change: { valueSizeBytes: 0 }, errno: "-EINVAL", fact: "value size 0" },
  { type: BPF_MAP_TYPE_HASH, change: { maxEntries: 0 }, errno: "-EINVAL", fact: "max entries 0" },
  { type: BPF_MAP_TYPE_HASH, change: { flags: BPF_F_MMAPABLE }, errno: "-EINVAL", fact: "BPF_F_MMAPABLE" },
  { type: BPF_MAP_TYPE_HASH, change: { flags: BPF_F_NO_COMMON_LRU }, errno: "-EINVAL", fact: "for LRU maps" },
  {
    type: BPF_MAP_TYPE_HASH,
    change: { valueSizeBytes: 2 ** 22 },
    errno: "-E2BIG",
    fact: "expected less than",
  },
  {
    type: BPF_MAP_TYPE_PERCPU_HASH,
    change: { valueSizeBytes: 40000 },
    errno: "-E2BIG",
    fact: "at most 32768",
  },
  {
    type: BPF_MAP_TYPE_LRU_HASH,
    change: { flags: BPF_F_NO_PREALLOC },
    errno: "-ENOTSUPP",
    fact: "preallocated",
  },
  {
    type: BPF_MAP_TYPE_LRU_PERCPU_HASH,
    change: { flags: BPF_F_NO_PREALLOC },
    errno: "-ENOTSUPP",
    fact: "preallocated",
  },
  { type: BPF_MAP_TYPE_LPM_TRIE, change: { ...LPM, flags: 0 }, errno: "-EINVAL", fact: "BPF_F_NO_PREALLOC" },
  { type: BPF_MAP_TYPE_LPM_TRIE, change: { ...LPM, keySizeBytes: 4 }, errno: "-EINVAL", fact: "5 to 260" },
  { type: BPF_MAP_TYPE_LPM_TRIE, change: { ...LPM, keySizeBytes: 261 }, errno: "-EINVAL", fact: "5 to 260" },
  { type: BPF_MAP_TYPE_LPM_TRIE, change: { ...LPM, maxEntries: 0 }, errno: "-EINVAL", fact: "max entries 0" },
  { type: BPF_MAP_TYPE_DEVMAP, change: { valueSizeBytes: 12 }, errno: "-EINVAL", fact: "value size 12" },
  { type: BPF_MAP_TYPE_DEVMAP, change: { flags: BPF_F_MMAPABLE }, errno: "-EINVAL", fact: "BPF_F_MMAPABLE" },
  { type: BPF_MAP_TYPE_CPUMAP, change: { keySizeBytes: 8 }, errno: "-EINVAL", fact: "key size 8" },
  { type: BPF_MAP_TYPE_CPUMAP, change: { maxEntries: 8193 }, errno: "-E2BIG", fact: "max entries 8193" },
  { type: BPF_MAP_TYPE_XSKMAP, change: {}, errno: "-EINVAL", fact: "value size 8, expected 4" },
  { type: BPF_MAP_TYPE_RINGBUF, change: { ...RING, keySizeBytes: 4 }, errno: "-EINVAL", fact: "key size 4" },
  {
    type: BPF_MAP_TYPE_RINGBUF,
    change: { ...RING, maxEntries: 2048 },
    errno: "-EINVAL",
    fact: "multiple of 4096",
  },
  {
    type: BPF_MAP_TYPE_RINGBUF,
    change: { ...RING, maxEntries: 12288 },
    errno: "-EINVAL",
    fact: "power of two",
  },
  {
    type: BPF_MAP_TYPE_RINGBUF,
    change: { ...RING, flags: BPF_F_MMAPABLE },
    errno: "-EINVAL",
    fact: "MMAPABLE",
  },
  { type: 22, change: {}, errno: "", fact: "QUEUE: maps of this type are not supported" },
  { type: 99, change: {}, errno: "", fact: "99: maps of this type are not supported" },
  { type: BPF_MAP_TYPE_ARRAY, change: { maxEntries: -1 }, errno: "", fact: "max entries -1" },
  { type: BPF_MAP_TYPE_ARRAY, change: { maxEntries: 1.5 }, errno: "", fact: "max entries 1.5" },
  {
    type: BPF_MAP_TYPE_ARRAY,
    change: { contents: new Uint8Array(9) },
    errno: "-E2BIG",
    fact: "9 bytes of contents",
  },
  { type: BPF_MAP_TYPE_ARRAY, change: { maxEntries: 2 ** 32 - 1 }, errno: "", fact: "out of VM memory" },
])("refuses type $type with $change, naming $fact", ({ type, change, errno, fact }) => {
  const message = create(mapSpec({ type, ...change }));
  expect(message).toContain(fact);
  expect(message).toContain(errno);
});

test("numbers have the kernel's names, and unknown ones stay numbers", () => {
  expect([1, 9, 27, 33, 34, 1000].map(mapTypeName)).toEqual([
    "HASH",
    "LRU_HASH",
    "RINGBUF",
    "ARENA",
    "34",
    "1000",
  ]);
  expect(mapFlagNames(BPF_F_NO_PREALLOC | BPF_F_MMAPABLE)).toEqual(["BPF_F_NO_PREALLOC", "BPF_F_MMAPABLE"]);
  expect(mapFlagNames(0x8000_0000)).toEqual(["0x80000000"]);
  expect(mapFlagNames(0)).toEqual([]);
  expect([-2, 524, -9999].map(errnoName)).toEqual(["-ENOENT", "ENOTSUPP", "-9999"]);
});
