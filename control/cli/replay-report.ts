/** From what a run counted to the report that `--json` prints and people read (model/replay-report.ts says what is in it). */
import { formatIpAddress, type IpAddress } from "../model/address.ts";
import type { Backend, Config, Vip } from "../model/config.ts";
import type { ReasonName, VerdictName } from "../model/reasons.ts";
import type { BackendReport, ReplayReport, VipBackendReport, VipReport } from "../model/replay-report.ts";

export interface Traffic {
  packets: number;
  bytes: number;
}

/** What was counted, in the config's order. */
export interface ReplayCounts {
  readonly verdicts: { readonly [verdict in VerdictName]: number };
  readonly reasons: { readonly [reason in ReasonName]: number };
  /** traffic[v][b]: of VIP v to its backend b. */
  readonly traffic: readonly (readonly Traffic[])[];
}

/** Fewer packets than this say more of warming up than of speed. */
export const MEASURED_PACKETS_MIN = 1000;

export function buildReport(
  config: Config,
  counts: ReplayCounts,
  run: { readonly engine: ReplayReport["engine"]; readonly packets: number; readonly simulationNs: number },
): ReplayReport {
  return {
    packets: run.packets,
    verdicts: counts.verdicts,
    reasons: counts.reasons,
    vips: config.vips.map((vip, v) => vipReport(vip, counts.traffic[v]!)),
    backends: backendReports(config, counts),
    nsPerPacket: run.packets < MEASURED_PACKETS_MIN ? null : run.simulationNs / run.packets,
    engine: run.engine,
  };
}

/** Does the backend get new flows? */
export function takesNewFlows({ state, weight, katranDown }: Backend): boolean {
  return weight > 0 && (state === "active" || (state === "down" && katranDown));
}

function vipReport(vip: Vip, traffic: readonly Traffic[]): VipReport {
  const packets = sum(traffic, "packets");
  const weights = vip.backends.map((backend) => (takesNewFlows(backend) ? backend.weight : 0));
  const weightSum = weights.reduce((total, weight) => total + weight, 0);
  return {
    name: vip.name ?? null,
    address: formatIpAddress(vip.address),
    port: vip.port,
    protocol: vip.protocol,
    packets,
    bytes: sum(traffic, "bytes"),
    backends: vip.backends.map(
      (backend, b): VipBackendReport => ({
        address: formatIpAddress(backend.address),
        weight: backend.weight,
        state: backend.state,
        packets: traffic[b]!.packets,
        bytes: traffic[b]!.bytes,
        share: packets === 0 ? null : traffic[b]!.packets / packets,
        expectedShare: weightSum === 0 ? 0 : weights[b]! / weightSum,
      }),
    ),
  };
}

function backendReports(config: Config, counts: ReplayCounts): BackendReport[] {
  const totals = new Map<string, Traffic>();
  for (const [v, vip] of config.vips.entries()) {
    for (const [b, { address }] of vip.backends.entries()) {
      const total = totalOf(totals, address);
      total.packets += counts.traffic[v]![b]!.packets;
      total.bytes += counts.traffic[v]![b]!.bytes;
    }
  }
  return [...totals].map(([address, { packets, bytes }]) => ({ address, packets, bytes }));
}

function totalOf(totals: Map<string, Traffic>, address: IpAddress): Traffic {
  const text = formatIpAddress(address);
  const total = totals.get(text) ?? { packets: 0, bytes: 0 };
  totals.set(text, total);
  return total;
}

function sum(traffic: readonly Traffic[], field: keyof Traffic): number {
  return traffic.reduce((total, row) => total + row[field], 0);
}
