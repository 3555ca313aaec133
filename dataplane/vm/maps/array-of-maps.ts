/**
 * ARRAY_OF_MAPS (kernel/bpf/arraymap.c, array_of_maps_map_ops). A slot is a u32: the inner map's handle, 0 when empty.
 *
 *   values + index * 4
 *
 * Only user space fills slots, with the id of a map that is like the template; a program gets the handle.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor, DESCRIPTOR_ID } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { E2BIG, EBADF, EINVAL, ENOENT, EOPNOTSUPP } from "./errno.ts";
import { isLikeTemplate } from "./inner-map.ts";
import type { VmMap } from "./map.ts";
import { nextIndex, readU32, requireKeySize, requireValueSize, u32Bytes } from "./map-access.ts";

const SLOT_BYTES = 4;

export class ArrayOfMaps implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: undefined = undefined;
  readonly #memory: Memory;
  readonly #slots: number;
  readonly #mapById: (id: number) => VmMap | undefined;
  readonly #template: MapSpec;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment, template: MapSpec) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#template = template;
    this.#mapById = environment.mapById ?? (() => undefined);
    this.#slots = memory.allocate(spec.maxEntries * SLOT_BYTES);
    this.handle = allocateDescriptor(memory, spec, {
      id: this.id,
      values: this.#slots,
      strideBytes: SLOT_BYTES,
    });
  }

  lookup(keyAddress: number, _cpu: number): number {
    const { view } = this.#memory;
    const index = view.getUint32(keyAddress, true);
    return index < this.spec.maxEntries ? view.getUint32(this.#slots + index * SLOT_BYTES, true) : 0;
  }

  update(_keyAddress: number, _valueAddress: number, _flags: bigint, _cpu: number): number {
    return -EOPNOTSUPP;
  }

  delete(_keyAddress: number): number {
    return -EOPNOTSUPP;
  }

  lookupValue(key: Uint8Array): Uint8Array | undefined {
    const address = this.#slotOf(key);
    if (address === 0) return undefined;
    const { view } = this.#memory;
    const inner = view.getUint32(address, true);
    return inner === 0 ? undefined : u32Bytes(view.getUint32(inner + DESCRIPTOR_ID, true));
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    requireValueSize(this.spec, value, 4);
    const address = this.#slotOf(key);
    if (flags !== 0n) return -EINVAL;
    if (address === 0) return -E2BIG;
    const inner = this.#mapById(readU32(value));
    if (inner === undefined) return -EBADF;
    if (!isLikeTemplate(inner.spec, this.#template)) return -EINVAL;
    this.#memory.view.setUint32(address, inner.handle, true);
    return 0;
  }

  deleteKey(key: Uint8Array): number {
    const address = this.#slotOf(key);
    if (address === 0) return -E2BIG;
    const { view } = this.#memory;
    if (view.getUint32(address, true) === 0) return -ENOENT;
    view.setUint32(address, 0, true);
    return 0;
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    if (key !== undefined) requireKeySize(this.spec, key);
    return nextIndex(key, this.spec.maxEntries);
  }

  /** 0 when the index is out of range. */
  #slotOf(key: Uint8Array): number {
    requireKeySize(this.spec, key);
    const index = readU32(key);
    return index < this.spec.maxEntries ? this.#slots + index * SLOT_BYTES : 0;
  }
}
