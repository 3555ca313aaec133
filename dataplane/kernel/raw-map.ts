/**
 * Any map by system calls: foreign objects' hash tables, LRU lists, tries and per-CPU maps, which the port does not know. Keys and values are bytes;
 * an operation on many elements takes one system call where the kernel can (BPF_MAP_*_BATCH, 5.6 and later, not for every type).
 */
import { MapError } from "../dataplane.ts";
import type { Descriptor } from "./descriptor.ts";
import { errnoName, errnoNumber, KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { mapInfo } from "./map-info.ts";
import { NativeStruct } from "./native.ts";

/** Update flags (include/uapi/linux/bpf.h). */
export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

/** BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE. */
const PER_CPU_TYPES: ReadonlySet<number> = new Set([5, 6, 10, 21]);

export interface MapEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

const ENOENT = 2;
const ENOSPC = 28;
/** Elements of one system call: enough that its cost does not matter, few enough that buffers stay small. */
const BATCH_COUNT = 1024;

export class RawMap {
  readonly name: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly keySizeBytes: number;
  /** Of the program's value; of a per-CPU map, of one CPU's. */
  readonly valueSizeBytes: number;
  /** What lookup gives and update takes: of a per-CPU map, a value for each possible CPU, each rounded up to 8. */
  readonly userValueSizeBytes: number;
  readonly maxEntries: number;
  readonly isPerCpu: boolean;
  readonly #descriptor: Descriptor;

  /** The descriptor stays its owner's. Throws KernelError. */
  constructor(descriptor: Descriptor, name: string) {
    const info = mapInfo(descriptor);
    this.name = name;
    this.type = info.type;
    this.keySizeBytes = info.keySizeBytes;
    this.valueSizeBytes = info.valueSizeBytes;
    this.maxEntries = info.maxEntries;
    this.isPerCpu = PER_CPU_TYPES.has(info.type);
    this.userValueSizeBytes = this.isPerCpu
      ? possibleCpuCount() * roundUp8(info.valueSizeBytes)
      : info.valueSizeBytes;
    this.#descriptor = descriptor;
  }

  /** A copy of the value; undefined when there is none. Throws MapError "wrong-size", KernelError. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    this.#requireKey(key);
    const value = new Uint8Array(this.userValueSizeBytes);
    const result = libbpf().bpf_map_lookup_elem(this.#descriptor.fd, key, value);
    if (result === -ENOENT) return undefined;
    this.#check(result, "look up");
    return value;
  }

  /** `flags`: BPF_ANY, BPF_NOEXIST, BPF_EXIST. Throws MapError "wrong-size", KernelError ("no-space" when it is full). */
  update(key: Uint8Array, value: Uint8Array, flags: number = BPF_ANY): void {
    this.#requireKey(key);
    this.#requireValue(value);
    this.#check(libbpf().bpf_map_update_elem(this.#descriptor.fd, key, value, flags), "update");
  }

  /** Whether it was there. Throws MapError "wrong-size", KernelError. */
  delete(key: Uint8Array): boolean {
    this.#requireKey(key);
    const result = libbpf().bpf_map_delete_elem(this.#descriptor.fd, key);
    if (result === -ENOENT) return false;
    this.#check(result, "delete");
    return true;
  }

  /**
   * The keys, each a copy. Of a table that changes meanwhile some may come twice or not at all; a key that is deleted when its successor is asked
   * for would start the walk anew, so that walk is bounded: it ends after as many keys as fit into the map.
   */
  *keys(): Generator<Uint8Array> {
    let key: Uint8Array | null = null;
    for (let count = 0; count < this.maxEntries; count++) {
      const next = new Uint8Array(this.keySizeBytes);
      const result = libbpf().bpf_map_get_next_key(this.#descriptor.fd, key, next);
      if (result === -ENOENT) return;
      this.#check(result, "walk");
      yield next;
      key = next;
    }
  }

  /** Every element, copied. By batches where the kernel can, one by one otherwise. Throws KernelError. */
  entries(): MapEntry[] {
    const batched = this.#entriesByBatch();
    if (batched !== undefined) return batched;
    const entries: MapEntry[] = [];
    for (const key of this.keys()) {
      const value = this.lookup(key);
      if (value !== undefined) entries.push({ key, value });
    }
    return entries;
  }

  /** Writes many elements. Those before the one that fails are written. Throws MapError "wrong-size", KernelError. */
  updateMany(entries: readonly MapEntry[], flags: number = BPF_ANY): void {
    for (const { key, value } of entries) {
      this.#requireKey(key);
      this.#requireValue(value);
    }
    for (let from = 0; from < entries.length; from += BATCH_COUNT) {
      const some = entries.slice(from, from + BATCH_COUNT);
      if (this.#updateBatch(some, flags)) continue;
      for (const { key, value } of some) this.update(key, value, flags);
    }
  }

  /** One CPU's part of a per-CPU value, as a view. */
  valueOfCpu(value: Uint8Array, cpu: number): Uint8Array {
    this.#requireValue(value);
    const stride = roundUp8(this.valueSizeBytes);
    if (!this.isPerCpu) throw new MapError("wrong-type", this.name, "has one value for all CPUs");
    if (!Number.isInteger(cpu) || cpu < 0 || (cpu + 1) * stride > value.length) {
      throw new MapError("out-of-range", this.name, `CPU ${cpu}, expected 0 to ${value.length / stride - 1}`);
    }
    return value.subarray(cpu * stride, cpu * stride + this.valueSizeBytes);
  }

  /** False when the kernel cannot do batches for this map. */
  #updateBatch(entries: readonly MapEntry[], flags: number): boolean {
    const keys = Buffer.concat(entries.map(({ key }) => key));
    const values = Buffer.concat(entries.map(({ value }) => value));
    const options = new NativeStruct(BATCH_OPTIONS_SIZE_BYTES, { hasSize: true }).setU64(8, BigInt(flags));
    const count = Uint32Array.of(entries.length);
    const result = libbpf().bpf_map_update_batch(this.#descriptor.fd, keys, values, count, options.bytes);
    if (isUnsupportedBatch(result)) return false;
    this.#check(result, "update many");
    return true;
  }

  /** Undefined when the kernel cannot do batches for this map. */
  #entriesByBatch(): MapEntry[] | undefined {
    // A trie's positions are keys; the others' are 32 bits, or a key for maps whose keys are longer.
    const positionSizeBytes = Math.max(this.keySizeBytes, 8);
    const entries: MapEntry[] = [];
    let from: Uint8Array | null = null;
    let batchCount = Math.min(BATCH_COUNT, Math.max(1, this.maxEntries));
    // A hash table's bucket that does not fit makes the kernel ask for more room.
    for (;;) {
      const next = new Uint8Array(positionSizeBytes);
      const keys = new Uint8Array(batchCount * this.keySizeBytes);
      const values = new Uint8Array(batchCount * this.userValueSizeBytes);
      const count = Uint32Array.of(batchCount);
      const result = libbpf().bpf_map_lookup_batch(
        this.#descriptor.fd,
        from,
        next,
        keys,
        values,
        count,
        null,
      );
      if (from === null && isUnsupportedBatch(result)) return undefined;
      if (result === -ENOSPC && batchCount < this.maxEntries) {
        batchCount = Math.min(batchCount * 4, this.maxEntries);
        continue;
      }
      if (result !== -ENOENT) this.#check(result, "read many");
      for (let i = 0; i < count[0]!; i++) {
        entries.push({
          key: keys.slice(i * this.keySizeBytes, (i + 1) * this.keySizeBytes),
          value: values.slice(i * this.userValueSizeBytes, (i + 1) * this.userValueSizeBytes),
        });
      }
      // Nobody else bounds the walk through a table that grows meanwhile.
      if (result === -ENOENT || entries.length > 2 * this.maxEntries) return entries;
      from = next;
    }
  }

  #requireKey(key: Uint8Array): void {
    if (key.length === this.keySizeBytes) return;
    throw new MapError("wrong-size", this.name, `key of ${key.length} bytes, expected ${this.keySizeBytes}`);
  }

  #requireValue(value: Uint8Array): void {
    if (value.length === this.userValueSizeBytes) return;
    throw new MapError(
      "wrong-size",
      this.name,
      `value of ${value.length} bytes, expected ${this.userValueSizeBytes}`,
    );
  }

  #check(result: number, what: string): void {
    if (result >= 0) return;
    const operation = `map "${this.name}": ${what}`;
    const errno = errnoName(result);
    if (errno === "EEXIST")
      throw new KernelError("busy", operation, "EEXIST (the key is there already)", { errno });
    throw systemError(operation, result);
  }
}

/** struct bpf_map_batch_opts: sz, elem_flags, flags. */
const BATCH_OPTIONS_SIZE_BYTES = 24;

/** CPUs that this host may ever have, as per-CPU maps count them. Throws KernelError. */
export function possibleCpuCount(): number {
  const count = libbpf().libbpf_num_possible_cpus();
  if (count < 0) throw systemError("count the CPUs", count);
  return count;
}

/** The type has no batch operations (ENOTSUPP), or the kernel none at all (EINVAL). */
function isUnsupportedBatch(result: number): boolean {
  return result === -524 || result === -(errnoNumber("EOPNOTSUPP") ?? 95) || result === -22;
}

function roundUp8(sizeBytes: number): number {
  return Math.ceil(sizeBytes / 8) * 8;
}
