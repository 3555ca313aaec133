/**
 * PERF_EVENT_ARRAY (kernel/bpf/arraymap.c and kernel/trace/bpf_trace.c, Linux 6.18). A slot holds a perf event, which here is a
 * buffer of one CPU; the host opens it, programs write samples into it, and the host consumes them.
 *
 * A slot (id-slots.ts) holds the CPU of the event + 1.
 *
 * As in the kernel a program can only write to an event of the CPU it runs on, a full buffer loses the sample and counts it, and
 * a sample's data is padded so that with its own 4-byte size it fills a multiple of 8: what comes out can be up to 7 bytes longer than what
 * was put in.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { allocateDescriptor } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { E2BIG, EBADF, ENOENT, ENOSPC, EOPNOTSUPP } from "./errno.ts";
import { IdSlots, SLOT_BYTES } from "./id-slots.ts";
import type { VmMap } from "./map.ts";
import { roundUp } from "./map-access.ts";
import { RecordRing } from "./record-ring.ts";

const DEFAULT_BUFFER_BYTES = 65536;
const RAW_SIZE_BYTES = 4;

const BPF_F_INDEX_MASK = 0xffff_ffffn;
/** As an index: the event of the CPU that the program runs on. */
export const BPF_F_CURRENT_CPU = 0xffff_ffffn;

export class PerfEventArray implements VmMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly handle: number;
  readonly valueRegion: undefined = undefined;
  readonly #memory: Memory;
  readonly #slots: IdSlots;
  readonly #buffers: readonly RecordRing[];

  constructor(spec: MapSpec, memory: Memory, environment: MapEnvironment) {
    this.spec = spec;
    this.id = environment.id;
    this.#memory = memory;
    this.#slots = new IdSlots(spec, memory);
    const capacityBytes = environment.perfBufferBytes ?? DEFAULT_BUFFER_BYTES;
    this.#buffers = Array.from(
      { length: environment.cpuCount },
      () => new RecordRing(memory, { capacityBytes, mapId: this.id }),
    );
    this.handle = allocateDescriptor(memory, spec, {
      id: this.id,
      values: this.#slots.address,
      strideBytes: SLOT_BYTES,
    });
  }

  /** Opens each CPU's event in the slot of its number, as perf_buffer__new of libbpf does. */
  openAll(): void {
    const count = Math.min(this.spec.maxEntries, this.#buffers.length);
    for (let cpu = 0; cpu < count; cpu++) this.#slots.set(cpu, cpu + 1);
  }

  /**
   * bpf_perf_event_output from a program on `cpu`: the low half of `flags` is the slot; the sample is `data`, and then
   * `packet` where the helper was asked for bytes of the packet. 0 or a negative errno.
   */
  output(
    cpu: number,
    flags: bigint,
    data: { readonly address: number; readonly sizeBytes: number },
    packet?: { readonly address: number; readonly sizeBytes: number },
  ): number {
    const asked = flags & BPF_F_INDEX_MASK;
    const index = asked === BPF_F_CURRENT_CPU ? cpu : Number(asked);
    if (index >= this.spec.maxEntries) return -E2BIG;
    const { u8 } = this.#memory;
    const event = this.#slots.get(index);
    if (event === 0) return -ENOENT;
    if (event !== cpu + 1) return -EOPNOTSUPP;

    const packetBytes = packet?.sizeBytes ?? 0;
    const rawBytes = roundUp(data.sizeBytes + packetBytes + RAW_SIZE_BYTES, 8) - RAW_SIZE_BYTES;
    const buffer = this.#buffers[cpu]!;
    const sample = buffer.reserve(rawBytes);
    if (sample === 0) {
      buffer.countLost();
      return -ENOSPC;
    }
    u8.copyWithin(sample, data.address, data.address + data.sizeBytes);
    if (packet !== undefined) {
      u8.copyWithin(sample + data.sizeBytes, packet.address, packet.address + packetBytes);
    }
    u8.fill(0, sample + data.sizeBytes + packetBytes, sample + rawBytes);
    buffer.commit(sample, false);
    return 0;
  }

  /** The host's side: hands out a CPU's samples in order, at most `limit`, and returns how many. The bytes are live. */
  consume(cpu: number, use: (sample: Uint8Array) => void, limit?: number): number {
    return this.#buffers[cpu]!.consume(use, limit);
  }

  /** Samples of a CPU that found its buffer full. */
  lostCount(cpu: number): number {
    return this.#buffers[cpu]!.lostCount;
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

  /** Not offered by the kernel either (-ENOTSUPP). */
  lookupValue(_key: Uint8Array): Uint8Array | undefined {
    return undefined;
  }

  /** Opens an event: the value is its CPU (u32), where the kernel takes a perf event's descriptor. */
  updateValue(key: Uint8Array, value: Uint8Array, flags = 0n): number {
    return this.#slots.update(key, value, flags, (cpu) => (cpu < this.#buffers.length ? cpu + 1 : -EBADF));
  }

  deleteKey(key: Uint8Array): number {
    return this.#slots.delete(key);
  }

  nextKey(key: Uint8Array | undefined): Uint8Array | undefined {
    return this.#slots.nextKey(key);
  }
}
