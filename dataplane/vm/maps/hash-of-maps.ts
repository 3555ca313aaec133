/**
 * HASH_OF_MAPS (htab_of_maps in kernel/bpf/hashtab.c, Linux 6.18): a hash map whose value is the inner map's handle. A program gets the
 * handle itself and cannot change the map; user space puts in and sees the inner map's id.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import type { MapEnvironment } from "./environment.ts";
import { EOPNOTSUPP } from "./errno.ts";
import { HashMap } from "./hash.ts";
import { idOfHandle, resolveInnerMap } from "./inner-map.ts";
import type { VmMap } from "./map.ts";
import { readU32, requireValueSize, u32Bytes } from "./map-access.ts";

export class HashOfMaps implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: undefined = undefined;
  readonly #memory: Memory;
  readonly #handles: HashMap;
  readonly #resolve: (id: number) => number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#handles = new HashMap(spec, memory, environment);
    this.#resolve = (id) => resolveInnerMap(id, spec, environment);
    this.handle = this.#handles.handle;
  }

  lookup(keyAddress: number, cpu: number): number {
    const value = this.#handles.lookup(keyAddress, cpu);
    return value === 0 ? 0 : this.#memory.view.getUint32(value, true);
  }

  update(_keyAddress: number, _valueAddress: number, _flags: bigint, _cpu: number): number {
    return -EOPNOTSUPP;
  }

  delete(_keyAddress: number): number {
    return -EOPNOTSUPP;
  }

  lookupValue(key: Uint8Array): Uint8Array | undefined {
    const handle = this.#handles.lookupValue(key);
    return handle === undefined ? undefined : u32Bytes(idOfHandle(this.#memory, readU32(handle)));
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    requireValueSize(this.spec, value, 4);
    const handle = this.#resolve(readU32(value));
    return handle < 0 ? handle : this.#handles.updateValue(key, u32Bytes(handle), flags);
  }

  deleteKey(key: Uint8Array): number {
    return this.#handles.deleteKey(key);
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#handles.nextKey(key);
  }
}
