/**
 * ARRAY_OF_MAPS (array_of_maps in kernel/bpf/arraymap.c, Linux 6.18). A slot holds the inner map's handle, which is what a program
 * gets; user space puts in and sees the inner map's id.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { EOPNOTSUPP } from "./errno.ts";
import { IdSlots, SLOT_BYTES } from "./id-slots.ts";
import { idOfHandle, resolveInnerMap } from "./inner-map.ts";
import type { VmMap } from "./map.ts";
import { u32Bytes } from "./map-access.ts";

export class ArrayOfMaps implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: undefined = undefined;
  readonly #memory: Memory;
  readonly #slots: IdSlots;
  readonly #resolve: (id: number) => number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#slots = new IdSlots(spec, memory);
    this.#resolve = (id) => resolveInnerMap(id, spec, environment);
    this.handle = allocateDescriptor(memory, spec, {
      id: this.id,
      values: this.#slots.address,
      strideBytes: SLOT_BYTES,
    });
  }

  lookup(keyAddress: number, _cpu: number): number {
    return this.#slots.get(this.#memory.view.getUint32(keyAddress, true));
  }

  update(_keyAddress: number, _valueAddress: number, _flags: bigint, _cpu: number): number {
    return -EOPNOTSUPP;
  }

  delete(_keyAddress: number): number {
    return -EOPNOTSUPP;
  }

  lookupValue(key: Uint8Array): Uint8Array | undefined {
    const handle = this.#slots.lookup(key);
    return handle === 0 ? undefined : u32Bytes(idOfHandle(this.#memory, handle));
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    return this.#slots.update(key, value, flags, this.#resolve);
  }

  deleteKey(key: Uint8Array): number {
    return this.#slots.delete(key);
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#slots.nextKey(key);
  }
}
