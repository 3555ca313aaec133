/** From what a run counted to the report that `--json` prints and people read (model/replay-report.ts says what is in it). */
import { formatIpAddress } from "../model/address.ts";
import { type Config, takesNewFlows, type Vip } from "../model/config.ts";
import { REASON_NAMES, type VerdictName } from "../model/reasons.ts";
import type { BackendReport, ReplayReport, VipBackendReport, VipReport } from "../model/replay-report.ts";
import type { Counters } from "../plan/counters.ts";

export interface Traffic {
  packets: number;
  bytes: number;
}

/** What was counted. Names stand in the config's order. */
export interface ReplayCounts {
  /** By what the NIC did. */
  readonly verdicts: { readonly [verdict in VerdictName]: number };
  /** By the program. */
  readonly counters: Counters;
  /** traffic[v][b]: of VIP v to its backend b. */
  readonly traffic: readonly (readonly Traffic[])[];
}

/** Fewer packets than this say more of warming up than of speed. */
export const MEASURED_PACKETS_MIN = 1000;

export function buildReport(
  config: Config,
  counts: ReplayCounts,
  run: Pick<ReplayReport, "engine" | "packets" | "notComparable"> & { readonly simulationNs: number },
): ReplayReport {
  return {
    packets: run.packets,
    notComparable: run.notComparable,
    verdicts: counts.verdicts,
    reasons: reasonCounts(counts.counters),
    vips: config.vips.map((vip, v) => vipReport(vip, counts.counters.vips[v]!, counts.traffic[v]!)),
    backends: backendReports(config, counts.counters),
    nsPerPacket: run.packets < MEASURED_PACKETS_MIN ? null : tenths(run.simulationNs / run.packets),
    engine: run.engine,
  };
}

function vipReport(vip: Vip, total: Counters["vips"][number], traffic: readonly Traffic[]): VipReport {
  const packets = Number(total.packets);
  const weights = vip.backends.map((backend) => (takesNewFlows(backend) ? backend.weight : 0));
  const weightSum = weights.reduce((sum, weight) => sum + weight, 0);
  return {
    name: vip.name ?? null,
    address: formatIpAddress(vip.address),
    port: vip.port,
    protocol: vip.protocol,
    packets,
    bytes: Number(total.bytes),
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

/** Every address of the config, also of backends that are down and so have no entry in the maps. */
function backendReports(config: Config, counters: Counters): BackendReport[] {
  const counted = new Map(counters.backends.map((backend) => [backend.address, backend]));
  const addresses = new Set(
    config.vips.flatMap(({ backends }) => backends.map(({ address }) => formatIpAddress(address))),
  );
  return [...addresses].map((address) => ({
    address,
    packets: Number(counted.get(address)?.packets ?? 0),
    bytes: Number(counted.get(address)?.bytes ?? 0),
  }));
}

function reasonCounts({ reasons }: Counters): ReplayReport["reasons"] {
  const entries = REASON_NAMES.map((name) => [name, Number(reasons[name])]);
  return Object.fromEntries(entries) as ReplayReport["reasons"];
}

/** Clocks tell no more. */
function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
