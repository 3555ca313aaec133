/**
 * RINGBUF (kernel/bpf/ringbuf.c, Linux 6.18): records that programs reserve and submit, and the host consumes. It has neither
 * keys nor values, so the operations of other maps answer -EOPNOTSUPP.
 *
 * State word of the descriptor:  32 u32 base of the ring (record-ring.ts)
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor, DESCRIPTOR_STATE } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { EAGAIN, EINVAL, EOPNOTSUPP } from "./errno.ts";
import type { VmMap } from "./map.ts";
import { RecordRing } from "./record-ring.ts";

// What bpf_ringbuf_query asks for.
const BPF_RB_AVAIL_DATA = 0n;
const BPF_RB_RING_SIZE = 1n;
const BPF_RB_CONS_POS = 2n;
const BPF_RB_PROD_POS = 3n;

const BPF_RB_NO_WAKEUP = 1n;
const BPF_RB_FORCE_WAKEUP = 2n;

export class Ringbuf implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  /** Programs get pointers to records they have reserved, not to values. */
  readonly valueRegion: undefined = undefined;
  readonly #memory: Memory;
  readonly #ring: RecordRing;

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#ring = new RecordRing(memory, { capacityBytes: spec.maxEntries, mapId: this.id });
    this.handle = allocateDescriptor(memory, spec, { id: this.id, values: 0, strideBytes: 0 });
    memory.view.setUint32(this.handle + DESCRIPTOR_STATE, this.#ring.base, true);
  }

  /** bpf_ringbuf_reserve: the address of `sizeBytes` to fill, or 0 when they do not fit or flags are not 0. */
  reserve(sizeBytes: number, flags = 0n): number {
    return flags === 0n ? this.#ring.reserve(sizeBytes) : 0;
  }

  /** Bytes of the reservation at `address`, which must have come from `reserve`; undefined once submitted or discarded. */
  reservedSize(address: number): number | undefined {
    return this.#ring.reservedSize(address);
  }

  /** bpf_ringbuf_submit. `address` must be a live reservation. Wake-up flags mean nothing here: the host looks when it wants. */
  submit(address: number): void {
    this.#ring.commit(address, false);
  }

  /** bpf_ringbuf_discard. `address` must be a live reservation. */
  discard(address: number): void {
    this.#ring.commit(address, true);
  }

  /** bpf_ringbuf_output: 0, -EINVAL for unknown flags, -EAGAIN when there is no room. */
  output(dataAddress: number, sizeBytes: number, flags: bigint): number {
    if ((flags & ~(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)) !== 0n) return -EINVAL;
    const record = this.#ring.reserve(sizeBytes);
    if (record === 0) return -EAGAIN;
    this.#memory.u8.copyWithin(record, dataAddress, dataAddress + sizeBytes);
    this.#ring.commit(record, false);
    return 0;
  }

  /** bpf_ringbuf_query; 0 for what it does not know. */
  query(what: bigint): bigint {
    switch (what) {
      case BPF_RB_AVAIL_DATA:
        return BigInt(this.#ring.producerPosition - this.#ring.consumerPosition);
      case BPF_RB_RING_SIZE:
        return BigInt(this.#ring.capacityBytes);
      case BPF_RB_CONS_POS:
        return BigInt(this.#ring.consumerPosition);
      case BPF_RB_PROD_POS:
        return BigInt(this.#ring.producerPosition);
      default:
        return 0n;
    }
  }

  /**
   * The host's side: hands out complete records in the order they were reserved, at most `limit`, and returns how many. The bytes
   * are live and reused after `use` returns.
   */
  consume(use: (record: Uint8Array) => void, limit?: number): number {
    return this.#ring.consume(use, limit);
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

  lookupValue(_key: Uint8Array): Uint8Array | undefined {
    return undefined;
  }

  updateValue(_key: Uint8Array, _value: Uint8Array, _flags?: bigint): number {
    return -EOPNOTSUPP;
  }

  deleteKey(_key: Uint8Array): number {
    return -EOPNOTSUPP;
  }

  nextKey(_key: Uint8Array | undefined): Uint8Array | undefined {
    return undefined;
  }
}
