/** The packet that an ICMP error quotes: as much of its headers as RFC 792 and RFC 4443 promise, or undefined when that is not there. */
import { bytesAt } from "../packets/ethernet.ts";
import { viewOf } from "../packets/frame.ts";
import { parseIpv6 } from "../packets/ipv6.ts";
import { followExtensions } from "./dissect.ts";

export interface Quoted {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly transportOffset: number;
  readonly isLaterFragment: boolean;
}

/** The quote's own length says how long the packet was, not how much of it is quoted, so it is not looked at. */
export function quotedIpv4(view: DataView, offset: number): Quoted | undefined {
  const isThere = view.byteLength >= offset + 20 && view.getUint8(offset) >>> 4 === 4;
  if (!isThere) return undefined;
  const sizeBytes = (view.getUint8(offset) & 0x0f) * 4;
  if (sizeBytes < 20 || view.byteLength < offset + sizeBytes) return undefined;
  return {
    source: bytesAt(view, offset + 12, 4),
    destination: bytesAt(view, offset + 16, 4),
    protocol: view.getUint8(offset + 9),
    transportOffset: offset + sizeBytes,
    isLaterFragment: (view.getUint16(offset + 6) & 0x1fff) !== 0,
  };
}

export function quotedIpv6(bytes: Uint8Array, offset: number): Quoted | undefined {
  const header = parseIpv6(viewOf(bytes), offset);
  if (header === undefined) return undefined;
  const chain = followExtensions(bytes, offset + 40, header.nextHeader);
  if (chain === undefined) return undefined;
  const { source, destination } = header;
  const isLaterFragment = (chain.fragment?.offsetBytes ?? 0) > 0;
  return { source, destination, protocol: chain.protocol, transportOffset: chain.offset, isLaterFragment };
}
