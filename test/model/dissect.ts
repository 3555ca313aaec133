/**
 * What the model sees of a frame: which headers are there and where, or what is wrong first. Only the network layer
 * and below: what the transport header must be depends on what the packet is for.
 */

import type { ReasonName as Reason } from "../../control/model/reasons.ts";
import {
  ETH_P_IPV4,
  ETH_P_IPV6,
  type EthernetHeader,
  ethernetSizeBytes,
  parseEthernet,
} from "../packets/ethernet.ts";
import { viewOf } from "../packets/frame.ts";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, ipv4SizeBytes, parseIpv4 } from "../packets/ipv4.ts";
import {
  IPV6_HEADER_SIZE_BYTES,
  NEXT_DESTINATION_OPTIONS,
  NEXT_FRAGMENT,
  NEXT_HOP_BY_HOP,
  NEXT_ICMPV6,
  NEXT_ROUTING,
  parseFragmentHeader,
  parseIpv6,
  parseOptionsHeader,
} from "../packets/ipv6.ts";

/** More headers between the fixed IPv6 header and the transport than this are not followed. */
const EXTENSION_HEADERS_MAX = 6;

export type Dissection =
  | { readonly kind: "not-ip" }
  | {
      readonly kind: "malformed";
      readonly reason: Reason;
      /** Undefined when the frame ends before it. */
      readonly destination: Uint8Array | undefined;
    }
  | { readonly kind: "ip"; readonly packet: IpPacket };

export interface IpPacket {
  readonly ethernet: EthernetHeader;
  readonly family: 4 | 6;
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** TOS or traffic class. */
  readonly trafficClass: number;
  /** As its header says: the whole IP packet. */
  readonly lengthBytes: number;
  /** Of the IP header in the frame. */
  readonly offset: number;
  readonly hasIpOptions: boolean;
  readonly fragment: Fragment | undefined;
  /** What follows the headers. In a later IPv6 fragment: what the datagram begins with. */
  readonly protocol: number;
  readonly transportOffset: number;
  /** Where the packet ends: by its length field, or by the frame where that is shorter. */
  readonly end: number;
}

export interface Fragment {
  readonly offsetBytes: number;
  readonly moreFragments: boolean;
  readonly id: number;
}

export function dissect(frame: Uint8Array): Dissection {
  const view = viewOf(frame);
  const ethernet = parseEthernet(view, 0);
  if (ethernet === undefined) return malformed("malformed_ethernet", undefined);

  const offset = ethernetSizeBytes(ethernet);
  switch (ethernet.etherType) {
    case ETH_P_IPV4:
      return dissectIpv4(frame, ethernet, offset);
    case ETH_P_IPV6:
      return dissectIpv6(frame, ethernet, offset);
    default:
      return { kind: "not-ip" };
  }
}

function dissectIpv4(frame: Uint8Array, ethernet: EthernetHeader, offset: number): Dissection {
  const header = parseIpv4(viewOf(frame), offset);
  if (header === undefined) {
    const isDestinationThere = frame.length >= offset + 20;
    return malformed(
      "malformed_ipv4",
      isDestinationThere ? frame.slice(offset + 16, offset + 20) : undefined,
    );
  }
  const isFragment = header.moreFragments || header.fragmentOffsetBytes > 0;
  return {
    kind: "ip",
    packet: {
      ethernet,
      family: 4,
      source: header.source,
      destination: header.destination,
      trafficClass: header.tos,
      lengthBytes: header.totalLengthBytes,
      offset,
      hasIpOptions: header.options.length > 0,
      fragment: isFragment
        ? { offsetBytes: header.fragmentOffsetBytes, moreFragments: header.moreFragments, id: header.id }
        : undefined,
      protocol: header.protocol,
      transportOffset: offset + ipv4SizeBytes(header),
      end: Math.min(frame.length, offset + header.totalLengthBytes),
    },
  };
}

function dissectIpv6(frame: Uint8Array, ethernet: EthernetHeader, offset: number): Dissection {
  const header = parseIpv6(viewOf(frame), offset);
  if (header === undefined) {
    const isDestinationThere = frame.length >= offset + IPV6_HEADER_SIZE_BYTES;
    return malformed(
      "malformed_ipv6",
      isDestinationThere ? frame.slice(offset + 24, offset + 40) : undefined,
    );
  }
  const end = Math.min(frame.length, offset + IPV6_HEADER_SIZE_BYTES + header.payloadLengthBytes);
  const chain = followExtensions(frame.subarray(0, end), offset + IPV6_HEADER_SIZE_BYTES, header.nextHeader);
  if (chain === undefined) return malformed("malformed_ipv6", header.destination);
  return {
    kind: "ip",
    packet: {
      ethernet,
      family: 6,
      source: header.source,
      destination: header.destination,
      trafficClass: header.trafficClass,
      lengthBytes: IPV6_HEADER_SIZE_BYTES + header.payloadLengthBytes,
      offset,
      hasIpOptions: false,
      fragment: chain.fragment,
      protocol: chain.protocol,
      transportOffset: chain.offset,
      end,
    },
  };
}

export interface ExtensionChain {
  readonly protocol: number;
  /** Behind the last header followed. */
  readonly offset: number;
  readonly fragment: Fragment | undefined;
}

/**
 * Follows extension headers from `offset`; `bytes` ends where the packet does. Behind the fragment header of a later fragment
 * lies the middle of something, so the walk ends there. Undefined when a header runs out of the packet,
 * when there are too many, or when a fragment is in fragments itself.
 */
export function followExtensions(
  bytes: Uint8Array,
  offset: number,
  firstHeader: number,
): ExtensionChain | undefined {
  const view = viewOf(bytes);
  let at = offset;
  let next = firstHeader;
  let fragment: Fragment | undefined;
  for (let followed = 0; ; followed++) {
    const isOptions = next === NEXT_HOP_BY_HOP || next === NEXT_ROUTING || next === NEXT_DESTINATION_OPTIONS;
    if (!isOptions && next !== NEXT_FRAGMENT) break;
    if (followed === EXTENSION_HEADERS_MAX) return undefined;

    if (isOptions) {
      const header = parseOptionsHeader(view, at);
      if (header === undefined) return undefined;
      next = header.nextHeader;
      at += header.data.length + 2;
    } else {
      const header = parseFragmentHeader(view, at);
      if (header === undefined || fragment !== undefined) return undefined;
      fragment = {
        offsetBytes: header.fragmentOffsetBytes,
        moreFragments: header.moreFragments,
        id: header.id,
      };
      next = header.nextHeader;
      at += 8;
      if (fragment.offsetBytes > 0) break;
    }
  }
  return { protocol: next, offset: at, fragment };
}

/** What is wrong with a TCP, UDP or ICMP header that does not fit, by its protocol; undefined when it fits. */
export function transportProblem(packet: IpPacket): Reason | undefined {
  const available = packet.end - packet.transportOffset;
  switch (packet.protocol) {
    case IPPROTO_TCP:
      return available < 20 ? "malformed_tcp" : undefined;
    case IPPROTO_UDP:
      return available < 8 ? "malformed_udp" : undefined;
    default:
      return available < 8 ? "malformed_icmp" : undefined;
  }
}

export function isIcmp(packet: IpPacket): boolean {
  return packet.protocol === (packet.family === 4 ? IPPROTO_ICMP : NEXT_ICMPV6);
}

export function isTcpOrUdp(protocol: number): boolean {
  return protocol === IPPROTO_TCP || protocol === IPPROTO_UDP;
}

function malformed(reason: Reason, destination: Uint8Array | undefined): Dissection {
  return { kind: "malformed", reason, destination };
}
