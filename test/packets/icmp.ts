/** ICMP (RFC 792) and ICMPv6 (RFC 4443) headers: the first eight bytes, which all the messages used here have. */
export const ICMP_HEADER_SIZE_BYTES = 8;

export const ICMP_ECHO_REPLY = 0;
export const ICMP_UNREACHABLE = 3;
export const ICMP_FRAGMENTATION_NEEDED = 4; // a code of ICMP_UNREACHABLE
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO_REQUEST = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;

export const ICMPV6_UNREACHABLE = 1;
export const ICMPV6_PACKET_TOO_BIG = 2;
export const ICMPV6_TIME_EXCEEDED = 3;
export const ICMPV6_PARAMETER_PROBLEM = 4;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
export const ICMPV6_NEIGHBOUR_SOLICITATION = 135;

export interface IcmpHeader {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  /** Bytes 4 to 7: identifier and sequence number, a next-hop MTU, a pointer or nothing, by type. */
  readonly rest: number;
}

export function parseIcmp(view: DataView, offset: number): IcmpHeader | undefined {
  if (view.byteLength - offset < ICMP_HEADER_SIZE_BYTES) return undefined;
  return {
    type: view.getUint8(offset),
    code: view.getUint8(offset + 1),
    checksum: view.getUint16(offset + 2),
    rest: view.getUint32(offset + 4),
  };
}

/** Returns the offset behind the header. */
export function emitIcmp(view: DataView, offset: number, header: IcmpHeader): number {
  view.setUint8(offset, header.type);
  view.setUint8(offset + 1, header.code);
  view.setUint16(offset + 2, header.checksum);
  view.setUint32(offset + 4, header.rest);
  return offset + ICMP_HEADER_SIZE_BYTES;
}
