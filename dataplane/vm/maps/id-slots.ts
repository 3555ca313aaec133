/**
 * What the maps of file descriptors have in common (fd_array_map in kernel/bpf/arraymap.c, Linux 6.18): PROG_ARRAY, ARRAY_OF_MAPS and
 * PERF_EVENT_ARRAY. Only user space fills them; where the kernel takes a descriptor, ids are taken here.
 *
 *   address + index * 4    u32, 0 when the slot is empty; what else it holds is the map's affair
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { E2BIG, EINVAL, ENOENT } from "./errno.ts";
import { nextIndex, readU32, requireKeySize, requireValueSize } from "./map-access.ts";

export const SLOT_BYTES = 4;

export class IdSlots {
  readonly address: number;
  readonly #spec: MapSpec;
  readonly #memory: Memory;

  constructor(spec: MapSpec, memory: Memory) {
    this.#spec = spec;
    this.#memory = memory;
    this.address = memory.allocate(spec.maxEntries * SLOT_BYTES);
  }

  /** 0 for an empty slot and for an index out of range. */
  get(index: number): number {
    if (index >= this.#spec.maxEntries) return 0;
    return this.#memory.view.getUint32(this.address + index * SLOT_BYTES, true);
  }

  /** `index` must be in range. */
  set(index: number, word: number): void {
    this.#memory.view.setUint32(this.address + index * SLOT_BYTES, word, true);
  }

  /** By a key from user space; 0 as `get`. */
  lookup(key: Uint8Array): number {
    requireKeySize(this.#spec, key);
    return this.get(readU32(key));
  }

  /** `resolve` turns the id in `value` into what the slot holds, or into a negative errno. */
  update(key: Uint8Array, value: Uint8Array, flags: bigint, resolve: (id: number) => number): number {
    requireKeySize(this.#spec, key);
    requireValueSize(this.#spec, value, SLOT_BYTES);
    if (flags !== 0n) return -EINVAL;
    const index = readU32(key);
    if (index >= this.#spec.maxEntries) return -E2BIG;
    const word = resolve(readU32(value));
    if (word < 0) return word;
    this.set(index, word);
    return 0;
  }

  delete(key: Uint8Array): number {
    requireKeySize(this.#spec, key);
    const index = readU32(key);
    if (index >= this.#spec.maxEntries) return -E2BIG;
    if (this.get(index) === 0) return -ENOENT;
    this.set(index, 0);
    return 0;
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    if (key !== undefined) requireKeySize(this.#spec, key);
    return nextIndex(key, this.#spec.maxEntries);
  }
}
