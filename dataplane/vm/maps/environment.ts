/** What a map needs to know of the machine it is made in. */
import type { VmMap } from "./map.ts";

export interface MapEnvironment {
  /** Small and unique in the machine, from 1. */
  readonly id: number;
  /** Possible CPUs: values of a per-CPU map, and events of a perf event array whose size the loader chooses. */
  readonly cpuCount: number;
  /** Maps that can become inner maps. A machine without it has no map-in-map that can be filled. */
  readonly mapById?: (id: number) => VmMap | undefined;
  /** Whether a program has this id, so that it can go into a PROG_ARRAY. Left out: every id but 0 is taken. */
  readonly isProgram?: (id: number) => boolean;
  /** Whether an interface has this index, so that it can go into a DEVMAP. Left out: every index but 0 is taken. */
  readonly isInterface?: (ifindex: number) => boolean;
  /** Of the hash function; the same seed gives the same order of `nextKey`. Default 0. */
  readonly hashSeed?: number;
  /** Bytes of each CPU's perf buffer, a power of two. Default 65536. */
  readonly perfBufferBytes?: number;
}
