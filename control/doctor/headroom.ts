/** Is there room for the outer header, and what becomes of packets that are too long with it? */
import type { InterfaceFacts } from "../../dataplane/kernel/interface-facts.ts";
import type { Config } from "../model/config.ts";
import { ETHERNET_HEADER_BYTES } from "../model/limits.ts";
import { type Finding, listed, ok, problem, warning } from "./finding.ts";

/** What nearly every client's path carries. */
const CLIENT_MTU = 1500;
/** An outer IPv4 or IPv6 header (RFC 2003, RFC 2473). */
export const OUTER_HEADER_BYTES = { 4: 20, 6: 40 } as const;
/** IP and TCP headers without options, which an MSS leaves out. */
export const TCP_HEADERS_BYTES = { 4: 40, 6: 60 } as const;

/** Bytes in front of a client's packet, the most of all backends; without a config, of both families. */
export function outerHeaderBytes(config: Config | undefined): number {
  const families =
    config?.vips.flatMap(({ backends }) => backends.map(({ address }) => address.family)) ?? [];
  if (config === undefined || families.length === 0) return OUTER_HEADER_BYTES[4];
  return Math.max(...families.map((family) => OUTER_HEADER_BYTES[family]));
}

export function judgeHeadroom({ info, nextHop }: InterfaceFacts, config: Config | undefined): Finding[] {
  const check = "MTU";
  const linkMtu = nextHop.isResolved ? Math.min(info.mtu, nextHop.hop.mtu) : info.mtu;
  const configured = config?.settings.mtu;
  const outer = outerHeaderBytes(config);
  const client =
    config === undefined
      ? CLIENT_MTU
      : Math.min(CLIENT_MTU, config.settings.maxFrameBytes - ETHERNET_HEADER_BYTES);
  const needed = client + outer;
  const sum = `${client} + ${outer} bytes of outer header`;

  if (configured === 0 && needed > linkMtu) {
    return [
      problem(
        check,
        `${linkMtu}, too little for ${sum}, and settings.mtu 0 lets the program send what the link does not carry`,
        "leave settings.mtu out, or set it to what the link carries",
      ),
    ];
  }
  if (configured !== undefined && configured > linkMtu) {
    return [
      problem(
        check,
        `settings.mtu is ${configured}, and ${info.name} carries ${linkMtu}: what is longer is lost without a word`,
        `${raise(info.name, configured, info.mtuMax)}, or leave settings.mtu out`,
      ),
    ];
  }
  const limit = configured === undefined || configured === 0 ? linkMtu : configured;
  if (needed <= limit) {
    const note =
      config === undefined && limit < client + OUTER_HEADER_BYTES[6] ? "; IPv6 backends take 20 more" : "";
    return [ok(check, `${limit}, room for ${sum}${note}`)];
  }
  return [tooLittle({ name: info.name, limit, needed, outer, sum, mtuMax: info.mtuMax }, config)];
}

function tooLittle(
  {
    name,
    limit,
    needed,
    outer,
    sum,
    mtuMax,
  }: {
    readonly name: string;
    readonly limit: number;
    readonly needed: number;
    readonly outer: number;
    readonly sum: string;
    readonly mtuMax: number | undefined;
  },
  config: Config | undefined,
): Finding {
  const families = new Set<4 | 6>(config?.vips.map(({ address }) => address.family) ?? [4]);
  const mss = [...families]
    .sort()
    .map(
      (family) => `${limit - outer - TCP_HEADERS_BYTES[family]}${families.size > 1 ? ` (IPv${family})` : ""}`,
    );
  const remedy = `${raise(name, needed, mtuMax)} here and on the way to the backends; or let backends announce less ("ip route change default via GATEWAY advmss ${listed(mss)}")`;
  if (config?.settings.tooBig === "drop") {
    return problem(
      "MTU",
      `${limit}, too little for ${sum}, and tooBig: drop loses a client's long packets without a word`,
      `${remedy}; or set tooBig: icmp`,
    );
  }
  return warning(
    "MTU",
    `${limit}, too little for ${sum}: clients that send long packets are told ${limit - outer} by ICMP, where that reaches them`,
    remedy,
  );
}

function raise(name: string, mtu: number, mtuMax: number | undefined): string {
  if (mtuMax !== undefined && mtu > mtuMax)
    return `use a device that carries ${mtu} bytes (${name}: at most ${mtuMax})`;
  return `raise the MTU to ${mtu} or more ("ip link set ${name} mtu ${mtu}")`;
}
