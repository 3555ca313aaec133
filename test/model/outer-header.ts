/** Encapsulation: the outer IP header in front of an unchanged packet (RFC 2003, RFC 2473, RFC 4213), as Katran builds it. */
import { checksumOf, sumWords } from "../packets/checksum.ts";
import { ETH_P_IPV4, ETH_P_IPV6, emitEthernet, ethernetSizeBytes } from "../packets/ethernet.ts";
import { viewOf } from "../packets/frame.ts";
import { emitIpv4, IPPROTO_IPIP, IPPROTO_IPV6 } from "../packets/ipv4.ts";
import { emitIpv6 } from "../packets/ipv6.ts";
import type { IpPacket } from "./dissect.ts";

export function outerSizeBytes(backend: Uint8Array): number {
  return backend.length === 4 ? 20 : 40;
}

export interface Encapsulation {
  readonly gatewayMac: Uint8Array;
  readonly backend: Uint8Array;
  /** What the outer source is derived from: the client of the flow, which in an ICMP error is not who sent the packet. */
  readonly client: Uint8Array;
  readonly clientPort: number;
}

/** The frame towards the backend. What lies behind the IP packet in the frame, Ethernet padding, stays. */
export function encapsulate(frame: Uint8Array, packet: IpPacket, to: Encapsulation): Uint8Array {
  const ethernetBytes = ethernetSizeBytes(packet.ethernet);
  const outerBytes = outerSizeBytes(to.backend);
  const out = new Uint8Array(frame.length + outerBytes);
  emitEthernet(viewOf(out), 0, {
    destination: to.gatewayMac,
    source: packet.ethernet.destination,
    tags: packet.ethernet.tags,
    etherType: to.backend.length === 4 ? ETH_P_IPV4 : ETH_P_IPV6,
  });
  if (to.backend.length === 4) emitOuterIpv4(out, ethernetBytes, packet, to);
  else emitOuterIpv6(out, ethernetBytes, packet, to);
  out.set(frame.subarray(ethernetBytes), ethernetBytes + outerBytes);
  return out;
}

function emitOuterIpv4(out: Uint8Array, offset: number, packet: IpPacket, to: Encapsulation): void {
  const [third, fourth] = [to.client.at(-2)!, to.client.at(-1)!];
  emitIpv4(viewOf(out), offset, {
    tos: packet.trafficClass,
    totalLengthBytes: packet.lengthBytes + 20,
    id: 0,
    hasReservedFlag: false,
    dontFragment: false,
    moreFragments: false,
    fragmentOffsetBytes: 0,
    ttl: 64,
    protocol: packet.family === 4 ? IPPROTO_IPIP : IPPROTO_IPV6,
    checksum: 0,
    source: Uint8Array.of(172, 16, third ^ (to.clientPort & 0xff), fourth ^ (to.clientPort >>> 8)),
    destination: to.backend,
    options: new Uint8Array(),
  });
  viewOf(out).setUint16(offset + 10, checksumOf(sumWords(out.subarray(offset, offset + 20))));
}

function emitOuterIpv6(out: Uint8Array, offset: number, packet: IpPacket, to: Encapsulation): void {
  const source = new Uint8Array(16);
  source[0] = 1;
  source.set(to.client.subarray(-4), 12);
  source[12] = source[12]! ^ (to.clientPort >>> 8);
  source[13] = source[13]! ^ (to.clientPort & 0xff);
  emitIpv6(viewOf(out), offset, {
    trafficClass: packet.trafficClass,
    flowLabel: 0,
    payloadLengthBytes: packet.lengthBytes,
    nextHeader: packet.family === 4 ? IPPROTO_IPIP : IPPROTO_IPV6,
    hopLimit: 64,
    source,
    destination: to.backend,
  });
}
