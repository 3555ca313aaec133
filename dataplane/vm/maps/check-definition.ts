/**
 * Which definitions the kernel makes a map from: the alloc_check functions of kernel/bpf/{arraymap,hashtab,lpm_trie,devmap,cpumap,ringbuf}.c
 * and net/xdp/xskmap.c, Linux 6.18 on x86-64. One function per family, each a list of what is refused, with the number that bpf(2)
 * would return.
 */
import { MapError } from "../../dataplane.ts";
import type { MapSpec } from "../../object/spec.ts";
import { E2BIG, EINVAL, ENOTSUPP, errnoName } from "./errno.ts";
import { isMapInMap, refuseTemplate } from "./inner-map.ts";
import { roundUp } from "./map-access.ts";
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
} from "./map-type.ts";

const BPF_F_ACCESS_MASK = BPF_F_RDONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY | BPF_F_WRONLY_PROG;
/** Largest allocation of kmalloc with 4 KiB pages. */
const KMALLOC_MAX_BYTES = 4 * 1024 * 1024;
/** Largest value of a per-CPU map: PCPU_MIN_UNIT_SIZE. */
const PERCPU_VALUE_BYTES_MAX = 32 * 1024;
/** sizeof(struct htab_elem) and of struct lpm_trie_node, which share an allocation with key and value. */
const HTAB_ELEM_BYTES = 48;
const LPM_NODE_BYTES = 24;
/** The most CPUs an x86-64 kernel can be built for; many are built for fewer, and refuse more. */
const NR_CPUS = 8192;
const LPM_KEY_BYTES_MIN = 5;
const LPM_KEY_BYTES_MAX = 260;
const PAGE_BYTES = 4096;
const INT_MAX = 0x7fff_ffff;

/** Throws MapError "bad-definition" that says which attribute is wrong, what it is, and what is allowed. */
export function checkDefinition(spec: MapSpec): void {
  const refuse: Refuse = (errno, why) => {
    const type = mapTypeName(spec.type);
    throw new MapError("bad-definition", spec.name, `${type}: ${why} (${errnoName(-errno)})`);
  };
  for (const [name, value] of [
    ["key size", spec.keySizeBytes],
    ["value size", spec.valueSizeBytes],
    ["max entries", spec.maxEntries],
    ["flags", spec.flags],
  ] as const) {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      refuse(EINVAL, `${name} ${value}, expected an unsigned 32-bit number`);
    }
  }
  const check = CHECKS.get(spec.type);
  if (check === undefined) refuse(EINVAL, "maps of this type are not supported");
  check(spec, refuse);
  if (spec.contents !== undefined && spec.contents.length > spec.valueSizeBytes) {
    refuse(E2BIG, `${spec.contents.length} bytes of contents, the value has ${spec.valueSizeBytes}`);
  }
}

type Refuse = (errno: number, why: string) => never;
type Check = (spec: MapSpec, refuse: Refuse) => void;

const CHECKS: ReadonlyMap<number, Check> = new Map<number, Check>([
  [BPF_MAP_TYPE_ARRAY, checkArray],
  [BPF_MAP_TYPE_PERCPU_ARRAY, checkArray],
  [BPF_MAP_TYPE_PROG_ARRAY, checkDescriptorArray],
  [BPF_MAP_TYPE_PERF_EVENT_ARRAY, checkDescriptorArray],
  [BPF_MAP_TYPE_ARRAY_OF_MAPS, checkDescriptorArray],
  [BPF_MAP_TYPE_HASH, checkHash],
  [BPF_MAP_TYPE_PERCPU_HASH, checkHash],
  [BPF_MAP_TYPE_LRU_HASH, checkHash],
  [BPF_MAP_TYPE_LRU_PERCPU_HASH, checkHash],
  [BPF_MAP_TYPE_HASH_OF_MAPS, checkHashOfMaps],
  [BPF_MAP_TYPE_LPM_TRIE, checkLpmTrie],
  [BPF_MAP_TYPE_DEVMAP, checkDevmap],
  [BPF_MAP_TYPE_DEVMAP_HASH, checkDevmap],
  [BPF_MAP_TYPE_CPUMAP, checkCpumap],
  [BPF_MAP_TYPE_XSKMAP, checkXskmap],
  [BPF_MAP_TYPE_RINGBUF, checkRingbuf],
]);

function checkArray(spec: MapSpec, refuse: Refuse): void {
  requireFlags(
    spec,
    BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_ACCESS_MASK | BPF_F_PRESERVE_ELEMS | BPF_F_INNER_MAP,
    refuse,
  );
  if (spec.keySizeBytes !== 4) refuse(EINVAL, `key size ${spec.keySizeBytes}, expected 4`);
  if (spec.valueSizeBytes === 0) refuse(EINVAL, "value size 0, expected at least 1");
  if (spec.maxEntries === 0) refuse(EINVAL, "max entries 0, expected at least 1");
  if (spec.type !== BPF_MAP_TYPE_ARRAY && (spec.flags & (BPF_F_MMAPABLE | BPF_F_INNER_MAP)) !== 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}: BPF_F_MMAPABLE and BPF_F_INNER_MAP are for ARRAY`);
  }
  if (spec.type !== BPF_MAP_TYPE_PERF_EVENT_ARRAY && (spec.flags & BPF_F_PRESERVE_ELEMS) !== 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}: BPF_F_PRESERVE_ELEMS is for PERF_EVENT_ARRAY`);
  }
  if (spec.valueSizeBytes > INT_MAX) {
    refuse(E2BIG, `value size ${spec.valueSizeBytes}, expected at most ${INT_MAX}`);
  }
  if (spec.type === BPF_MAP_TYPE_PERCPU_ARRAY) checkPerCpuValue(spec, refuse);
}

function checkDescriptorArray(spec: MapSpec, refuse: Refuse): void {
  requireFourByteValue(spec, refuse);
  if ((spec.flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)) !== 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}: programs' access cannot be limited`);
  }
  checkArray(spec, refuse);
  if (isMapInMap(spec.type)) checkTemplate(spec, refuse);
}

function checkHash(spec: MapSpec, refuse: Refuse): void {
  const isLru = spec.type === BPF_MAP_TYPE_LRU_HASH || spec.type === BPF_MAP_TYPE_LRU_PERCPU_HASH;
  const isPerCpu = spec.type === BPF_MAP_TYPE_PERCPU_HASH || spec.type === BPF_MAP_TYPE_LRU_PERCPU_HASH;
  requireFlags(
    spec,
    BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK | BPF_F_ZERO_SEED,
    refuse,
  );
  if (!isLru && (spec.flags & BPF_F_NO_COMMON_LRU) !== 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}: BPF_F_NO_COMMON_LRU is for LRU maps`);
  }
  if (isLru && (spec.flags & BPF_F_NO_PREALLOC) !== 0) {
    refuse(ENOTSUPP, `flags ${flagText(spec.flags)}: LRU maps are always preallocated`);
  }
  if (spec.maxEntries === 0) refuse(EINVAL, "max entries 0, expected at least 1");
  if (spec.keySizeBytes === 0) refuse(EINVAL, "key size 0, expected at least 1");
  if (spec.valueSizeBytes === 0) refuse(EINVAL, "value size 0, expected at least 1");
  if (spec.keySizeBytes + spec.valueSizeBytes >= KMALLOC_MAX_BYTES - HTAB_ELEM_BYTES) {
    refuse(
      E2BIG,
      `key and value of ${spec.keySizeBytes + spec.valueSizeBytes} bytes, ` +
        `expected less than ${KMALLOC_MAX_BYTES - HTAB_ELEM_BYTES}`,
    );
  }
  if (isPerCpu) checkPerCpuValue(spec, refuse);
}

function checkHashOfMaps(spec: MapSpec, refuse: Refuse): void {
  requireFourByteValue(spec, refuse);
  checkHash(spec, refuse);
  checkTemplate(spec, refuse);
}

function checkLpmTrie(spec: MapSpec, refuse: Refuse): void {
  requireFlags(spec, BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_ACCESS_MASK, refuse);
  if ((spec.flags & BPF_F_NO_PREALLOC) === 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}, expected BPF_F_NO_PREALLOC among them`);
  }
  if (spec.maxEntries === 0) refuse(EINVAL, "max entries 0, expected at least 1");
  if (spec.keySizeBytes < LPM_KEY_BYTES_MIN || spec.keySizeBytes > LPM_KEY_BYTES_MAX) {
    refuse(
      EINVAL,
      `key size ${spec.keySizeBytes}, expected ${LPM_KEY_BYTES_MIN} to ${LPM_KEY_BYTES_MAX}: ` +
        "the prefix length and up to 256 bytes",
    );
  }
  const valueMax = KMALLOC_MAX_BYTES - LPM_KEY_BYTES_MAX - LPM_NODE_BYTES;
  if (spec.valueSizeBytes < 1 || spec.valueSizeBytes > valueMax) {
    refuse(EINVAL, `value size ${spec.valueSizeBytes}, expected 1 to ${valueMax}`);
  }
}

function checkDevmap(spec: MapSpec, refuse: Refuse): void {
  requireFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY, refuse);
  checkRedirectSizes(spec, refuse);
}

function checkCpumap(spec: MapSpec, refuse: Refuse): void {
  requireFlags(spec, BPF_F_NUMA_NODE, refuse);
  checkRedirectSizes(spec, refuse);
  if (spec.maxEntries > NR_CPUS) refuse(E2BIG, `max entries ${spec.maxEntries}, expected at most ${NR_CPUS}`);
}

function checkRedirectSizes(spec: MapSpec, refuse: Refuse): void {
  if (spec.maxEntries === 0) refuse(EINVAL, "max entries 0, expected at least 1");
  if (spec.keySizeBytes !== 4) refuse(EINVAL, `key size ${spec.keySizeBytes}, expected 4`);
  if (spec.valueSizeBytes !== 4 && spec.valueSizeBytes !== 8) {
    refuse(EINVAL, `value size ${spec.valueSizeBytes}, expected 4, or 8 with a program`);
  }
}

function checkXskmap(spec: MapSpec, refuse: Refuse): void {
  requireFlags(spec, BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY, refuse);
  if (spec.maxEntries === 0) refuse(EINVAL, "max entries 0, expected at least 1");
  if (spec.keySizeBytes !== 4) refuse(EINVAL, `key size ${spec.keySizeBytes}, expected 4`);
  requireFourByteValue(spec, refuse);
}

function checkRingbuf(spec: MapSpec, refuse: Refuse): void {
  if ((spec.flags & ~BPF_F_NUMA_NODE) !== 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}, expected none but BPF_F_NUMA_NODE`);
  }
  if (spec.keySizeBytes !== 0) refuse(EINVAL, `key size ${spec.keySizeBytes}, expected 0`);
  if (spec.valueSizeBytes !== 0) refuse(EINVAL, `value size ${spec.valueSizeBytes}, expected 0`);
  const isPowerOfTwo = spec.maxEntries !== 0 && (spec.maxEntries & (spec.maxEntries - 1)) === 0;
  if (!isPowerOfTwo || spec.maxEntries % PAGE_BYTES !== 0) {
    refuse(
      EINVAL,
      `max entries ${spec.maxEntries}, expected a power of two that is a multiple of ${PAGE_BYTES}`,
    );
  }
}

function checkTemplate(spec: MapSpec, refuse: Refuse): void {
  if (spec.inner === undefined) refuse(EINVAL, "no definition of the inner maps");
  const inner = mapTypeName(spec.inner.type);
  const refusal = refuseTemplate(spec.inner.type);
  if (refusal === "nested") refuse(EINVAL, `inner maps of type ${inner}: maps nest once`);
  if (refusal === "unsupported") refuse(ENOTSUPP, `inner maps of type ${inner} are not possible`);
  checkDefinition(spec.inner);
}

function checkPerCpuValue(spec: MapSpec, refuse: Refuse): void {
  if (roundUp(spec.valueSizeBytes, 8) > PERCPU_VALUE_BYTES_MAX) {
    refuse(E2BIG, `value size ${spec.valueSizeBytes}, expected at most ${PERCPU_VALUE_BYTES_MAX} per CPU`);
  }
}

function requireFourByteValue(spec: MapSpec, refuse: Refuse): void {
  if (spec.valueSizeBytes !== 4) refuse(EINVAL, `value size ${spec.valueSizeBytes}, expected 4`);
}

function requireFlags(spec: MapSpec, allowed: number, refuse: Refuse): void {
  if ((spec.flags & ~allowed) !== 0) {
    refuse(EINVAL, `flags ${flagText(spec.flags)}, expected none but ${flagText(allowed)}`);
  }
  const isReadonlyAndWriteonly =
    (spec.flags & BPF_F_RDONLY_PROG) !== 0 && (spec.flags & BPF_F_WRONLY_PROG) !== 0;
  if (isReadonlyAndWriteonly) refuse(EINVAL, "BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG exclude each other");
  if ((spec.flags & BPF_F_RDONLY) !== 0 && (spec.flags & BPF_F_WRONLY) !== 0) {
    refuse(EINVAL, "BPF_F_RDONLY and BPF_F_WRONLY exclude each other");
  }
}

function flagText(flags: number): string {
  return flags === 0 ? "none" : mapFlagNames(flags).join(" | ");
}
