/** What the program has counted, summed over CPUs. */
import type { Dataplane } from "../../dataplane/dataplane.ts";
import { reasonBlock, traffic } from "../../dataplane/xdp/generated/balancer.ts";
import type { Vip } from "../model/config.ts";
import { REASON_NAMES, type ReasonName } from "../model/reasons.ts";
import type { MapNames } from "./plan.ts";

export interface Counters {
  /** Every reason of the closed list. */
  readonly reasons: { readonly [reason in ReasonName]: bigint };
  /** In the order of `names`. */
  readonly vips: readonly ({ readonly vip: Vip } & Traffic)[];
  readonly backends: readonly ({ readonly address: string } & Traffic)[];
}

export interface Traffic {
  readonly packets: bigint;
  /** Of the frames as they came in. */
  readonly bytes: bigint;
}

/** Counters of a VIP begin at zero when it takes a new entry, those of a backend when its address gets an id. Throws MapError. */
export function readCounters(dataplane: Dataplane, names: MapNames): Counters {
  const vipTraffic = readTraffic(dataplane, "vip_counters");
  const backendTraffic = readTraffic(dataplane, "backend_counters");
  return {
    reasons: readReasons(dataplane),
    vips: names.vips.map(({ id, vip }) => ({ vip, ...vipTraffic(id) })),
    backends: names.backends.map(({ id, address }) => ({ address, ...backendTraffic(id) })),
  };
}

function readReasons(dataplane: Dataplane): Counters["reasons"] {
  const sums = new Array<bigint>(REASON_NAMES.length).fill(0n);
  for (const counts of readReasonsByCpu(dataplane)) {
    for (let reason = 0; reason < sums.length; reason++) sums[reason]! += counts[reason]!;
  }
  const entries = REASON_NAMES.map((name, reason) => [name, sums[reason]!] as const);
  return Object.fromEntries(entries) as Counters["reasons"];
}

/** For each CPU the packets of each reason, by its number. Throws MapError. */
export function readReasonsByCpu(dataplane: Dataplane): (readonly bigint[])[] {
  const map = dataplane.map("reason_counters");
  return Array.from({ length: dataplane.cpuCount }, (_, cpu) =>
    reasonBlock.read(map.read(cpu)).packets.slice(0, REASON_NAMES.length),
  );
}

/** `name`: "vip_counters" or "backend_counters". What was counted under an id, over all CPUs. Throws MapError. */
export function readTraffic(dataplane: Dataplane, name: string): (id: number) => Traffic {
  const map = dataplane.map(name);
  const stride = map.maxEntries / dataplane.cpuCount;
  return (id) => {
    let packets = 0n;
    let bytes = 0n;
    for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
      const counted = traffic.read(map.read(cpu * stride + id));
      packets += counted.packets;
      bytes += counted.bytes;
    }
    return { packets, bytes };
  };
}
