/**
 * HASH, PERCPU_HASH, LRU_HASH and LRU_PERCPU_HASH (kernel/bpf/hashtab.c, Linux 6.18) over one hash table.
 *
 * - Replacing a value takes a new element, so that a pointer a program holds to the old value never shows half of the new one.
 *   Per-CPU values are written in place. Both as in the kernel.
 * - LRU maps never answer -E2BIG: see element-pool.ts for what goes. With BPF_F_NO_COMMON_LRU every CPU has an equal
 *   share of the entries and evicts only of its own; user space counts as CPU 0.
 * - A per-CPU map's values lie apart from the elements, at  values + cpu * span + element index * stride.
 *
 * State words of the descriptor:
 *   32 u32 buckets    36 u32 bucket count - 1    40 u32 seed     44 u32 entries in the table
 *   48 u32 elements   52 u32 bytes an element    56 u32 first pool    60 u32 span of one CPU's values (0: values are in the elements)
 *
 * Operations of different threads on one map are not kept apart: whoever runs CPUs on several threads has to do so.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor, DESCRIPTOR_STATE } from "./descriptor.ts";
import { ElementPool, markReferenced } from "./element-pool.ts";
import type { MapEnvironment } from "./environment.ts";
import { E2BIG, EACCES, EEXIST, EINVAL, ENOENT } from "./errno.ts";
import { HashTable } from "./hash-table.ts";
import type { VmMap } from "./map.ts";
import {
  isReadonlyForPrograms,
  perCpuSpan,
  requireKeySize,
  requireValueSize,
  roundUp,
} from "./map-access.ts";
import {
  BPF_EXIST,
  BPF_F_NO_COMMON_LRU,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_HASH,
  BPF_NOEXIST,
} from "./map-type.ts";

const STATE_COUNT: number = DESCRIPTOR_STATE + 12;

export class HashMap implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: {
    readonly address: number;
    readonly sizeBytes: number;
    readonly strideBytes: number;
  };
  readonly #memory: Memory;
  readonly #table: HashTable;
  /** One, or one per CPU with BPF_F_NO_COMMON_LRU. */
  readonly #pools: readonly ElementPool[];
  /** How many entries one pool's CPUs may have. */
  readonly #entriesPerPool: number;
  readonly #isLru: boolean;
  readonly #isPerCpu: boolean;
  readonly #copies: number;
  readonly #stride: number;
  readonly #span: number;
  /** Where a key and a value from user space are put for the length of a call. */
  readonly #scratchKey: number;
  readonly #scratchValue: number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#isPerCpu = spec.type === BPF_MAP_TYPE_PERCPU_HASH || spec.type === BPF_MAP_TYPE_LRU_PERCPU_HASH;
    this.#isLru = spec.type === BPF_MAP_TYPE_LRU_HASH || spec.type === BPF_MAP_TYPE_LRU_PERCPU_HASH;
    this.#copies = this.#isPerCpu ? environment.cpuCount : 1;

    // One element more than a pool's entries, to write a new value into before the old one is taken out.
    const poolCount = (spec.flags & BPF_F_NO_COMMON_LRU) !== 0 ? environment.cpuCount : 1;
    this.#entriesPerPool = Math.ceil(spec.maxEntries / poolCount);
    const elementsPerPool = this.#entriesPerPool + 1;
    const seed = environment.hashSeed ?? 0;
    const table = new HashTable(memory, {
      elementCount: elementsPerPool * poolCount,
      bucketCount: spec.maxEntries,
      keySizeBytes: spec.keySizeBytes,
      valueSizeBytes: this.#isPerCpu ? 0 : spec.valueSizeBytes,
      seed,
    });
    this.#table = table;
    this.#pools = Array.from(
      { length: poolCount },
      (_, i) => new ElementPool(memory, table, { firstIndex: i * elementsPerPool, count: elementsPerPool }),
    );

    const valueBytes = roundUp(spec.valueSizeBytes, 8);
    if (this.#isPerCpu) {
      this.#stride = valueBytes;
      this.#span = perCpuSpan(table.elementCount, valueBytes);
      const sizeBytes = this.#span * this.#copies;
      this.valueRegion = { address: memory.allocate(sizeBytes, 64), sizeBytes, strideBytes: this.#stride };
    } else {
      this.#stride = table.elementBytes;
      this.#span = 0;
      const sizeBytes = (table.elementCount - 1) * table.elementBytes + valueBytes;
      this.valueRegion = {
        address: table.elements + table.valueOffset,
        sizeBytes,
        strideBytes: this.#stride,
      };
    }
    this.#scratchKey = memory.allocate(spec.keySizeBytes);
    this.#scratchValue = memory.allocate(valueBytes * this.#copies);

    this.handle = allocateDescriptor(memory, spec, {
      id: this.id,
      values: this.valueRegion.address,
      strideBytes: this.#stride,
    });
    const words = [
      table.buckets,
      table.bucketCount - 1,
      seed,
      0,
      table.elements,
      table.elementBytes,
      this.#pools[0]!.address,
      this.#span,
    ];
    words.forEach((word, i) => {
      memory.view.setUint32(this.handle + DESCRIPTOR_STATE + i * 4, word, true);
    });
  }

  /** Entries in the map. */
  get count(): number {
    return this.#memory.view.getUint32(this.handle + STATE_COUNT, true);
  }

  lookup(keyAddress: number, cpu: number): number {
    const element = this.#table.find(keyAddress, this.#table.hash(keyAddress));
    if (element === 0) return 0;
    if (this.#isLru) markReferenced(this.#memory, element);
    return this.#valueAddress(element, cpu);
  }

  update(keyAddress: number, valueAddress: number, flags: bigint, cpu: number): number {
    if (isReadonlyForPrograms(this.spec)) return -EACCES;
    return this.#put(keyAddress, valueAddress, { flags, cpu, isForAllCpus: false });
  }

  delete(keyAddress: number): number {
    return isReadonlyForPrograms(this.spec) ? -EACCES : this.#remove(keyAddress);
  }

  /** Does not count as a use of an LRU map's entry. */
  lookupValue(key: Uint8Array): Uint8Array | undefined {
    const element = this.#findUserKey(key);
    if (element === 0) return undefined;
    if (!this.#isPerCpu) return this.#memory.read(this.#valueAddress(element, 0), this.spec.valueSizeBytes);
    const value = new Uint8Array(this.#stride * this.#copies);
    for (let cpu = 0; cpu < this.#copies; cpu++) {
      value.set(this.#memory.read(this.#valueAddress(element, cpu), this.#stride), cpu * this.#stride);
    }
    return value;
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    requireKeySize(this.spec, key);
    requireValueSize(
      this.spec,
      value,
      this.#isPerCpu ? this.#stride * this.#copies : this.spec.valueSizeBytes,
    );
    this.#memory.write(this.#scratchKey, key);
    this.#memory.write(this.#scratchValue, value);
    return this.#put(this.#scratchKey, this.#scratchValue, { flags, cpu: 0, isForAllCpus: this.#isPerCpu });
  }

  deleteKey(key: Uint8Array): number {
    requireKeySize(this.spec, key);
    this.#memory.write(this.#scratchKey, key);
    return this.#remove(this.#scratchKey);
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    const element = this.#table.next(key === undefined ? 0 : this.#findUserKey(key));
    return element === 0 ? undefined : this.#table.keyOf(element);
  }

  #put(
    keyAddress: number,
    valueAddress: number,
    how: { readonly flags: bigint; readonly cpu: number; readonly isForAllCpus: boolean },
  ): number {
    if (how.flags > BPF_EXIST || how.flags < 0n) return -EINVAL;
    const hash = this.#table.hash(keyAddress);
    const old = this.#table.find(keyAddress, hash);
    if (old !== 0 && how.flags === BPF_NOEXIST) return -EEXIST;
    if (old === 0 && how.flags === BPF_EXIST) return -ENOENT;

    if (old !== 0 && this.#isPerCpu) {
      this.#writeValue(old, valueAddress, how.cpu, how.isForAllCpus);
      if (this.#isLru) markReferenced(this.#memory, old);
      return 0;
    }

    const pool = this.#pools[this.#pools.length === 1 ? 0 : how.cpu]!;
    const entriesThen = pool.usedCount + (old !== 0 && pool.owns(old) ? 0 : 1);
    const isFull = entriesThen > this.#entriesPerPool;
    if (isFull && !this.#isLru) return -E2BIG;

    // What leaves is freed last: the program's key and value may lie in it.
    const victim = isFull ? pool.victim() : 0;
    const element = pool.take();
    if (this.#isPerCpu && !how.isForAllCpus) this.#zeroValues(element);
    this.#writeValue(element, valueAddress, how.cpu, how.isForAllCpus);
    this.#table.insert(element, keyAddress, hash);
    this.#setCount(this.count + 1);
    if (this.#isLru && old !== 0) markReferenced(this.#memory, element);
    if (old !== 0) this.#free(old);
    if (victim !== 0) this.#free(victim);
    return 0;
  }

  #remove(keyAddress: number): number {
    const element = this.#table.find(keyAddress, this.#table.hash(keyAddress));
    if (element === 0) return -ENOENT;
    this.#free(element);
    return 0;
  }

  #free(element: number): void {
    this.#table.remove(element);
    this.#setCount(this.count - 1);
    for (const pool of this.#pools) {
      if (pool.owns(element)) {
        pool.give(element);
        return;
      }
    }
  }

  #setCount(count: number): void {
    this.#memory.view.setUint32(this.handle + STATE_COUNT, count, true);
  }

  #valueAddress(element: number, cpu: number): number {
    return this.valueRegion.address + this.#span * cpu + this.#table.indexOf(element) * this.#stride;
  }

  #writeValue(element: number, valueAddress: number, cpu: number, isForAllCpus: boolean): void {
    const { u8 } = this.#memory;
    if (!isForAllCpus) {
      u8.copyWithin(this.#valueAddress(element, cpu), valueAddress, valueAddress + this.spec.valueSizeBytes);
      return;
    }
    for (let i = 0; i < this.#copies; i++) {
      const start = valueAddress + i * this.#stride;
      u8.copyWithin(this.#valueAddress(element, i), start, start + this.#stride);
    }
  }

  /** A program's first value for a key is its own CPU's; the others start as zeros, whatever the element held before. */
  #zeroValues(element: number): void {
    for (let cpu = 0; cpu < this.#copies; cpu++) {
      const start = this.#valueAddress(element, cpu);
      this.#memory.u8.fill(0, start, start + this.#stride);
    }
  }

  /** 0 when it is not there. */
  #findUserKey(key: Uint8Array): number {
    requireKeySize(this.spec, key);
    this.#memory.write(this.#scratchKey, key);
    return this.#table.find(this.#scratchKey, this.#table.hash(this.#scratchKey));
  }
}
