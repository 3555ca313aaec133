/**
 * What the helpers and the loader see of a map. Every implementation keeps *all* its state (buckets, LRU lists, trie nodes,
 * ring positions, values) in the machine's linear memory, so that compiled code and other worker threads can work on the same
 * bytes; the TypeScript object holds only addresses and sizes. Keys and values are passed by address in that memory.
 *
 * Results follow the kernel: 0 or a negative errno (see errno.ts), and address 0 for "not there".
 */
import type { MapSpec } from "../../object/spec.ts";

export interface VmMap {
  readonly spec: MapSpec;
  /** Small and unique in a machine, from 1. */
  readonly id: number;
  /**
   * The address that stands for the map itself in a program (ld_imm64 of a map, an inner map looked up): a small block of the map's
   * own, which no program may read or write.
   */
  readonly handle: number;
  /** bpf_map_lookup_elem: the value's address for this CPU, or 0. Map-in-map: the inner map's `handle`, or 0. */
  lookup(keyAddress: number, cpu: number): number;
  /** bpf_map_update_elem from a program on this CPU. */
  update(keyAddress: number, valueAddress: number, flags: bigint, cpu: number): number;
  delete(keyAddress: number): number;
  /**
   * The same from user space, on byte arrays: a per-CPU map's value is one value per possible CPU, each rounded up to 8 bytes;
   * a map-in-map's is the inner map's id (u32). `flags` as bpf(2).
   */
  lookupValue(key: Uint8Array): Uint8Array | undefined;
  updateValue(key: Uint8Array, value: Uint8Array, flags?: bigint): number;
  deleteKey(key: Uint8Array): number;
  /** bpf_map_get_next_key: the key after `key`, or the first when `key` is undefined or not there; undefined at the end. */
  nextKey(key: Uint8Array | undefined): Uint8Array | undefined;
  /**
   * Where values lie, so that accesses can be checked: the i-th starts at `address + i * strideBytes`, and a pointer to it is good
   * for `spec.valueSizeBytes` from there and nothing else of the stride. Undefined when a program never gets a pointer to a value.
   */
  readonly valueRegion:
    | { readonly address: number; readonly sizeBytes: number; readonly strideBytes: number }
    | undefined;
}
