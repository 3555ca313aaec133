/**
 * pcapng as we write it: one little-endian section, an interface description before the first packet that needs it, and
 * one Enhanced Packet Block for each packet. The bytes depend on the packets alone: no date, host or program name.
 */
import type { CaptureInterface } from "./capture-interface.ts";
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_SECTION_HEADER,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_MIN,
  EPB_PACKETID,
  EPB_VERDICT,
  MAX_CAPTURED_BYTES,
  SECTION_HEADER_MIN,
  VERDICT_LINUX_EBPF_XDP,
} from "./pcapng-format.ts";
import { emitInterface } from "./pcapng-interface.ts";

/** One packet on its way out. The writer keeps nothing of it, so that one object can serve for all. */
export interface PacketToWrite {
  /** As `addInterface` returned it. */
  interfaceIndex: number;
  timestampHi: number;
  timestampLo: number;
  /** The packet is bytes[offset, offset + capturedBytes). */
  bytes: Uint8Array;
  offset: number;
  capturedBytes: number;
  originalBytes: number;
  /** epb_packetid; not written when undefined. */
  id: number | undefined;
  /** What an XDP program returned, an unsigned 32-bit number; epb_verdict, not written when undefined. */
  verdict: number | undefined;
}

const ID_OPTION_BYTES = 4 + 8;
const VERDICT_OPTION_BYTES = 4 + 12; // nine bytes of value, padded
const END_OPTION_BYTES = 4;
const LARGEST_PACKET_BLOCK =
  ENHANCED_PACKET_MIN + MAX_CAPTURED_BYTES + ID_OPTION_BYTES + VERDICT_OPTION_BYTES + END_OPTION_BYTES;

export class PcapngWriter {
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  #filledBytes = 0;
  #interfaceCount = 0;

  /** `sink` takes bytes in order and does not keep them. */
  constructor(sink: (bytes: Uint8Array) => void) {
    this.#sink = sink;
    this.#buffer = new Uint8Array(2 * LARGEST_PACKET_BLOCK);
    this.#view = new DataView(this.#buffer.buffer);
    this.#writeSectionHeader();
  }

  /** Returns the interface's number, counted from 0. */
  addInterface(on: CaptureInterface): number {
    const block = emitInterface(on);
    if (block.length > this.#buffer.length - this.#filledBytes) this.flush();
    if (block.length > this.#buffer.length) {
      this.#sink(block);
    } else {
      this.#buffer.set(block, this.#filledBytes);
      this.#filledBytes += block.length;
    }
    return this.#interfaceCount++;
  }

  /** Throws RangeError for an interface not added yet, or a packet over MAX_CAPTURED_BYTES. */
  write(packet: PacketToWrite): void {
    const { capturedBytes, id, verdict } = packet;
    if (packet.interfaceIndex >= this.#interfaceCount) {
      throw new RangeError(
        `packet of interface ${packet.interfaceIndex}, ${this.#interfaceCount} were added`,
      );
    }
    if (capturedBytes > MAX_CAPTURED_BYTES) {
      throw new RangeError(`packet of ${capturedBytes} bytes, at most ${MAX_CAPTURED_BYTES} can be written`);
    }
    if (this.#buffer.length - this.#filledBytes < LARGEST_PACKET_BLOCK) this.flush();

    const view = this.#view;
    const start = this.#filledBytes;
    const paddedBytes = (capturedBytes + 3) & ~3;
    const hasOptions = id !== undefined || verdict !== undefined;
    const optionsBytes =
      (id === undefined ? 0 : ID_OPTION_BYTES) +
      (verdict === undefined ? 0 : VERDICT_OPTION_BYTES) +
      (hasOptions ? END_OPTION_BYTES : 0);
    const sizeBytes = ENHANCED_PACKET_MIN + paddedBytes + optionsBytes;
    view.setUint32(start, BLOCK_ENHANCED_PACKET, true);
    view.setUint32(start + 4, sizeBytes, true);
    view.setUint32(start + 8, packet.interfaceIndex, true);
    view.setUint32(start + 12, packet.timestampHi, true);
    view.setUint32(start + 16, packet.timestampLo, true);
    view.setUint32(start + 20, capturedBytes, true);
    view.setUint32(start + 24, packet.originalBytes, true);
    copyBytes(packet.bytes, packet.offset, this.#buffer, start + 28, capturedBytes);
    let at = start + 28 + capturedBytes;
    while ((at & 3) !== 0) this.#buffer[at++] = 0; // blocks start at multiples of 4, so the padding ends at one
    if (id !== undefined) {
      view.setUint16(at, EPB_PACKETID, true);
      view.setUint16(at + 2, 8, true);
      view.setUint32(at + 4, id, true);
      view.setUint32(at + 8, Math.floor(id / 0x1_0000_0000), true);
      at += ID_OPTION_BYTES;
    }
    if (verdict !== undefined) {
      view.setUint16(at, EPB_VERDICT, true);
      view.setUint16(at + 2, 9, true);
      view.setUint8(at + 4, VERDICT_LINUX_EBPF_XDP);
      view.setUint32(at + 5, verdict, true);
      view.setUint32(at + 9, 0, true); // the kernel gives 32 bits; and
      view.setUint32(at + 12, 0, true); // the padding
      at += VERDICT_OPTION_BYTES;
    }
    if (hasOptions) view.setUint32(at, 0, true);
    view.setUint32(start + sizeBytes - 4, sizeBytes, true);
    this.#filledBytes = start + sizeBytes;
  }

  /** Hands everything to the sink. To be called at the end. */
  flush(): void {
    if (this.#filledBytes === 0) return;
    this.#sink(this.#buffer.subarray(0, this.#filledBytes));
    this.#filledBytes = 0;
  }

  #writeSectionHeader(): void {
    const view = this.#view;
    view.setUint32(0, BLOCK_SECTION_HEADER, true);
    view.setUint32(4, SECTION_HEADER_MIN, true);
    view.setUint32(8, BYTE_ORDER_MAGIC, true);
    view.setUint16(12, 1, true); // version 1.0
    view.setUint16(14, 0, true);
    view.setBigInt64(16, -1n, true); // the section's length is not said
    view.setUint32(24, SECTION_HEADER_MIN, true);
    this.#filledBytes = SECTION_HEADER_MIN;
  }
}

/** For a packet of ordinary size a loop is faster than making a subarray for `set`, which wins from about 200 bytes. */
function copyBytes(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, count: number): void {
  if (count > 192) {
    to.set(from.subarray(fromAt, fromAt + count), toAt);
    return;
  }
  for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!;
}
