/**
 * A fixture case as its author writes it: a configuration, packets, and for each packet how it must end. What a packet looks like when it
 * leaves is worked out by the model (test/model) while the fixtures are built; a case whose author and the model disagree does not build.
 */
import type { ReasonName } from "../control/model/reasons.ts";
import { type EthernetOptions, ethernet, ipv4, ipv6, type Layer } from "../test/packets/frame.ts";

export interface FixtureCase {
  /** The folder's name. */
  readonly name: string;
  /** What the case shows, in a sentence or two. */
  readonly description: string;
  /** The config file; `version` and a gateway are added. */
  readonly config: FixtureConfig;
  readonly packets: readonly FixturePacket[];
  /** The flow table has one line of each family, and the case is about that line's being full. */
  readonly isOneLine?: boolean;
}

export interface FixtureConfig {
  readonly capacity?: Readonly<Record<string, number>>;
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly vips: readonly FixtureVip[];
}

export interface FixtureVip {
  readonly name?: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
  readonly flags?: readonly string[];
  readonly maglev?: string;
  readonly backends: readonly FixtureBackend[];
}

export interface FixtureBackend {
  readonly address: string;
  readonly weight?: number;
  readonly state?: string;
  readonly katranDown?: boolean;
}

export interface FixturePacket {
  readonly frame: Uint8Array;
  readonly reason: ReasonName;
  /** Since the case's first packet; a millisecond after the packet before if left out. */
  readonly atMs?: number;
  /** Where it must go, for cases about that. */
  readonly backend?: string;
  /** The frame as it must leave, for packets whose bytes are known from elsewhere. Else the model says. */
  readonly out?: Uint8Array;
}

/** Packets that all end for one reason. */
export function all(reason: ReasonName, frames: readonly Uint8Array[]): FixturePacket[] {
  return frames.map((frame) => ({ frame, reason }));
}

export const CLIENT_V4 = "192.168.1.1";
export const CLIENT_V6 = "2001:db8::c1";
export const VIP_V4 = "10.200.1.1";
export const VIP_V6 = "fc00:1::1";
/** What no configuration names. */
export const STRANGER_V4 = "198.51.100.9";
export const STRANGER_V6 = "2001:db8:ffff::9";

export const BACKENDS_V4: readonly FixtureBackend[] = [
  { address: "10.0.0.1" },
  { address: "10.0.0.2" },
  { address: "10.0.0.3" },
];
export const BACKENDS_V6: readonly FixtureBackend[] = [
  { address: "fc00::1" },
  { address: "fc00::2" },
  { address: "fc00::3" },
];

export const WEB_V4: FixtureVip = { address: VIP_V4, port: 80, protocol: "tcp", backends: BACKENDS_V4 };
export const DNS_V4: FixtureVip = { address: VIP_V4, port: 53, protocol: "udp", backends: BACKENDS_V4 };
export const WEB_V6: FixtureVip = { address: VIP_V6, port: 80, protocol: "tcp", backends: BACKENDS_V6 };
export const DNS_V6: FixtureVip = { address: VIP_V6, port: 53, protocol: "udp", backends: BACKENDS_V6 };
export const ALL_VIPS: readonly FixtureVip[] = [WEB_V4, DNS_V4, WEB_V6, DNS_V6];

export interface Addressing {
  readonly source?: string;
  readonly destination?: string;
  readonly link?: EthernetOptions;
}

/** A frame from the usual client to the usual VIP. */
export function v4(layer: Layer, options: Addressing & Partial<Parameters<typeof ipv4>[0]> = {}): Uint8Array {
  const { link = {}, ...header } = options;
  return ethernet(link, ipv4({ source: CLIENT_V4, destination: VIP_V4, ...header }, layer));
}

export function v6(layer: Layer, options: Addressing & Partial<Parameters<typeof ipv6>[0]> = {}): Uint8Array {
  const { link = {}, ...header } = options;
  return ethernet(link, ipv6({ source: CLIENT_V6, destination: VIP_V6, ...header }, layer));
}

/** The frame cut after 0, 1, ... bytes, from `fromBytes` on, `toBytes` excluded. */
export function cuts(frame: Uint8Array, fromBytes: number, toBytes: number): Uint8Array[] {
  return Array.from({ length: toBytes - fromBytes }, (_, index) => frame.slice(0, fromBytes + index));
}
