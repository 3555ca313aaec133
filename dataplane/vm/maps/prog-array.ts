/**
 * PROG_ARRAY (kernel/bpf/arraymap.c, Linux 6.18): programs to tail-call, by index. A slot holds a program's id, which the
 * machine gives out; user space puts in and sees that id.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { EBADF, EOPNOTSUPP } from "./errno.ts";
import { IdSlots, SLOT_BYTES } from "./id-slots.ts";
import type { VmMap } from "./map.ts";
import { u32Bytes } from "./map-access.ts";

export class ProgArray implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: undefined = undefined;
  readonly #slots: IdSlots;
  readonly #resolve: (id: number) => number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#slots = new IdSlots(spec, memory);
    const isProgram = environment.isProgram ?? (() => true);
    this.#resolve = (id) => (id !== 0 && isProgram(id) ? id : -EBADF);
    this.handle = allocateDescriptor(memory, spec, {
      id: this.id,
      values: this.#slots.address,
      strideBytes: SLOT_BYTES,
    });
  }

  /** The id of the program to tail-call; 0 when the index is out of range or its slot empty. */
  programId(index: number): number {
    return this.#slots.get(index);
  }

  lookup(_keyAddress: number, _cpu: number): number {
    return 0;
  }

  update(_keyAddress: number, _valueAddress: number, _flags: bigint, _cpu: number): number {
    return -EOPNOTSUPP;
  }

  delete(_keyAddress: number): number {
    return -EOPNOTSUPP;
  }

  lookupValue(key: Uint8Array): Uint8Array | undefined {
    const id = this.#slots.lookup(key);
    return id === 0 ? undefined : u32Bytes(id);
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
