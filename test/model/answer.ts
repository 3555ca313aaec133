/** Packets that go back to where they came from: echo replies and ICMP's "too big". */
import { checksumOf, foldSum, pseudoHeaderSum, sumWords } from "../packets/checksum.ts";
import { emitEthernet, ethernetSizeBytes } from "../packets/ethernet.ts";
import { viewOf } from "../packets/frame.ts";
import {
  ICMP_ECHO_REPLY,
  ICMP_FRAGMENTATION_NEEDED,
  ICMP_UNREACHABLE,
  ICMPV6_ECHO_REPLY,
  ICMPV6_PACKET_TOO_BIG,
} from "../packets/icmp.ts";
import { emitIpv4, IPPROTO_ICMP } from "../packets/ipv4.ts";
import { emitIpv6, NEXT_ICMPV6 } from "../packets/ipv6.ts";
import type { IpPacket } from "./dissect.ts";

const HOP_LIMIT = 64;

/** How much of a packet that is too big the answer quotes. */
const QUOTE_BYTES_MAX = { 4: 84, 6: 248 } as const;

/** Whether this is the address of one host, so that an answer may go to it or come from it (RFC 1122 section 3.2.2.6, RFC 4443 section 2.4). */
export function isOneHost(address: Uint8Array): boolean {
  if (address.every((byte) => byte === 0)) return false;
  const isLoopback =
    address.length === 4
      ? address[0] === 127
      : address[15] === 1 && address.subarray(0, 15).every((byte) => byte === 0);
  if (isLoopback) return false;
  if (address.length === 16) return address[0] !== 0xff;
  const isMulticast = address[0]! >= 224 && address[0]! <= 239;
  return !isMulticast && !address.every((byte) => byte === 255);
}

/** Whether the frame came to one host, and not to all or to a group of them (RFC 1122 section 3.2.2). */
export function isToOneHost(frame: Uint8Array): boolean {
  return (frame[0]! & 1) === 0;
}

/**
 * The request with addresses swapped. Checksums are updated rather than computed anew (RFC 1624), so that a wrong one
 * stays wrong and damage on the way is not hidden.
 */
export function echoReply(frame: Uint8Array, packet: IpPacket): Uint8Array {
  const out = frame.slice();
  const view = viewOf(out);
  swap(out, 0, 6, 6);
  const { offset, transportOffset } = packet;
  if (packet.family === 4) {
    swap(out, offset + 12, offset + 16, 4);
    const before = view.getUint16(offset + 8);
    view.setUint8(offset + 8, HOP_LIMIT);
    const after = view.getUint16(offset + 8);
    view.setUint16(offset + 10, updatedChecksum(view.getUint16(offset + 10), before, after));
    view.setUint8(transportOffset, ICMP_ECHO_REPLY);
    // The type leaves the sum, so the checksum grows by it. All ones rather than zero where the two mean the same:
    // of a message of nothing but zeros, only all ones is right.
    view.setUint16(transportOffset + 2, foldSum(view.getUint16(transportOffset + 2) + 0x0800));
  } else {
    swap(out, offset + 8, offset + 24, 16);
    view.setUint8(offset + 7, HOP_LIMIT);
    const before = view.getUint16(transportOffset);
    view.setUint8(transportOffset, ICMPV6_ECHO_REPLY);
    const after = view.getUint16(transportOffset);
    view.setUint16(transportOffset + 2, updatedChecksum(view.getUint16(transportOffset + 2), before, after));
  }
  return out;
}

/** RFC 1624, equation 3. */
function updatedChecksum(checksum: number, before: number, after: number): number {
  return checksumOf((~checksum & 0xffff) + (~before & 0xffff) + after);
}

/** RFC 792 with RFC 1191 section 4, or RFC 4443 section 3.2. */
export function tooBigReply(frame: Uint8Array, packet: IpPacket, mtu: number): Uint8Array {
  const ethernetBytes = ethernetSizeBytes(packet.ethernet);
  const available = (frame.length - ethernetBytes) & ~1;
  const quote = frame.subarray(
    ethernetBytes,
    ethernetBytes + Math.min(QUOTE_BYTES_MAX[packet.family], available),
  );

  const ipBytes = packet.family === 4 ? 20 : 40;
  const out = new Uint8Array(ethernetBytes + ipBytes + 8 + quote.length);
  const view = viewOf(out);
  emitEthernet(view, 0, {
    ...packet.ethernet,
    destination: packet.ethernet.source,
    source: packet.ethernet.destination,
  });

  const message = out.subarray(ethernetBytes + ipBytes);
  const messageView = viewOf(message);
  message.set(quote, 8);
  if (packet.family === 4) {
    emitIpv4(view, ethernetBytes, {
      tos: 0,
      totalLengthBytes: 28 + quote.length,
      id: 0,
      hasReservedFlag: false,
      dontFragment: false,
      moreFragments: false,
      fragmentOffsetBytes: 0,
      ttl: HOP_LIMIT,
      protocol: IPPROTO_ICMP,
      checksum: 0,
      source: packet.destination,
      destination: packet.source,
      options: new Uint8Array(),
    });
    view.setUint16(ethernetBytes + 10, checksumOf(sumWords(out.subarray(ethernetBytes, ethernetBytes + 20))));
    messageView.setUint8(0, ICMP_UNREACHABLE);
    messageView.setUint8(1, ICMP_FRAGMENTATION_NEEDED);
    messageView.setUint16(6, mtu);
    messageView.setUint16(2, checksumOf(sumWords(message)));
  } else {
    emitIpv6(view, ethernetBytes, {
      trafficClass: 0,
      flowLabel: 0,
      payloadLengthBytes: message.length,
      nextHeader: NEXT_ICMPV6,
      hopLimit: HOP_LIMIT,
      source: packet.destination,
      destination: packet.source,
    });
    messageView.setUint8(0, ICMPV6_PACKET_TOO_BIG);
    messageView.setUint32(4, mtu);
    const pseudo = pseudoHeaderSum({
      source: packet.destination,
      destination: packet.source,
      protocol: NEXT_ICMPV6,
      lengthBytes: message.length,
    });
    messageView.setUint16(2, checksumOf(sumWords(message) + pseudo));
  }
  return out;
}

function swap(bytes: Uint8Array, left: number, right: number, sizeBytes: number): void {
  const kept = bytes.slice(left, left + sizeBytes);
  bytes.copyWithin(left, right, right + sizeBytes);
  bytes.set(kept, right);
}
