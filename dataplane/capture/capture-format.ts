/** The first bytes of a file, and what they say it is. */
import { CaptureError } from "./capture-error.ts";
import type { CaptureInterface } from "./capture-interface.ts";
import type { PacketBatch } from "./packet-batch.ts";
import { BLOCK_SECTION_HEADER } from "./pcapng-format.ts";
import type { ReadWindow } from "./read-window.ts";

/** One format's parser, fed by the reader. */
export interface FormatParser {
  readonly name: "pcap" | "pcapng";
  /** All interfaces met so far; of several sections, one after the other. */
  readonly interfaces: readonly CaptureInterface[];
  /**
   * Parses whole packets from the window into the batch, from `batch.count` on. Returns 0 when the batch is full, else how
   * many bytes must be in the window to get further. Throws CaptureError, with what was parsed before in the batch.
   */
  parse(window: ReadWindow, batch: PacketBatch): number;
  /** What the end of the file is in the middle of, with `leftBytes` (more than none) that could not be parsed. */
  describeTruncation(window: ReadWindow): string;
}

export const PCAP_MICROSECONDS = 0xa1b2c3d4;
export const PCAP_NANOSECONDS = 0xa1b23c4d;

/** As many first bytes as it takes to tell all formats apart. */
export const MAGIC_BYTES = 4;

export type CaptureFormat =
  | { readonly kind: "pcapng" }
  | { readonly kind: "pcap"; readonly littleEndian: boolean; readonly nanoseconds: boolean }
  | { readonly kind: "gzip" };

/** Magics we know by name and do not read, as the first four bytes of a file in big-endian order. */
const UNSUPPORTED: readonly { readonly magic: number; readonly mask?: number; readonly name: string }[] = [
  { magic: 0xa1b2cd34, name: "pcap as modified by Alexey Kuznetsov (magic a1b2cd34)" },
  { magic: 0x34cdb2a1, name: "pcap as modified by Alexey Kuznetsov (magic a1b2cd34)" },
  { magic: 0xa1b234cd, name: "pcap as modified by Francisco Mesquita (magic a1b234cd)" },
  { magic: 0xcd34b2a1, name: "pcap as modified by Francisco Mesquita (magic a1b234cd)" },
  { magic: 0xa12b3c4d, name: "pcap by Navtel (magic a12b3c4d)" },
  { magic: 0x4d3c2ba1, name: "pcap by Navtel (magic a12b3c4d)" },
  { magic: 0x1c0001ac, name: "pcap by IXIA hardware (magic 1c0001ac)" },
  { magic: 0xac01001c, name: "pcap by IXIA hardware (magic 1c0001ac)" },
  { magic: 0x1c0001ab, name: "pcap by IXIA software (magic 1c0001ab)" },
  { magic: 0xab01001c, name: "pcap by IXIA software (magic 1c0001ab)" },
  { magic: 0x736e6f6f, name: "a snoop capture" },
  { magic: 0x52545353, name: "a Microsoft Network Monitor 1 capture" },
  { magic: 0x474d4255, name: "a Microsoft Network Monitor 2 capture" },
  { magic: 0x28b52ffd, name: "zstd-compressed" },
  { magic: 0xfd377a58, name: "xz-compressed" },
  { magic: 0x04224d18, name: "lz4-compressed" },
  { magic: 0x504b0304, name: "a zip archive" },
  { magic: 0x425a6800, mask: 0xffffff00, name: "bzip2-compressed" },
];

/** Throws CaptureError for what is not read here. `head` has MAGIC_BYTES, or fewer if the file has no more. */
export function detectFormat(head: Uint8Array, source: string): CaptureFormat {
  if (head.length < MAGIC_BYTES) {
    const what = head.length === 0 ? "is empty" : `ends after ${head.length} bytes`;
    throw new CaptureError({
      code: "truncated",
      source,
      offset: head.length,
      what: `${what}, expected pcap or pcapng`,
    });
  }
  const magic = new DataView(head.buffer, head.byteOffset).getUint32(0);
  switch (magic) {
    case BLOCK_SECTION_HEADER:
      return { kind: "pcapng" };
    case PCAP_MICROSECONDS:
      return { kind: "pcap", littleEndian: false, nanoseconds: false };
    case PCAP_NANOSECONDS:
      return { kind: "pcap", littleEndian: false, nanoseconds: true };
    case 0xd4c3b2a1:
      return { kind: "pcap", littleEndian: true, nanoseconds: false };
    case 0x4d3cb2a1:
      return { kind: "pcap", littleEndian: true, nanoseconds: true };
  }
  if (magic >>> 16 === 0x1f8b) return { kind: "gzip" }; // RFC 1952, section 2.3.1

  const known = UNSUPPORTED.find((entry) => (magic & (entry.mask ?? -1)) >>> 0 === entry.magic);
  if (known !== undefined) {
    const what = `${known.name}, expected pcap or pcapng (editcap converts)`;
    throw new CaptureError({ code: "unsupported-format", source, offset: 0, what });
  }
  const hex = magic.toString(16).padStart(8, "0");
  const what = `starts with ${hex}, expected the magic of pcap (a1b2c3d4 or a1b23c4d, either byte order) or pcapng (0a0d0d0a)`;
  throw new CaptureError({ code: "unknown-format", source, offset: 0, what });
}
