/** Helpers that hand bytes or text to the host (kernel/bpf/ringbuf.c, net/core/filter.c, kernel/trace/bpf_trace.c, Linux 6.18). */
import { EFAULT, EINVAL } from "../maps/errno.ts";
import { BPF_MAP_TYPE_PERF_EVENT_ARRAY, BPF_MAP_TYPE_RINGBUF } from "../maps/map-type.ts";
import type { PerfEventArray } from "../maps/perf-event-array.ts";
import type { Ringbuf } from "../maps/ringbuf.ts";
import { formatText } from "./format.ts";
import {
  ANY,
  CONTEXT,
  type Helper,
  type HelperCall,
  mapOf,
  READ_MEMORY,
  READ_MEMORY_OR_NONE,
  RECORD,
  SIZE,
  TEXT,
  WRITE_MEMORY_OR_NONE,
} from "./helper.ts";

const BPF_F_INDEX_MASK = 0xffff_ffffn;
/** How many of the packet's first bytes to add to a sample. */
const BPF_F_CTXLEN_MASK = 0xf_ffffn << 32n;

/** The most that a format string takes from an array of arguments (MAX_BPRINTF_VARARGS). */
const FORMAT_ARGUMENTS_MAX = 12;

const RING: ReturnType<typeof mapOf> = mapOf(BPF_MAP_TYPE_RINGBUF);

export const OUTPUT_HELPERS: readonly Helper[] = [
  {
    number: 25,
    name: "perf_event_output",
    parameters: [CONTEXT, mapOf(BPF_MAP_TYPE_PERF_EVENT_ARRAY), ANY, READ_MEMORY_OR_NONE, SIZE],
    call: ({ cpu, map, registers }) => {
      const flags = registers.u64[3]!;
      if ((flags & ~(BPF_F_CTXLEN_MASK | BPF_F_INDEX_MASK)) !== 0n) return -EINVAL;
      const packetBytes = Number(flags >> 32n);
      if (packetBytes > cpu.xdp.lengthBytes) return -EFAULT;
      return (map as PerfEventArray).output(
        cpu.index,
        flags,
        { address: registers.low(4), sizeBytes: registers.low(5) },
        { address: cpu.xdp.data, sizeBytes: packetBytes },
      );
    },
  },
  {
    number: 130,
    name: "ringbuf_output",
    parameters: [RING, READ_MEMORY_OR_NONE, SIZE, ANY],
    call: ({ map, registers }) =>
      (map as Ringbuf).output(registers.low(2), registers.low(3), registers.u64[4]!),
  },
  {
    number: 131,
    name: "ringbuf_reserve",
    parameters: [RING, ANY, ANY],
    call: ({ cpu, map, registers }) => {
      if (registers.high(2) !== 0) return 0;
      const ring = map as Ringbuf;
      const sizeBytes = registers.low(2);
      const address = ring.reserve(sizeBytes, registers.u64[3]!);
      if (address !== 0) cpu.records.push({ ring, address, sizeBytes });
      return address;
    },
  },
  {
    number: 132,
    name: "ringbuf_submit",
    parameters: [RECORD, ANY],
    call: (call) => {
      takeRecord(call, (ring, address) => ring.submit(address));
      return 0;
    },
  },
  {
    number: 133,
    name: "ringbuf_discard",
    parameters: [RECORD, ANY],
    call: (call) => {
      takeRecord(call, (ring, address) => ring.discard(address));
      return 0;
    },
  },
  {
    number: 134,
    name: "ringbuf_query",
    parameters: [RING, ANY],
    call: ({ map, registers }) => (map as Ringbuf).query(registers.u64[2]!),
  },
  {
    number: 6,
    name: "trace_printk",
    parameters: [READ_MEMORY, SIZE, ANY, ANY, ANY],
    call: (call) => {
      const { registers } = call;
      const format = textWithin(call, registers.low(1), registers.low(2));
      if (format === undefined) return -EINVAL;
      return print(call, format, [registers.u64[3]!, registers.u64[4]!, registers.u64[5]!]);
    },
  },
  {
    number: 177,
    name: "trace_vprintk",
    parameters: [READ_MEMORY, SIZE, READ_MEMORY_OR_NONE, SIZE],
    call: (call) => {
      const { registers } = call;
      const format = textWithin(call, registers.low(1), registers.low(2));
      const values = argumentsAt(call, registers.low(3), registers.low(4));
      return format === undefined || values === undefined ? -EINVAL : print(call, format, values);
    },
  },
  {
    number: 165,
    name: "snprintf",
    parameters: [WRITE_MEMORY_OR_NONE, SIZE, TEXT, READ_MEMORY_OR_NONE, SIZE],
    call: printToMemory,
  },
];

function takeRecord({ cpu, registers }: HelperCall, end: (ring: Ringbuf, address: number) => void): void {
  const address = registers.low(1);
  const index = cpu.records.findIndex((record) => record.address === address);
  const record = cpu.records[index]!;
  cpu.records.splice(index, 1);
  end(record.ring, address);
}

/** Returns how many characters the text has, or -EINVAL for a bad format. */
function print(call: HelperCall, format: string, values: readonly bigint[]): number {
  const text = formatText(call, format, values);
  if (text === undefined) return -EINVAL;
  call.machine.tracePrintk?.(text, call.cpu.index);
  return text.length;
}

/** Cut to what there is room for, and always ended by a zero; returns the bytes that the whole text with its zero has. */
function printToMemory(call: HelperCall): number {
  const { registers, machine } = call;
  const [target, room, source] = [registers.low(1), registers.low(2), registers.low(3)];
  const { u8 } = machine.memory;
  const format = asText(u8.subarray(source, u8.indexOf(0, source)));
  const values = argumentsAt(call, registers.low(4), registers.low(5));
  const text = values === undefined ? undefined : formatText(call, format, values);
  if (text === undefined) return -EINVAL;
  if (room > 0) {
    const kept = Math.min(text.length, room - 1);
    for (let i = 0; i < kept; i++) u8[target + i] = text.charCodeAt(i);
    u8[target + kept] = 0;
  }
  return text.length + 1;
}

/** The string of exactly this size; undefined unless it ends with the zero it must have. */
function textWithin({ machine }: HelperCall, address: number, sizeBytes: number): string | undefined {
  const bytes = machine.memory.u8.subarray(address, address + sizeBytes);
  return bytes.at(-1) === 0 ? asText(bytes.subarray(0, bytes.indexOf(0))) : undefined;
}

/** Undefined when the size is no multiple of 8, or too large. */
function argumentsAt({ machine }: HelperCall, address: number, sizeBytes: number): bigint[] | undefined {
  if (sizeBytes % 8 !== 0 || sizeBytes / 8 > FORMAT_ARGUMENTS_MAX) return undefined;
  return Array.from({ length: sizeBytes / 8 }, (_, i) =>
    machine.memory.view.getBigUint64(address + 8 * i, true),
  );
}

/** One character per byte. */
function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
