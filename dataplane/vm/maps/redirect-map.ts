/**
 * The maps that bpf_redirect_map takes: DEVMAP, DEVMAP_HASH, CPUMAP and XSKMAP (kernel/bpf/devmap.c, cpumap.c and net/xdp/xskmap.c, Linux
 * 6.18). Here they only say where a frame shall go; going there is the NIC's affair.
 *
 *   DEVMAP, DEVMAP_HASH   0 u32 ifindex         4 u32 id of a program to run there (only in 8-byte values)
 *   CPUMAP                0 u32 queue size      4 u32 the same
 *   XSKMAP                0 u32 a socket's id, whatever the host means by it
 *
 * The indexed ones lie at  values + index * 8,  and a target of 0 is an empty slot.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { E2BIG, EBADF, EEXIST, EINVAL, ENODEV, ENOENT, EOPNOTSUPP, EOVERFLOW } from "./errno.ts";
import { HashMap } from "./hash.ts";
import type { VmMap } from "./map.ts";
import { nextIndex, readU32, requireKeySize, requireValueSize, u32Bytes } from "./map-access.ts";
import {
  BPF_EXIST,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_XSKMAP,
  BPF_NOEXIST,
} from "./map-type.ts";

const STRIDE_BYTES = 8;
/** The longest queue of a CPUMAP entry, in frames. */
const CPUMAP_QUEUE_MAX = 16384;

/** A map that bpf_redirect_map takes. */
export interface RedirectMap extends VmMap {
  /** Ifindex, CPU queue size or socket id of an entry; 0 when there is none. */
  target(key: number): number;
}

export class IndexedRedirectMap implements RedirectMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: {
    readonly address: number;
    readonly sizeBytes: number;
    readonly strideBytes: number;
  };
  readonly #memory: Memory;
  readonly #environment: MapEnvironment;
  readonly #values: number;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    // As the kernel does to a DEVMAP: programs may look at an entry, not change it.
    this.spec = { ...spec, flags: spec.flags | BPF_F_RDONLY_PROG };
    this.id = environment.id;
    this.#memory = memory;
    this.#environment = environment;
    const sizeBytes = spec.maxEntries * STRIDE_BYTES;
    this.#values = memory.allocate(sizeBytes, 64);
    this.valueRegion = { address: this.#values, sizeBytes, strideBytes: STRIDE_BYTES };
    this.handle = allocateDescriptor(memory, this.spec, {
      id: this.id,
      values: this.#values,
      strideBytes: STRIDE_BYTES,
    });
  }

  target(index: number): number {
    return index < this.spec.maxEntries ? this.#memory.view.getUint32(this.#address(index), true) : 0;
  }

  lookup(keyAddress: number, _cpu: number): number {
    const index = this.#memory.view.getUint32(keyAddress, true);
    return this.target(index) === 0 ? 0 : this.#address(index);
  }

  update(_keyAddress: number, _valueAddress: number, _flags: bigint, _cpu: number): number {
    return -EOPNOTSUPP;
  }

  delete(_keyAddress: number): number {
    return -EOPNOTSUPP;
  }

  /** An XSKMAP has no lookup from user space in the kernel (-EOPNOTSUPP). */
  lookupValue(key: Uint8Array): Uint8Array | undefined {
    requireKeySize(this.spec, key);
    const index = readU32(key);
    if (this.spec.type === BPF_MAP_TYPE_XSKMAP || this.target(index) === 0) return undefined;
    return this.#memory.read(this.#address(index), this.spec.valueSizeBytes);
  }

  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    requireKeySize(this.spec, key);
    requireValueSize(this.spec, value, this.spec.valueSizeBytes);
    if (flags > BPF_EXIST || flags < 0n) return -EINVAL;
    const index = readU32(key);
    if (index >= this.spec.maxEntries) return -E2BIG;
    const refusal = this.#refuse(index, value, flags);
    if (refusal !== 0) return refusal;
    this.#memory.write(this.#address(index), value);
    return 0;
  }

  deleteKey(key: Uint8Array): number {
    requireKeySize(this.spec, key);
    const index = readU32(key);
    if (index >= this.spec.maxEntries) return -EINVAL;
    this.#memory.u8.fill(0, this.#address(index), this.#address(index) + STRIDE_BYTES);
    return 0;
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    if (key !== undefined) requireKeySize(this.spec, key);
    return nextIndex(key, this.spec.maxEntries);
  }

  /** 0 when the entry may be written. */
  #refuse(index: number, value: Uint8Array, flags: bigint): number {
    const target = readU32(value);
    switch (this.spec.type) {
      case BPF_MAP_TYPE_XSKMAP:
        if (target === 0) return -EBADF;
        if (target === this.target(index)) return 0;
        if (this.target(index) !== 0) return flags === BPF_NOEXIST ? -EEXIST : 0;
        return flags === BPF_EXIST ? -ENOENT : 0;
      case BPF_MAP_TYPE_CPUMAP:
        if (flags === BPF_NOEXIST) return -EEXIST;
        if (target > CPUMAP_QUEUE_MAX) return -EOVERFLOW;
        return index < this.#environment.cpuCount ? refuseProgram(value, this.#environment) : -ENODEV;
      case BPF_MAP_TYPE_DEVMAP:
        // An element always exists, if only as "no interface".
        if (flags === BPF_NOEXIST) return -EEXIST;
        return refuseDevice(value, this.#environment);
      default:
        return -EOPNOTSUPP;
    }
  }

  #address(index: number): number {
    return this.#values + index * STRIDE_BYTES;
  }
}

export class DevmapHash implements RedirectMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: {
    readonly address: number;
    readonly sizeBytes: number;
    readonly strideBytes: number;
  };
  readonly #environment: MapEnvironment;
  readonly #entries: HashMap;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.#entries = new HashMap({ ...spec, flags: spec.flags | BPF_F_RDONLY_PROG }, memory, environment);
    this.spec = this.#entries.spec;
    this.id = environment.id;
    this.handle = this.#entries.handle;
    this.valueRegion = this.#entries.valueRegion;
    this.#environment = environment;
  }

  target(key: number): number {
    const value = this.#entries.lookupValue(u32Bytes(key));
    return value === undefined ? 0 : readU32(value);
  }

  lookup(keyAddress: number, cpu: number): number {
    return this.#entries.lookup(keyAddress, cpu);
  }

  update(_keyAddress: number, _valueAddress: number, _flags: bigint, _cpu: number): number {
    return -EOPNOTSUPP;
  }

  delete(_keyAddress: number): number {
    return -EOPNOTSUPP;
  }

  lookupValue(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.lookupValue(key);
  }

  /** Unlike a HASH it takes BPF_EXIST for a key that is not there, as the kernel does. */
  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    requireValueSize(this.spec, value, this.spec.valueSizeBytes);
    if (flags > BPF_EXIST || flags < 0n || readU32(value) === 0) return -EINVAL;
    if (flags === BPF_NOEXIST && this.#entries.lookupValue(key) !== undefined) return -EEXIST;
    const refusal = refuseDevice(value, this.#environment);
    return refusal === 0 ? this.#entries.updateValue(key, value) : refusal;
  }

  deleteKey(key: Uint8Array): number {
    return this.#entries.deleteKey(key);
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#entries.nextKey(key);
  }
}

/** -EINVAL for an interface that does not exist, and for a program where there is no interface. */
function refuseDevice(value: Uint8Array, environment: MapEnvironment): number {
  const ifindex = readU32(value);
  const isInterface = environment.isInterface ?? (() => true);
  if (ifindex === 0) return programOf(value) === 0 ? 0 : -EINVAL;
  return isInterface(ifindex) ? refuseProgram(value, environment) : -EINVAL;
}

function refuseProgram(value: Uint8Array, environment: MapEnvironment): number {
  const program = programOf(value);
  const isProgram = environment.isProgram ?? (() => true);
  return program === 0 || isProgram(program) ? 0 : -EINVAL;
}

function programOf(value: Uint8Array): number {
  return value.length === 8 ? readU32(value.subarray(4)) : 0;
}
