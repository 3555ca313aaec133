/**
 * Frames as tests write them: layers inside each other, outermost first.
 *
 *   ethernet({}, ipv4({ source: "192.0.2.1", destination: "10.0.0.1" }, tcp({ targetPort: 80, flags: TCP_SYN })))
 *
 * Lengths, protocol numbers and checksums are computed; any of them can be given instead, to be wrong on purpose.
 */
import { ip, mac } from "./address.ts";
import { checksumOf, pseudoHeaderSum, sumWords } from "./checksum.ts";
import { ETH_P_IPV4, ETH_P_IPV6, emitEthernet, ethernetSizeBytes, type VlanTag } from "./ethernet.ts";
import { emitIcmp, ICMP_HEADER_SIZE_BYTES } from "./icmp.ts";
import { checksumIpv4, emitIpv4, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, ipv4SizeBytes } from "./ipv4.ts";
import {
  emitFragmentHeader,
  emitIpv6,
  emitOptionsHeader,
  FRAGMENT_HEADER_SIZE_BYTES,
  IPV6_HEADER_SIZE_BYTES,
  NEXT_DESTINATION_OPTIONS,
  NEXT_FRAGMENT,
  NEXT_HOP_BY_HOP,
  NEXT_ICMPV6,
  NEXT_ROUTING,
} from "./ipv6.ts";
import { emitTcp, TCP_ACK, TCP_HEADER_SIZE_BYTES } from "./tcp.ts";
import { emitUdp, UDP_HEADER_SIZE_BYTES } from "./udp.ts";

/** What follows an IP header: its protocol number, and its bytes once the addresses that its checksum covers are known. */
export interface Layer {
  readonly protocol: number;
  emit(addresses: { readonly source: Uint8Array; readonly destination: Uint8Array }): Uint8Array;
}

export const HOST_MAC = "02:00:00:00:00:01";
export const ROUTER_MAC = "02:00:00:00:00:fe";

export interface EthernetOptions {
  readonly destination?: string;
  readonly source?: string;
  readonly tags?: readonly VlanTag[];
  /** By the payload's version nibble if left out. */
  readonly etherType?: number;
  /** Zeros up to this frame size: Ethernet's shortest frame is 60 bytes without its check sequence. */
  readonly padToBytes?: number;
}

export function ethernet(options: EthernetOptions, payload: Uint8Array): Uint8Array {
  const header = {
    destination: mac(options.destination ?? HOST_MAC),
    source: mac(options.source ?? ROUTER_MAC),
    tags: options.tags ?? [],
    etherType: options.etherType ?? (payload[0]! >>> 4 === 6 ? ETH_P_IPV6 : ETH_P_IPV4),
  };
  const sizeBytes = ethernetSizeBytes(header);
  const frame = new Uint8Array(Math.max(sizeBytes + payload.length, options.padToBytes ?? 0));
  emitEthernet(viewOf(frame), 0, header);
  frame.set(payload, sizeBytes);
  return frame;
}

export interface Ipv4Options {
  readonly source: string;
  readonly destination: string;
  readonly tos?: number;
  readonly totalLengthBytes?: number;
  readonly id?: number;
  readonly dontFragment?: boolean;
  readonly moreFragments?: boolean;
  readonly fragmentOffsetBytes?: number;
  readonly ttl?: number;
  readonly protocol?: number;
  readonly checksum?: number;
  readonly options?: Uint8Array;
}

export function ipv4(options: Ipv4Options, payload: Layer): Uint8Array {
  const source = ip(options.source);
  const destination = ip(options.destination);
  const inner = payload.emit({ source, destination });
  const ipOptions = options.options ?? new Uint8Array();
  const header = {
    tos: options.tos ?? 0,
    totalLengthBytes: options.totalLengthBytes ?? 20 + ipOptions.length + inner.length,
    id: options.id ?? 0,
    hasReservedFlag: false,
    dontFragment: options.dontFragment ?? false,
    moreFragments: options.moreFragments ?? false,
    fragmentOffsetBytes: options.fragmentOffsetBytes ?? 0,
    ttl: options.ttl ?? 57,
    protocol: options.protocol ?? payload.protocol,
    checksum: 0,
    source,
    destination,
    options: ipOptions,
  };
  const packet = new Uint8Array(ipv4SizeBytes(header) + inner.length);
  emitIpv4(viewOf(packet), 0, { ...header, checksum: options.checksum ?? checksumIpv4(header) });
  packet.set(inner, ipv4SizeBytes(header));
  return packet;
}

export interface Ipv6Options {
  readonly source: string;
  readonly destination: string;
  readonly trafficClass?: number;
  readonly flowLabel?: number;
  readonly payloadLengthBytes?: number;
  readonly nextHeader?: number;
  readonly hopLimit?: number;
}

export function ipv6(options: Ipv6Options, payload: Layer): Uint8Array {
  const source = ip(options.source);
  const destination = ip(options.destination);
  const inner = payload.emit({ source, destination });
  const packet = new Uint8Array(IPV6_HEADER_SIZE_BYTES + inner.length);
  emitIpv6(viewOf(packet), 0, {
    trafficClass: options.trafficClass ?? 0,
    flowLabel: options.flowLabel ?? 0,
    payloadLengthBytes: options.payloadLengthBytes ?? inner.length,
    nextHeader: options.nextHeader ?? payload.protocol,
    hopLimit: options.hopLimit ?? 57,
    source,
    destination,
  });
  packet.set(inner, IPV6_HEADER_SIZE_BYTES);
  return packet;
}

/** Hop-by-hop options in front of `payload`: `data` is 6 bytes, or 8 n + 6. Padding (PadN) if left out. */
export function hopByHop(payload: Layer, data: Uint8Array = PAD_4): Layer {
  return optionsHeader(NEXT_HOP_BY_HOP, payload, data);
}

export function destinationOptions(payload: Layer, data: Uint8Array = PAD_4): Layer {
  return optionsHeader(NEXT_DESTINATION_OPTIONS, payload, data);
}

/** A routing header of an unknown type with no segments left, which a receiver ignores. */
export function routing(payload: Layer, data: Uint8Array = new Uint8Array([253, 0, 0, 0, 0, 0])): Layer {
  return optionsHeader(NEXT_ROUTING, payload, data);
}

const PAD_4 = new Uint8Array([1, 4, 0, 0, 0, 0]);

function optionsHeader(protocol: number, payload: Layer, data: Uint8Array): Layer {
  return {
    protocol,
    emit(addresses) {
      const inner = payload.emit(addresses);
      const bytes = new Uint8Array(2 + data.length + inner.length);
      emitOptionsHeader(viewOf(bytes), 0, { nextHeader: payload.protocol, data });
      bytes.set(inner, 2 + data.length);
      return bytes;
    },
  };
}

/** An IPv6 fragment header in front of whatever part of a datagram `payload` is. */
export function fragmentHeader(
  payload: Layer,
  options: { readonly offsetBytes?: number; readonly moreFragments?: boolean; readonly id?: number } = {},
): Layer {
  return {
    protocol: NEXT_FRAGMENT,
    emit(addresses) {
      const inner = payload.emit(addresses);
      const bytes = new Uint8Array(FRAGMENT_HEADER_SIZE_BYTES + inner.length);
      emitFragmentHeader(viewOf(bytes), 0, {
        nextHeader: payload.protocol,
        fragmentOffsetBytes: options.offsetBytes ?? 0,
        moreFragments: options.moreFragments ?? false,
        id: options.id ?? 0,
      });
      bytes.set(inner, FRAGMENT_HEADER_SIZE_BYTES);
      return bytes;
    },
  };
}

/** Any bytes as any protocol. */
export function raw(protocol: number, bytes: Uint8Array): Layer {
  return { protocol, emit: () => bytes };
}

export interface TcpOptions {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly sequence?: number;
  readonly acknowledgement?: number;
  /** TCP_*; an acknowledgement if left out. */
  readonly flags?: number;
  readonly checksum?: number;
  readonly options?: Uint8Array;
}

export function tcp(options: TcpOptions, data: Uint8Array = new Uint8Array()): Layer {
  const tcpOptions = options.options ?? new Uint8Array();
  return {
    protocol: IPPROTO_TCP,
    emit(addresses) {
      const headerBytes = TCP_HEADER_SIZE_BYTES + tcpOptions.length;
      const bytes = new Uint8Array(headerBytes + data.length);
      emitTcp(viewOf(bytes), 0, {
        sourcePort: options.sourcePort,
        targetPort: options.targetPort,
        sequence: options.sequence ?? 1,
        acknowledgement: options.acknowledgement ?? 0,
        flags: options.flags ?? TCP_ACK,
        window: 65535,
        checksum: 0,
        urgent: 0,
        options: tcpOptions,
      });
      bytes.set(data, headerBytes);
      return withChecksum(bytes, 16, options.checksum ?? transportChecksum(bytes, IPPROTO_TCP, addresses));
    },
  };
}

export interface UdpOptions {
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly lengthBytes?: number;
  readonly checksum?: number;
}

export function udp(options: UdpOptions, data: Uint8Array = new Uint8Array()): Layer {
  return {
    protocol: IPPROTO_UDP,
    emit(addresses) {
      const bytes = new Uint8Array(UDP_HEADER_SIZE_BYTES + data.length);
      const { sourcePort, targetPort } = options;
      const lengthBytes = options.lengthBytes ?? bytes.length;
      emitUdp(viewOf(bytes), 0, { sourcePort, targetPort, lengthBytes, checksum: 0 });
      bytes.set(data, UDP_HEADER_SIZE_BYTES);
      // RFC 768: a computed zero is sent as all ones, since zero says that there is none.
      const computed = transportChecksum(bytes, IPPROTO_UDP, addresses) || 0xffff;
      return withChecksum(bytes, 6, options.checksum ?? computed);
    },
  };
}

export interface IcmpOptions {
  readonly type: number;
  readonly code?: number;
  /** Bytes 4 to 7. */
  readonly rest?: number;
  readonly checksum?: number;
}

export function icmp(options: IcmpOptions, data: Uint8Array = new Uint8Array()): Layer {
  return icmpLayer(IPPROTO_ICMP, options, data);
}

export function icmpv6(options: IcmpOptions, data: Uint8Array = new Uint8Array()): Layer {
  return icmpLayer(NEXT_ICMPV6, options, data);
}

function icmpLayer(protocol: number, options: IcmpOptions, data: Uint8Array): Layer {
  return {
    protocol,
    emit(addresses) {
      const bytes = new Uint8Array(ICMP_HEADER_SIZE_BYTES + data.length);
      const { type, code = 0, rest = 0 } = options;
      emitIcmp(viewOf(bytes), 0, { type, code, rest, checksum: 0 });
      bytes.set(data, ICMP_HEADER_SIZE_BYTES);
      // ICMPv6 covers the pseudo-header (RFC 4443 section 2.3), ICMP does not.
      const computed =
        protocol === NEXT_ICMPV6
          ? transportChecksum(bytes, protocol, addresses)
          : checksumOf(sumWords(bytes));
      return withChecksum(bytes, 2, options.checksum ?? computed);
    },
  };
}

/** The fragments of a whole IPv4 packet, cut at these offsets of its payload (multiples of 8), in order. */
export function fragmentsIpv4(packet: Uint8Array, cutsBytes: readonly number[]): Uint8Array[] {
  const headerBytes = (packet[0]! & 0x0f) * 4;
  const payload = packet.subarray(headerBytes);
  return pieces(payload.length, cutsBytes).map(({ start, end, isLast }) => {
    const fragment = new Uint8Array(headerBytes + end - start);
    fragment.set(packet.subarray(0, headerBytes));
    fragment.set(payload.subarray(start, end), headerBytes);
    const view = viewOf(fragment);
    view.setUint16(2, fragment.length);
    view.setUint16(6, (isLast ? 0 : 0x2000) | (start / 8));
    view.setUint16(10, 0);
    view.setUint16(10, checksumOf(sumWords(fragment.subarray(0, headerBytes))));
    return fragment;
  });
}

/**
 * The fragments of a whole IPv6 packet. Everything behind the fixed header is cut, extension headers too; the
 * offsets count from there.
 */
export function fragmentsIpv6(packet: Uint8Array, id: number, cutsBytes: readonly number[]): Uint8Array[] {
  const payload = packet.subarray(IPV6_HEADER_SIZE_BYTES);
  return pieces(payload.length, cutsBytes).map(({ start, end, isLast }) => {
    const fragment = new Uint8Array(IPV6_HEADER_SIZE_BYTES + FRAGMENT_HEADER_SIZE_BYTES + end - start);
    fragment.set(packet.subarray(0, IPV6_HEADER_SIZE_BYTES));
    const view = viewOf(fragment);
    view.setUint16(4, fragment.length - IPV6_HEADER_SIZE_BYTES);
    view.setUint8(6, NEXT_FRAGMENT);
    emitFragmentHeader(view, IPV6_HEADER_SIZE_BYTES, {
      nextHeader: packet[6]!,
      fragmentOffsetBytes: start,
      moreFragments: !isLast,
      id,
    });
    fragment.set(payload.subarray(start, end), IPV6_HEADER_SIZE_BYTES + FRAGMENT_HEADER_SIZE_BYTES);
    return fragment;
  });
}

/** Bytes that tell their place apart: 0, 1, 2, ... */
export function pattern(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => index & 0xff);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pieces(
  sizeBytes: number,
  cutsBytes: readonly number[],
): readonly { readonly start: number; readonly end: number; readonly isLast: boolean }[] {
  const starts = [0, ...cutsBytes];
  return starts.map((start, index) => ({
    start,
    end: starts[index + 1] ?? sizeBytes,
    isLast: index === starts.length - 1,
  }));
}

function transportChecksum(
  bytes: Uint8Array,
  protocol: number,
  addresses: { readonly source: Uint8Array; readonly destination: Uint8Array },
): number {
  return checksumOf(sumWords(bytes) + pseudoHeaderSum({ ...addresses, protocol, lengthBytes: bytes.length }));
}

function withChecksum(bytes: Uint8Array, offset: number, checksum: number): Uint8Array {
  viewOf(bytes).setUint16(offset, checksum);
  return bytes;
}
