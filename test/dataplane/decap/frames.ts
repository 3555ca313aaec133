/** Encapsulated packets as tests write them: every kind, and what is inside. */
import type { VlanTag } from "../../packets/ethernet.ts";
import {
  ethernet,
  fragmentHeader,
  ipv4,
  ipv6,
  type Layer,
  pattern,
  raw,
  tcp,
  udp,
} from "../../packets/frame.ts";

export const VIP_IPV4 = "203.0.113.10";
export const VIP_IPV6 = "2001:db8:100::10";

export const INNER_IPV4: Uint8Array = ipv4(
  { source: "192.0.2.7", destination: VIP_IPV4, ttl: 3, id: 77 },
  tcp({ sourcePort: 31337, targetPort: 80 }, pattern(33)),
);
export const INNER_IPV6: Uint8Array = ipv6(
  { source: "2001:db8::7", destination: VIP_IPV6, hopLimit: 3, flowLabel: 0x12345 },
  tcp({ sourcePort: 31337, targetPort: 80 }, pattern(33)),
);

const isIpv6 = (packet: Uint8Array): boolean => packet[0]! >>> 4 === 6;

/** A packet as what IP in IP carries. */
export function ipInIp(packet: Uint8Array): Layer {
  return raw(isIpv6(packet) ? 41 : 4, packet);
}

/** And what GUE carries, variant 1. */
export function gue(packet: Uint8Array, options: { port?: number; checksum?: number } = {}): Layer {
  return udp({ sourcePort: 4242, targetPort: options.port ?? 6080, checksum: options.checksum ?? 0 }, packet);
}

export function inIpv4(layer: Layer, options: Partial<Parameters<typeof ipv4>[0]> = {}): Uint8Array {
  return ipv4({ source: "172.16.1.2", destination: "10.0.0.1", ...options }, layer);
}

export function inIpv6(layer: Layer, options: Partial<Parameters<typeof ipv6>[0]> = {}): Uint8Array {
  return ipv6({ source: "100::1:2", destination: "fc00::1", ...options }, layer);
}

export interface Kind {
  readonly reason: string;
  readonly packet: Uint8Array;
  readonly inner: Uint8Array;
}

/** Every way to put one of the two packets into another. */
export const KINDS: readonly Kind[] = [
  { reason: "ipv4_in_ipv4", packet: inIpv4(ipInIp(INNER_IPV4)), inner: INNER_IPV4 },
  { reason: "ipv4_in_ipv6", packet: inIpv6(ipInIp(INNER_IPV4)), inner: INNER_IPV4 },
  { reason: "ipv6_in_ipv4", packet: inIpv4(ipInIp(INNER_IPV6)), inner: INNER_IPV6 },
  { reason: "ipv6_in_ipv6", packet: inIpv6(ipInIp(INNER_IPV6)), inner: INNER_IPV6 },
  { reason: "gue_ipv4_in_ipv4", packet: inIpv4(gue(INNER_IPV4)), inner: INNER_IPV4 },
  { reason: "gue_ipv4_in_ipv6", packet: inIpv6(gue(INNER_IPV4)), inner: INNER_IPV4 },
  { reason: "gue_ipv6_in_ipv4", packet: inIpv4(gue(INNER_IPV6)), inner: INNER_IPV6 },
  { reason: "gue_ipv6_in_ipv6", packet: inIpv6(gue(INNER_IPV6)), inner: INNER_IPV6 },
];

const CUSTOMER = { protocol: 0x8100, control: 0x6064 };
const PROVIDER = { protocol: 0x88a8, control: 0x00c8 };
export const TAGS: readonly { readonly name: string; readonly tags: readonly VlanTag[] }[] = [
  { name: "no tag", tags: [] },
  { name: "a VLAN tag", tags: [CUSTOMER] },
  { name: "two VLAN tags", tags: [PROVIDER, CUSTOMER] },
];

/** RFC 6040 section 4.2, figure 4: rows are what is inside, columns what is outside. "drop": it cannot carry the mark. */
export const ECN_TABLE: Readonly<Record<string, Readonly<Record<string, number | "drop">>>> = {
  // Not-ECT 0, ECT(1) 1, ECT(0) 2, CE 3.
  0: { 0: 0, 2: 0, 1: 0, 3: "drop" },
  2: { 0: 2, 2: 2, 1: 1, 3: 3 },
  1: { 0: 1, 2: 1, 1: 1, 3: 3 },
  3: { 0: 3, 2: 3, 1: 3, 3: 3 },
};

export interface EcnCase {
  readonly name: string;
  readonly frame: Uint8Array;
  /** Undefined: dropped. */
  readonly expected: Uint8Array | undefined;
}

const DSCP = 0x2e << 2;

/** Each cell of the table, in each pair of families. */
export function ecnCases(): EcnCase[] {
  return Object.entries(ECN_TABLE).flatMap(([inner, row]) =>
    Object.entries(row).flatMap(([outer, result]) =>
      [4, 6].flatMap((innerFamily) =>
        [4, 6].map((outerFamily) => {
          const inside = innerWith(innerFamily, Number(inner));
          const around = outerFamily === 4 ? inIpv4 : inIpv6;
          const marks = outerFamily === 4 ? { tos: Number(outer) } : { trafficClass: Number(outer) };
          return {
            name: `inner ${inner} of IPv${innerFamily}, outer ${outer} of IPv${outerFamily}: ${result}`,
            frame: ethernet({}, around(ipInIp(inside), marks)),
            expected: result === "drop" ? undefined : ethernet({}, innerWith(innerFamily, result)),
          };
        }),
      ),
    ),
  );
}

function innerWith(family: number, ecn: number): Uint8Array {
  const payload = tcp({ sourcePort: 31337, targetPort: 80 }, pattern(5));
  if (family === 4)
    return ipv4({ source: "192.0.2.7", destination: VIP_IPV4, tos: DSCP | ecn, id: 3 }, payload);
  const addresses = { source: "2001:db8::7", destination: VIP_IPV6 };
  return ipv6({ ...addresses, trafficClass: DSCP | ecn, flowLabel: 0xabcde }, payload);
}

/** A fragment of an IPv6 datagram around `packet`. */
export function inIpv6Fragment(packet: Uint8Array, offsetBytes: number, moreFragments: boolean): Uint8Array {
  return inIpv6(fragmentHeader(ipInIp(packet), { offsetBytes, moreFragments, id: 9 }));
}
