/**
 * IPv4 headers (RFC 791). A header that cannot be true parses to `undefined`. A total length beyond what is there can
 * be: captures cut packets. The checksum is a field like any other; `checksumIpv4` says what it ought to be.
 */
import { checksumOf, sumWords } from "./checksum.ts";
import { bytesAt, setBytes } from "./ethernet.ts";

export const IPV4_HEADER_SIZE_BYTES = 20;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;

const DONT_FRAGMENT = 0x4000;
const MORE_FRAGMENTS = 0x2000;
const RESERVED_FLAG = 0x8000;

export interface Ipv4Header {
  readonly tos: number;
  /** Header, options and payload. */
  readonly totalLengthBytes: number;
  readonly id: number;
  /** RFC 3514; kept so that emit undoes parse. */
  readonly hasReservedFlag: boolean;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** A multiple of 8. */
  readonly fragmentOffsetBytes: number;
  readonly ttl: number;
  readonly protocol: number;
  readonly checksum: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** A multiple of 4 bytes, at most 40. */
  readonly options: Uint8Array;
}

export function ipv4SizeBytes(header: Ipv4Header): number {
  return IPV4_HEADER_SIZE_BYTES + header.options.length;
}

export function parseIpv4(view: DataView, offset: number): Ipv4Header | undefined {
  const available = view.byteLength - offset;
  if (available < IPV4_HEADER_SIZE_BYTES) return undefined;
  if (view.getUint8(offset) >>> 4 !== 4) return undefined;

  const sizeBytes = (view.getUint8(offset) & 0x0f) * 4;
  if (sizeBytes < IPV4_HEADER_SIZE_BYTES || sizeBytes > available) return undefined;

  const totalLengthBytes = view.getUint16(offset + 2);
  if (totalLengthBytes < sizeBytes) return undefined;

  const fragment = view.getUint16(offset + 6);
  return {
    tos: view.getUint8(offset + 1),
    totalLengthBytes,
    id: view.getUint16(offset + 4),
    hasReservedFlag: (fragment & RESERVED_FLAG) !== 0,
    dontFragment: (fragment & DONT_FRAGMENT) !== 0,
    moreFragments: (fragment & MORE_FRAGMENTS) !== 0,
    fragmentOffsetBytes: (fragment & 0x1fff) * 8,
    ttl: view.getUint8(offset + 8),
    protocol: view.getUint8(offset + 9),
    checksum: view.getUint16(offset + 10),
    source: bytesAt(view, offset + 12, 4),
    destination: bytesAt(view, offset + 16, 4),
    options: bytesAt(view, offset + IPV4_HEADER_SIZE_BYTES, sizeBytes - IPV4_HEADER_SIZE_BYTES),
  };
}

/** Returns the offset behind the header. */
export function emitIpv4(view: DataView, offset: number, header: Ipv4Header): number {
  const sizeBytes = ipv4SizeBytes(header);
  view.setUint8(offset, 0x40 | (sizeBytes / 4));
  view.setUint8(offset + 1, header.tos);
  view.setUint16(offset + 2, header.totalLengthBytes);
  view.setUint16(offset + 4, header.id);
  view.setUint16(
    offset + 6,
    (header.hasReservedFlag ? RESERVED_FLAG : 0) |
      (header.dontFragment ? DONT_FRAGMENT : 0) |
      (header.moreFragments ? MORE_FRAGMENTS : 0) |
      (header.fragmentOffsetBytes / 8),
  );
  view.setUint8(offset + 8, header.ttl);
  view.setUint8(offset + 9, header.protocol);
  view.setUint16(offset + 10, header.checksum);
  setBytes(view, offset + 12, header.source);
  setBytes(view, offset + 16, header.destination);
  setBytes(view, offset + IPV4_HEADER_SIZE_BYTES, header.options);
  return offset + sizeBytes;
}

/** What the checksum field of this header ought to hold. */
export function checksumIpv4(header: Ipv4Header): number {
  const bytes = new Uint8Array(ipv4SizeBytes(header));
  emitIpv4(new DataView(bytes.buffer), 0, { ...header, checksum: 0 });
  return checksumOf(sumWords(bytes));
}
