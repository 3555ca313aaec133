/**
 * pcap (draft-ietf-opsawg-pcap): a file header of 24 bytes, then packets, each behind a header of 16.
 *
 *   file:    magic u32 | major u16 | minor u16 | reserved u32 | reserved u32 | snap length u32 | link type u32
 *   packet:  seconds u32 | micro- or nanoseconds u32 | captured length u32 | original length u32
 *
 * The second field is added to the first as it is: files exist where it passes one second. The link type's upper half says
 * whether frames carry a check sequence; such trailing bytes stay on the packet.
 */
import type { CaptureFormat, FormatParser } from "./capture-format.ts";
import { type CaptureInterface, ethernetInterface, MICROSECONDS, NANOSECONDS } from "./capture-interface.ts";
import { describeUnsupportedLinkType, LINKTYPE_ETHERNET } from "./link-type.ts";
import { FLAG_HAS_TIMESTAMP, FLAG_LITTLE_ENDIAN, type PacketBatch } from "./packet-batch.ts";
import { MAX_CAPTURED_BYTES } from "./pcapng-format.ts";
import type { ReadWindow } from "./read-window.ts";

const FILE_HEADER_BYTES = 24;
const PACKET_HEADER_BYTES = 16;

export class PcapParser implements FormatParser {
  readonly name = "pcap";
  readonly interfaces: CaptureInterface[] = [];
  readonly #littleEndian: boolean;
  readonly #nanoseconds: boolean;

  constructor(format: Extract<CaptureFormat, { kind: "pcap" }>) {
    this.#littleEndian = format.littleEndian;
    this.#nanoseconds = format.nanoseconds;
  }

  parse(window: ReadWindow, batch: PacketBatch): number {
    if (this.interfaces.length === 0) {
      if (window.availableBytes < FILE_HEADER_BYTES) return FILE_HEADER_BYTES;
      this.#parseFileHeader(window);
    }
    const { view, end } = window;
    const littleEndian = this.#littleEndian;
    const nanoseconds = this.#nanoseconds;
    const { capacity } = batch;
    const capturedBytesMax = MAX_CAPTURED_BYTES; // a local, for the reason in pcapng-parser.ts
    const flags = FLAG_HAS_TIMESTAMP | (littleEndian ? FLAG_LITTLE_ENDIAN : 0);
    let at = window.start;
    let i = batch.count;
    let neededBytes = 0;
    while (i < capacity) {
      if (end - at < PACKET_HEADER_BYTES) {
        neededBytes = PACKET_HEADER_BYTES;
        break;
      }
      const capturedBytes = view.getUint32(at + 8, littleEndian);
      if (capturedBytes > capturedBytesMax) break;
      const nextAt = at + PACKET_HEADER_BYTES + capturedBytes;
      if (nextAt > end) {
        neededBytes = nextAt - at;
        break;
      }
      const seconds = view.getUint32(at, littleEndian);
      const fraction = view.getUint32(at + 4, littleEndian);
      const originalBytes = view.getUint32(at + 12, littleEndian);
      if (nanoseconds) {
        // seconds * 10^9 + fraction does not fit a double: 10^9 is 0x3b9aca00, multiplied by halves.
        const low = seconds * 0xca00 + fraction;
        const high = seconds * 0x3b9a + Math.floor(low / 0x10000);
        batch.timestampsLo[i] = (high & 0xffff) * 0x10000 + (low & 0xffff);
        batch.timestampsHi[i] = Math.floor(high / 0x10000);
      } else {
        const units = seconds * 1e6 + fraction;
        batch.timestampsLo[i] = units; // a typed array keeps the low 32 bits
        batch.timestampsHi[i] = Math.floor(units / 0x1_0000_0000);
      }
      batch.offsets[i] = at + PACKET_HEADER_BYTES;
      batch.capturedBytes[i] = capturedBytes;
      batch.originalBytes[i] = Math.max(originalBytes, capturedBytes);
      batch.interfaceIndexes[i] = 0;
      batch.optionsBytes[i] = 0;
      batch.flags[i] = flags;
      i++;
      at = nextAt;
    }
    window.start = at;
    batch.count = i;
    if (neededBytes === 0 && i < capacity) {
      const capturedBytes = view.getUint32(at + 8, littleEndian);
      throw window.error(
        "bad-length",
        at + 8,
        `captured length ${capturedBytes}, at most ${MAX_CAPTURED_BYTES} is allowed`,
      );
    }
    return neededBytes;
  }

  describeTruncation(window: ReadWindow): string {
    if (this.interfaces.length === 0) return `ends ${window.availableBytes} bytes into the file header of 24`;
    if (window.availableBytes < PACKET_HEADER_BYTES) {
      return `ends ${window.availableBytes} bytes into a packet header of ${PACKET_HEADER_BYTES}`;
    }
    const capturedBytes = window.view.getUint32(window.start + 8, this.#littleEndian);
    return `ends ${window.availableBytes - PACKET_HEADER_BYTES} bytes into a packet of ${capturedBytes}`;
  }

  #parseFileHeader(window: ReadWindow): void {
    const { view, start } = window;
    const major = view.getUint16(start + 4, this.#littleEndian);
    const minor = view.getUint16(start + 6, this.#littleEndian);
    // Before 2.3 the two lengths of a packet stood in the other order; nothing has written such files this century.
    if (major !== 2 || minor !== 4) {
      throw window.error("unsupported-format", start + 4, `pcap version ${major}.${minor}, expected 2.4`);
    }
    const snapLength = view.getUint32(start + 16, this.#littleEndian);
    const linkType = view.getUint32(start + 20, this.#littleEndian) & 0xffff;
    if (linkType !== LINKTYPE_ETHERNET) {
      throw window.error("unsupported-link-type", start + 20, describeUnsupportedLinkType(linkType));
    }
    this.interfaces.push(ethernetInterface(this.#nanoseconds ? NANOSECONDS : MICROSECONDS, snapLength));
    window.start += FILE_HEADER_BYTES;
  }
}
