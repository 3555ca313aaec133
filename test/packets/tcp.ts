/** TCP headers (RFC 9293 section 3.1). */
import { bytesAt, setBytes } from "./ethernet.ts";

export const TCP_HEADER_SIZE_BYTES = 20;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;

export interface TcpHeader {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** The 12 bits behind the data offset; TCP_* for the low ones. */
  readonly flags: number;
  readonly window: number;
  readonly checksum: number;
  readonly urgent: number;
  /** A multiple of 4 bytes, at most 40. */
  readonly options: Uint8Array;
}

export function parseTcp(view: DataView, offset: number): TcpHeader | undefined {
  const available = view.byteLength - offset;
  if (available < TCP_HEADER_SIZE_BYTES) return undefined;

  const offsetAndFlags = view.getUint16(offset + 12);
  const sizeBytes = (offsetAndFlags >>> 12) * 4;
  if (sizeBytes < TCP_HEADER_SIZE_BYTES || sizeBytes > available) return undefined;

  return {
    sourcePort: view.getUint16(offset),
    targetPort: view.getUint16(offset + 2),
    sequence: view.getUint32(offset + 4),
    acknowledgement: view.getUint32(offset + 8),
    flags: offsetAndFlags & 0xfff,
    window: view.getUint16(offset + 14),
    checksum: view.getUint16(offset + 16),
    urgent: view.getUint16(offset + 18),
    options: bytesAt(view, offset + TCP_HEADER_SIZE_BYTES, sizeBytes - TCP_HEADER_SIZE_BYTES),
  };
}

/** Returns the offset behind the header. */
export function emitTcp(view: DataView, offset: number, header: TcpHeader): number {
  const sizeBytes = TCP_HEADER_SIZE_BYTES + header.options.length;
  view.setUint16(offset, header.sourcePort);
  view.setUint16(offset + 2, header.targetPort);
  view.setUint32(offset + 4, header.sequence);
  view.setUint32(offset + 8, header.acknowledgement);
  view.setUint16(offset + 12, ((sizeBytes / 4) << 12) | header.flags);
  view.setUint16(offset + 14, header.window);
  view.setUint16(offset + 16, header.checksum);
  view.setUint16(offset + 18, header.urgent);
  setBytes(view, offset + TCP_HEADER_SIZE_BYTES, header.options);
  return offset + sizeBytes;
}
