/** Makes a map in a machine's memory from its spec. */
import { MapError } from "../../dataplane.ts";
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { ArrayMap } from "./array.ts";
import { ArrayOfMaps } from "./array-of-maps.ts";
import { checkDefinition } from "./check-definition.ts";
import type { MapEnvironment } from "./environment.ts";
import { HashMap } from "./hash.ts";
import { HashOfMaps } from "./hash-of-maps.ts";
import { LpmTrie } from "./lpm-trie.ts";
import type { VmMap } from "./map.ts";
import {
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
} from "./map-type.ts";
import { PerfEventArray } from "./perf-event-array.ts";
import { ProgArray } from "./prog-array.ts";
import { DevmapHash, IndexedRedirectMap } from "./redirect-map.ts";
import { Ringbuf } from "./ringbuf.ts";

/**
 * A new, empty map; one with `contents` (.rodata, .data) starts with these bytes in element 0. A map-in-map starts empty: its inner
 * maps are made apart, by the spec's `inner`, and put in by id with `updateValue`. The same holds for a PROG_ARRAY's programs.
 *
 * Throws MapError "bad-definition" when the kernel would refuse the definition, or when memory is used up.
 */
export function createMap(spec: MapSpec, memory: Memory, environment: MapEnvironment): VmMap {
  const whole = withEntries(spec, environment);
  checkDefinition(whole);
  try {
    return construct(whole, memory, environment);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new MapError("bad-definition", spec.name, cause.message, { cause });
  }
}

function construct(spec: MapSpec, memory: Memory, environment: MapEnvironment): VmMap {
  switch (spec.type) {
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
      return new ArrayMap(spec, memory, environment);
    case BPF_MAP_TYPE_HASH:
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
      return new HashMap(spec, memory, environment);
    case BPF_MAP_TYPE_LPM_TRIE:
      return new LpmTrie(spec, memory, environment);
    case BPF_MAP_TYPE_ARRAY_OF_MAPS:
      return new ArrayOfMaps(spec, memory, environment);
    case BPF_MAP_TYPE_HASH_OF_MAPS:
      return new HashOfMaps(spec, memory, environment);
    case BPF_MAP_TYPE_PROG_ARRAY:
      return new ProgArray(spec, memory, environment);
    case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
      return new PerfEventArray(spec, memory, environment);
    case BPF_MAP_TYPE_RINGBUF:
      return new Ringbuf(spec, memory, environment);
    case BPF_MAP_TYPE_DEVMAP:
    case BPF_MAP_TYPE_CPUMAP:
    case BPF_MAP_TYPE_XSKMAP:
      return new IndexedRedirectMap(spec, memory, environment);
    case BPF_MAP_TYPE_DEVMAP_HASH:
      return new DevmapHash(spec, memory, environment);
    default:
      throw new Error(`map type ${spec.type} passed checkDefinition and has no implementation`);
  }
}

/** What loaders fill in before the kernel sees a definition: a perf event array of no size gets one event per CPU. */
function withEntries(spec: MapSpec, environment: MapEnvironment): MapSpec {
  const isOpen = spec.type === BPF_MAP_TYPE_PERF_EVENT_ARRAY && spec.maxEntries === 0;
  return isOpen ? { ...spec, maxEntries: environment.cpuCount } : spec;
}
