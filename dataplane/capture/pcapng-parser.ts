/**
 * pcapng (draft-ietf-opsawg-pcapng). A file is a row of blocks, and every block says its length before and after:
 *
 *   type u32 | length u32 | contents, padded to 4 bytes | length u32
 *
 * A section header begins a section with its own byte order and interfaces; interfaces are numbered through all sections
 * here. Packets come from Enhanced, Simple and the obsolete Packet Blocks; every other block is passed over, known or not.
 */
import type { FormatParser } from "./capture-format.ts";
import type { CaptureInterface } from "./capture-interface.ts";
import { describeUnsupportedLinkType, LINKTYPE_ETHERNET } from "./link-type.ts";
import { FLAG_HAS_TIMESTAMP, FLAG_LITTLE_ENDIAN, type PacketBatch } from "./packet-batch.ts";
import {
  BLOCK_ENHANCED_PACKET,
  BLOCK_INTERFACE_DESCRIPTION,
  BLOCK_OVERHEAD,
  BLOCK_PACKET,
  BLOCK_SECTION_HEADER,
  BLOCK_SIMPLE_PACKET,
  BYTE_ORDER_MAGIC,
  ENHANCED_PACKET_MIN,
  INTERFACE_DESCRIPTION_MIN,
  MAX_BLOCK_BYTES,
  MAX_CAPTURED_BYTES,
  PACKET_MIN,
  SECTION_HEADER_MIN,
  SIMPLE_PACKET_MIN,
} from "./pcapng-format.ts";
import { parseInterface } from "./pcapng-interface.ts";
import type { ReadWindow } from "./read-window.ts";

const BLOCK_HEADER_BYTES = 8;

export class PcapngParser implements FormatParser {
  readonly name = "pcapng";
  readonly interfaces: CaptureInterface[] = [];
  #littleEndian = true;
  /** Number of this section's first interface among all. */
  #firstInterface = 0;
  /** How many interfaces from the section's first on are Ethernet: packets of these take the fast path. */
  #ethernetInterfaces = 0;

  parse(window: ReadWindow, batch: PacketBatch): number {
    for (;;) {
      if (batch.count === batch.capacity) return 0;
      const sizeBytes = this.#blockBytes(window);
      if (sizeBytes > window.availableBytes) return sizeBytes;
      this.#checkTrailer(window, sizeBytes);
      const type = window.view.getUint32(window.start, this.#littleEndian);
      if (type === BLOCK_ENHANCED_PACKET) {
        const parsedBytes = this.#parseEnhancedPackets(window, batch);
        if (parsedBytes > 0) continue;
      }
      this.#parseBlock(window, batch, type, sizeBytes);
      window.start += sizeBytes;
    }
  }

  describeTruncation(window: ReadWindow): string {
    if (window.availableBytes < BLOCK_HEADER_BYTES) {
      return `ends ${window.availableBytes} bytes into a block header of ${BLOCK_HEADER_BYTES}`;
    }
    const sizeBytes = window.view.getUint32(window.start + 4, this.#littleEndian);
    return `ends ${window.availableBytes} bytes into a block of ${sizeBytes}`;
  }

  /** Length of the block at the window's start, checked; or how many bytes are needed to know it. */
  #blockBytes(window: ReadWindow): number {
    const { view, start, availableBytes } = window;
    if (availableBytes < BLOCK_HEADER_BYTES) return BLOCK_HEADER_BYTES;
    if (view.getUint32(start) === BLOCK_SECTION_HEADER) {
      if (availableBytes < BLOCK_HEADER_BYTES + 4) return BLOCK_HEADER_BYTES + 4;
      this.#parseByteOrder(window);
    }
    const sizeBytes = view.getUint32(start + 4, this.#littleEndian);
    if (sizeBytes < BLOCK_OVERHEAD || sizeBytes > MAX_BLOCK_BYTES || sizeBytes % 4 !== 0) {
      const allowed = `a multiple of 4 from ${BLOCK_OVERHEAD} to ${MAX_BLOCK_BYTES} is allowed`;
      throw window.error("bad-length", start + 4, `block length ${sizeBytes}, ${allowed}`);
    }
    return sizeBytes;
  }

  #parseByteOrder(window: ReadWindow): void {
    const at = window.start + BLOCK_HEADER_BYTES;
    const magic = window.view.getUint32(at, true);
    if (magic === BYTE_ORDER_MAGIC) this.#littleEndian = true;
    else if (window.view.getUint32(at) === BYTE_ORDER_MAGIC) this.#littleEndian = false;
    else {
      const hex = window.view.getUint32(at).toString(16).padStart(8, "0");
      throw window.error("bad-block", at, `byte-order magic ${hex}, expected 1a2b3c4d or 4d3c2b1a`);
    }
  }

  #checkTrailer(window: ReadWindow, sizeBytes: number): void {
    const at = window.start + sizeBytes - 4;
    const trailer = window.view.getUint32(at, this.#littleEndian);
    if (trailer !== sizeBytes) {
      throw window.error(
        "bad-length",
        at,
        `block length ${trailer} behind the block, ${sizeBytes} before it`,
      );
    }
  }

  /**
   * The fast path: as many Enhanced Packet Blocks in a row as are whole and sound. Stops before the first block that is not,
   * which the slow path then parses or refuses with words. Returns how many bytes it took.
   */
  #parseEnhancedPackets(window: ReadWindow, batch: PacketBatch): number {
    const { view, end } = window;
    const littleEndian = this.#littleEndian;
    const firstInterface = this.#firstInterface;
    const interfaceCount = this.#ethernetInterfaces;
    const flags = FLAG_HAS_TIMESTAMP | (littleEndian ? FLAG_LITTLE_ENDIAN : 0);
    const { capacity, offsets, timestampsHi, timestampsLo, interfaceIndexes, optionsOffsets, optionsBytes } =
      batch;
    // Locals, because an imported name is looked up at each use where a test runner rewrites modules: 76 ns a packet, not 30.
    const [enhancedPacket, fixedBytes, capturedBytesMax] = [
      BLOCK_ENHANCED_PACKET,
      ENHANCED_PACKET_MIN,
      MAX_CAPTURED_BYTES,
    ];
    let at = window.start;
    let i = batch.count;
    while (i < capacity && end - at >= fixedBytes) {
      if (view.getUint32(at, littleEndian) !== enhancedPacket) break;
      const sizeBytes = view.getUint32(at + 4, littleEndian);
      const capturedBytes = view.getUint32(at + 20, littleEndian);
      const interfaceId = view.getUint32(at + 8, littleEndian);
      if (sizeBytes > end - at || (sizeBytes & 3) !== 0 || capturedBytes > capturedBytesMax) break;
      const optionsAt = (capturedBytes + 3) & ~3;
      if (sizeBytes < fixedBytes + optionsAt || interfaceId >= interfaceCount) break;
      if (view.getUint32(at + sizeBytes - 4, littleEndian) !== sizeBytes) break;
      const originalBytes = view.getUint32(at + 24, littleEndian);
      timestampsHi[i] = view.getUint32(at + 12, littleEndian);
      timestampsLo[i] = view.getUint32(at + 16, littleEndian);
      offsets[i] = at + 28;
      batch.capturedBytes[i] = capturedBytes;
      batch.originalBytes[i] = Math.max(originalBytes, capturedBytes);
      interfaceIndexes[i] = firstInterface + interfaceId;
      optionsOffsets[i] = at + 28 + optionsAt;
      optionsBytes[i] = sizeBytes - fixedBytes - optionsAt;
      batch.flags[i] = flags;
      i++;
      at += sizeBytes;
    }
    const parsedBytes = at - window.start;
    window.start = at;
    batch.count = i;
    return parsedBytes;
  }

  #parseBlock(window: ReadWindow, batch: PacketBatch, type: number, sizeBytes: number): void {
    switch (type) {
      case BLOCK_SECTION_HEADER:
        this.#parseSectionHeader(window, sizeBytes);
        return;
      case BLOCK_INTERFACE_DESCRIPTION:
        this.#parseInterface(window, sizeBytes);
        return;
      case BLOCK_SIMPLE_PACKET:
        this.#parseSimplePacket(window, batch, sizeBytes);
        return;
      case BLOCK_PACKET:
      case BLOCK_ENHANCED_PACKET:
        this.#parsePacket(window, batch, type, sizeBytes);
        return;
      // Name resolution, statistics, journal entries, secrets, custom and unknown blocks say nothing about a packet's bytes.
    }
  }

  #parseSectionHeader(window: ReadWindow, sizeBytes: number): void {
    const { view, start } = window;
    requireMinimum(window, sizeBytes, SECTION_HEADER_MIN, "section header");
    const major = view.getUint16(start + 12, this.#littleEndian);
    const minor = view.getUint16(start + 14, this.#littleEndian);
    // Minor version 2 was written by mistake and is read as 0 [4.1].
    if (major !== 1 || (minor !== 0 && minor !== 2)) {
      throw window.error("unsupported-format", start + 12, `pcapng version ${major}.${minor}, expected 1.0`);
    }
    this.#firstInterface = this.interfaces.length;
    this.#ethernetInterfaces = 0;
  }

  #parseInterface(window: ReadWindow, sizeBytes: number): void {
    requireMinimum(window, sizeBytes, INTERFACE_DESCRIPTION_MIN, "interface description");
    const found = parseInterface(window, sizeBytes, this.#littleEndian);
    const isNext = this.#ethernetInterfaces === this.interfaces.length - this.#firstInterface;
    if (isNext && found.linkType === LINKTYPE_ETHERNET) this.#ethernetInterfaces++;
    this.interfaces.push(found);
  }

  /** Enhanced Packet Block, and the obsolete one, whose interface has 16 bits and leaves 16 for a count of drops. */
  #parsePacket(window: ReadWindow, batch: PacketBatch, type: number, sizeBytes: number): void {
    const { view, start } = window;
    const littleEndian = this.#littleEndian;
    const isObsolete = type === BLOCK_PACKET;
    const kind = isObsolete ? "packet block" : "enhanced packet block";
    requireMinimum(window, sizeBytes, isObsolete ? PACKET_MIN : ENHANCED_PACKET_MIN, kind);
    const interfaceId = isObsolete
      ? view.getUint16(start + 8, littleEndian)
      : view.getUint32(start + 8, littleEndian);
    const capturedBytes = view.getUint32(start + 20, littleEndian);
    const allowedBytes = Math.min(MAX_CAPTURED_BYTES, sizeBytes - ENHANCED_PACKET_MIN);
    if (capturedBytes > allowedBytes) {
      const what = `captured length ${capturedBytes} in a block of ${sizeBytes}, at most ${allowedBytes} is allowed`;
      throw window.error("bad-length", start + 20, what);
    }
    const interfaceIndex = this.#interfaceIndex(window, interfaceId);
    const i = batch.count++;
    batch.timestampsHi[i] = view.getUint32(start + 12, littleEndian);
    batch.timestampsLo[i] = view.getUint32(start + 16, littleEndian);
    batch.offsets[i] = start + 28;
    batch.capturedBytes[i] = capturedBytes;
    batch.originalBytes[i] = Math.max(view.getUint32(start + 24, littleEndian), capturedBytes);
    batch.interfaceIndexes[i] = interfaceIndex;
    const optionsAt = 28 + ((capturedBytes + 3) & ~3);
    batch.optionsOffsets[i] = start + optionsAt;
    // The obsolete block's options share numbers with the new one's but not their meaning.
    batch.optionsBytes[i] = isObsolete ? 0 : sizeBytes - 4 - optionsAt;
    batch.flags[i] = FLAG_HAS_TIMESTAMP | (littleEndian ? FLAG_LITTLE_ENDIAN : 0);
  }

  /** Has no interface (it is the section's first), no time and no captured length: the snap length cut it [4.4]. */
  #parseSimplePacket(window: ReadWindow, batch: PacketBatch, sizeBytes: number): void {
    requireMinimum(window, sizeBytes, SIMPLE_PACKET_MIN, "simple packet block");
    const { view, start } = window;
    const originalBytes = view.getUint32(start + 8, this.#littleEndian);
    const interfaceIndex = this.#interfaceIndex(window, 0);
    const { snapLength } = this.interfaces[interfaceIndex]!;
    const capturedBytes = snapLength === 0 ? originalBytes : Math.min(originalBytes, snapLength);
    const allowedBytes = Math.min(MAX_CAPTURED_BYTES, sizeBytes - SIMPLE_PACKET_MIN);
    if (capturedBytes > allowedBytes) {
      const what = `packet length ${capturedBytes} in a block of ${sizeBytes}, at most ${allowedBytes} is allowed`;
      throw window.error("bad-length", start + 8, what);
    }
    const i = batch.count++;
    batch.timestampsHi[i] = 0;
    batch.timestampsLo[i] = 0;
    batch.offsets[i] = start + 12;
    batch.capturedBytes[i] = capturedBytes;
    batch.originalBytes[i] = originalBytes;
    batch.interfaceIndexes[i] = interfaceIndex;
    batch.optionsOffsets[i] = 0;
    batch.optionsBytes[i] = 0;
    batch.flags[i] = this.#littleEndian ? FLAG_LITTLE_ENDIAN : 0;
  }

  /** Only a packet makes an interface of another link type an error: dumpcap describes every interface it was given. */
  #interfaceIndex(window: ReadWindow, interfaceId: number): number {
    const interfaceIndex = this.#firstInterface + interfaceId;
    const found = this.interfaces[interfaceIndex];
    if (found === undefined) {
      const count = this.interfaces.length - this.#firstInterface;
      const what = `packet of interface ${interfaceId}, the section has described ${count}`;
      throw window.error("bad-block", window.start + 8, what);
    }
    if (found.linkType !== LINKTYPE_ETHERNET) {
      const what = `packet of interface ${interfaceId}, ${describeUnsupportedLinkType(found.linkType)}`;
      throw window.error("unsupported-link-type", window.start + 8, what);
    }
    return interfaceIndex;
  }
}

function requireMinimum(window: ReadWindow, sizeBytes: number, minimum: number, kind: string): void {
  if (sizeBytes >= minimum) return;
  throw window.error(
    "bad-length",
    window.start + 4,
    `${kind} of ${sizeBytes} bytes, at least ${minimum} expected`,
  );
}
