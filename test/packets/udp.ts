/**
 * UDP headers (RFC 768). A length field that cannot be true makes the datagram malformed, and it parses to
 * `undefined`. Bytes after the datagram are allowed, since Ethernet pads short frames.
 */
export const UDP_HEADER_SIZE_BYTES = 8;

export interface UdpHeader {
  readonly sourcePort: number;
  readonly targetPort: number;
  /** Header and payload together, as the wire carries it. */
  readonly lengthBytes: number;
  /** 0: the sender computed none. Ordinary over IPv4; over IPv6 only tunnels may (RFC 6935). */
  readonly checksum: number;
}

export function parseUdp(view: DataView, offset: number): UdpHeader | undefined {
  const available = view.byteLength - offset;
  if (available < UDP_HEADER_SIZE_BYTES) return undefined;

  const lengthBytes = view.getUint16(offset + 4);
  if (lengthBytes < UDP_HEADER_SIZE_BYTES || lengthBytes > available) return undefined;

  return {
    sourcePort: view.getUint16(offset),
    targetPort: view.getUint16(offset + 2),
    lengthBytes,
    checksum: view.getUint16(offset + 6),
  };
}

/** Returns the offset behind the header. */
export function emitUdp(view: DataView, offset: number, header: UdpHeader): number {
  view.setUint16(offset, header.sourcePort);
  view.setUint16(offset + 2, header.targetPort);
  view.setUint16(offset + 4, header.lengthBytes);
  view.setUint16(offset + 6, header.checksum);
  return offset + UDP_HEADER_SIZE_BYTES;
}
