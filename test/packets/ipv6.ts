/**
 * IPv6 headers and the extension headers that stand before a transport header (RFC 8200 sections 3 and 4). As with
 * IPv4, a payload length beyond what is there can be true of a cut capture.
 */
import { bytesAt, setBytes } from "./ethernet.ts";

export const IPV6_HEADER_SIZE_BYTES = 40;
export const FRAGMENT_HEADER_SIZE_BYTES = 8;

export const NEXT_HOP_BY_HOP = 0;
export const NEXT_ROUTING = 43;
export const NEXT_FRAGMENT = 44;
export const NEXT_ICMPV6 = 58;
export const NEXT_NONE = 59;
export const NEXT_DESTINATION_OPTIONS = 60;

export interface Ipv6Header {
  readonly trafficClass: number;
  /** 20 bits. */
  readonly flowLabel: number;
  /** Extension headers and payload. */
  readonly payloadLengthBytes: number;
  readonly nextHeader: number;
  readonly hopLimit: number;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
}

export function parseIpv6(view: DataView, offset: number): Ipv6Header | undefined {
  if (view.byteLength - offset < IPV6_HEADER_SIZE_BYTES) return undefined;

  const word = view.getUint32(offset);
  if (word >>> 28 !== 6) return undefined;

  return {
    trafficClass: (word >>> 20) & 0xff,
    flowLabel: word & 0xfffff,
    payloadLengthBytes: view.getUint16(offset + 4),
    nextHeader: view.getUint8(offset + 6),
    hopLimit: view.getUint8(offset + 7),
    source: bytesAt(view, offset + 8, 16),
    destination: bytesAt(view, offset + 24, 16),
  };
}

/** Returns the offset behind the header. */
export function emitIpv6(view: DataView, offset: number, header: Ipv6Header): number {
  view.setUint32(offset, ((6 << 28) | (header.trafficClass << 20) | header.flowLabel) >>> 0);
  view.setUint16(offset + 4, header.payloadLengthBytes);
  view.setUint8(offset + 6, header.nextHeader);
  view.setUint8(offset + 7, header.hopLimit);
  setBytes(view, offset + 8, header.source);
  setBytes(view, offset + 24, header.destination);
  return offset + IPV6_HEADER_SIZE_BYTES;
}

/** Hop-by-hop options, routing and destination options share one shape. */
export interface OptionsHeader {
  readonly nextHeader: number;
  /** Behind the two bytes of next header and length: 6 bytes, or 8 n + 6. */
  readonly data: Uint8Array;
}

export function parseOptionsHeader(view: DataView, offset: number): OptionsHeader | undefined {
  const available = view.byteLength - offset;
  if (available < 8) return undefined;

  const sizeBytes = (view.getUint8(offset + 1) + 1) * 8;
  if (sizeBytes > available) return undefined;

  return { nextHeader: view.getUint8(offset), data: bytesAt(view, offset + 2, sizeBytes - 2) };
}

export function emitOptionsHeader(view: DataView, offset: number, header: OptionsHeader): number {
  view.setUint8(offset, header.nextHeader);
  view.setUint8(offset + 1, (header.data.length + 2) / 8 - 1);
  setBytes(view, offset + 2, header.data);
  return offset + 2 + header.data.length;
}

export interface FragmentHeader {
  readonly nextHeader: number;
  /** A multiple of 8. */
  readonly fragmentOffsetBytes: number;
  readonly moreFragments: boolean;
  readonly id: number;
}

export function parseFragmentHeader(view: DataView, offset: number): FragmentHeader | undefined {
  if (view.byteLength - offset < FRAGMENT_HEADER_SIZE_BYTES) return undefined;

  const word = view.getUint16(offset + 2);
  return {
    nextHeader: view.getUint8(offset),
    fragmentOffsetBytes: word & 0xfff8,
    moreFragments: (word & 1) !== 0,
    id: view.getUint32(offset + 4),
  };
}

/** Reserved bits are written as zeros. */
export function emitFragmentHeader(view: DataView, offset: number, header: FragmentHeader): number {
  view.setUint8(offset, header.nextHeader);
  view.setUint8(offset + 1, 0);
  view.setUint16(offset + 2, header.fragmentOffsetBytes | (header.moreFragments ? 1 : 0));
  view.setUint32(offset + 4, header.id);
  return offset + FRAGMENT_HEADER_SIZE_BYTES;
}
