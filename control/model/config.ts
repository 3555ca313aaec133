/**
 * What an operator wants, as plain data: the contents of a config file after defaults are filled in and everything is
 * checked. config-file.ts reads it, the plan turns it into map contents.
 *
 * What the file format knows but this version does not do (unsupported.ts) is refused when a file is read, and
 * has no field here.
 */
import type { IpAddress } from "./address.ts";
import type { MacAddress } from "./mac.ts";

export interface Config {
  readonly capacity: Capacity;
  readonly settings: Settings;
  /** In the file's order. No two have the same (address, port, protocol), nor the same name. */
  readonly vips: readonly Vip[];
}

/** Sizes of maps, fixed when the program is loaded. */
export interface Capacity {
  readonly vips: number;
  /** Different backend addresses, over all VIPs. */
  readonly backends: number;
  /** IPv4 flows, and as many IPv6 flows. Rounded up to whole lines and a power of two when maps are made. */
  readonly flowsPerCpu: number;
  readonly serverIds: number;
  readonly sourceRoutes: number;
}

export interface Settings {
  /** Destination MAC of forwarded packets: the next hop's. Undefined: that of each interface, found when it is attached. */
  readonly gatewayMac: MacAddress | undefined;
  readonly localAddress: { readonly ipv4: IpAddress | undefined; readonly ipv6: IpAddress | undefined };
  /** Seed of the flow hash, 32 bits; the same on every host of a fleet. */
  readonly hashSeed: number;
  /** vip: a drop only reaches what is addressed to a VIP; all: it reaches every packet, as in Katran. */
  readonly scope: "vip" | "all";
  /** Of the incoming frame, VLAN tags not counted. */
  readonly maxFrameBytes: number;
  /** Largest outgoing IP packet; 0: no limit. Undefined: that of each interface, or DEFAULT_MTU where there is none. */
  readonly mtu: number | undefined;
  readonly tooBig: "drop" | "icmp";
  readonly fragments: "drop" | "balance";
  readonly ipOptions: "drop" | "balance";
  readonly echoReply: "any" | "vip" | "off";
  readonly udpIdleSeconds: number;
  /** Beyond it new flows are balanced but not remembered; 0: no limit. */
  readonly newFlowsPerSecondPerCpu: number;
}

export type MaglevVersion = "v1" | "v2";
export type VipProtocol = "tcp" | "udp";
export type VipFlag =
  | "hash-no-source-port"
  | "bypass-flow-table"
  | "hash-destination-port"
  | "hash-both-ports";

export interface Vip {
  readonly name: string | undefined;
  readonly address: IpAddress;
  /** 0: every port. */
  readonly port: number;
  readonly protocol: VipProtocol;
  /** Each at most once. */
  readonly flags: readonly VipFlag[];
  /** The VIP's own, or else the settings'. */
  readonly maglev: MaglevVersion;
  /** In the file's order; no two have the same address. Of either family, whichever the VIP's is. */
  readonly backends: readonly Backend[];
}

export interface Backend {
  readonly address: IpAddress;
  /** Share of new flows, relative to the VIP's other backends; 0: no new flows. */
  readonly weight: number;
  /** draining: out of the ring, its flows stay. down: out of the ring, its flows are chosen again. */
  readonly state: "active" | "draining" | "down";
  /** With state down: it stays in the ring all the same, as Katran's down set does. */
  readonly katranDown: boolean;
}

/** Host order, as in the protocol field of an IP header (IANA protocol numbers). */
export const PROTOCOL_NUMBERS: { readonly [protocol in VipProtocol]: number } = { tcp: 6, udp: 17 };

/** Is the backend in its VIP's ring? */
export function takesNewFlows({ weight, state, katranDown }: Backend): boolean {
  return weight > 0 && (state === "active" || (state === "down" && katranDown));
}
