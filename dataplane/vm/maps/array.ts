/**
 * ARRAY and PERCPU_ARRAY (kernel/bpf/arraymap.c, Linux 6.18): every element exists from the start, zeroed.
 *
 *   ARRAY                               PERCPU_ARRAY
 *   values + index * stride             values + cpu * span + index * stride
 *
 * stride is the value size rounded up to 8. A BPF_F_MMAPABLE array starts on a page and fills whole pages, as in the
 * kernel, so that a 64-byte value is one cache line; the others start on a line. A CPU's span is both whole elements and whole
 * lines, so that no two CPUs write one line.
 *
 * State words of the descriptor:  32 u32 span of one CPU (0: one copy for all)
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor, DESCRIPTOR_STATE } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { E2BIG, EACCES, EEXIST, EINVAL, EPERM } from "./errno.ts";
import type { VmMap } from "./map.ts";
import {
  arrayUpdateFlags,
  isReadonlyForPrograms,
  nextIndex,
  perCpuSpan,
  readU32,
  requireKeySize,
  requireValueSize,
  roundUp,
} from "./map-access.ts";
import { BPF_F_MMAPABLE, BPF_MAP_TYPE_PERCPU_ARRAY } from "./map-type.ts";

const PAGE_BYTES = 4096;
const LINE_BYTES = 64;
const ARRAY_STATE_SPAN: number = DESCRIPTOR_STATE;

export class ArrayMap implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: {
    readonly address: number;
    readonly sizeBytes: number;
    readonly strideBytes: number;
  };
  readonly #memory: Memory;
  readonly #values: number;
  readonly #stride: number;
  /** Distance of one CPU's values from the next one's; 0 when all CPUs share them. */
  readonly #span: number;
  readonly #copies: number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    const isPerCpu = spec.type === BPF_MAP_TYPE_PERCPU_ARRAY;
    const isMapped = (spec.flags & BPF_F_MMAPABLE) !== 0;
    const stride = roundUp(spec.valueSizeBytes, 8);
    const copies = isPerCpu ? environment.cpuCount : 1;
    const span = isPerCpu ? perCpuSpan(spec.maxEntries, stride) : spec.maxEntries * stride;
    const values = isMapped
      ? memory.allocate(roundUp(span, PAGE_BYTES), PAGE_BYTES)
      : memory.allocate(span * copies, LINE_BYTES);

    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#values = values;
    this.#stride = stride;
    this.#span = isPerCpu ? span : 0;
    this.#copies = copies;
    this.valueRegion = { address: values, sizeBytes: span * copies, strideBytes: stride };
    this.handle = allocateDescriptor(memory, spec, { id: this.id, values, strideBytes: stride });
    memory.view.setUint32(this.handle + ARRAY_STATE_SPAN, this.#span, true);
    if (spec.contents !== undefined) memory.write(values, spec.contents);
  }

  lookup(keyAddress: number, cpu: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    return index < this.spec.maxEntries ? this.elementAddress(index, cpu) : 0;
  }

  /** Where the value of an element in range lies; `cpu` matters to a per-CPU array only. */
  elementAddress(index: number, cpu: number): number {
    return this.#values + this.#span * cpu + this.#stride * index;
  }

  update(keyAddress: number, valueAddress: number, flags: bigint, cpu: number): number {
    if (isReadonlyForPrograms(this.spec)) return -EACCES;
    const index = this.#memory.view.getUint32(keyAddress, true);
    const refusal = this.#refuse(index, flags);
    if (refusal !== 0) return refusal;
    const { u8 } = this.#memory;
    u8.copyWithin(this.elementAddress(index, cpu), valueAddress, valueAddress + this.spec.valueSizeBytes);
    return 0;
  }

  delete(_keyAddress: number): number {
    return isReadonlyForPrograms(this.spec) ? -EACCES : -EINVAL;
  }

  lookupValue(key: Uint8Array): Uint8Array | undefined {
    requireKeySize(this.spec, key);
    const index = readU32(key);
    if (index >= this.spec.maxEntries) return undefined;
    if (this.#span === 0) return this.#memory.read(this.elementAddress(index, 0), this.spec.valueSizeBytes);
    const value = new Uint8Array(this.#stride * this.#copies);
    for (let cpu = 0; cpu < this.#copies; cpu++) {
      value.set(this.#memory.read(this.elementAddress(index, cpu), this.#stride), cpu * this.#stride);
    }
    return value;
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    requireKeySize(this.spec, key);
    const isPerCpu = this.#span !== 0;
    requireValueSize(this.spec, value, isPerCpu ? this.#stride * this.#copies : this.spec.valueSizeBytes);
    // A loader freezes .rodata once it is filled.
    if (this.spec.isReadonly) return -EPERM;
    const index = readU32(key);
    const refusal = this.#refuse(index, flags);
    if (refusal !== 0) return refusal;
    for (let cpu = 0; cpu < this.#copies; cpu++) {
      const start = cpu * this.#stride;
      const one = isPerCpu ? value.subarray(start, start + this.#stride) : value;
      this.#memory.write(this.elementAddress(index, cpu), one);
    }
    return 0;
  }

  deleteKey(key: Uint8Array): number {
    requireKeySize(this.spec, key);
    return this.spec.isReadonly ? -EPERM : -EINVAL;
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    if (key !== undefined) requireKeySize(this.spec, key);
    return nextIndex(key, this.spec.maxEntries);
  }

  #refuse(index: number, flags: bigint): number {
    const verdict = arrayUpdateFlags(flags);
    if (verdict === "invalid") return -EINVAL;
    if (index >= this.spec.maxEntries) return -E2BIG;
    return verdict === "exists" ? -EEXIST : 0;
  }
}
