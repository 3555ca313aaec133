/** From an instance to the report of `lamna status` (model/status-report.ts says what is in it). Only reads. */
import { createHash } from "node:crypto";
import type { Instance } from "../../dataplane/kernel/instance.ts";
import type { InterfaceInfo } from "../../dataplane/kernel/links.ts";
import type { PinLayout, PinnedLink } from "../../dataplane/kernel/pin-layout.ts";
import { programInfo } from "../../dataplane/kernel/program-info.ts";
import { mapLayoutDifference } from "../../dataplane/object/map-layout.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { settings as settingsCodec } from "../../dataplane/xdp/generated/balancer.ts";
import { formatIpAddress } from "../model/address.ts";
import { type Config, PROTOCOL_NUMBERS, type VipProtocol } from "../model/config.ts";
import { formatMac } from "../model/mac.ts";
import { REASON_NAMES, REASONS, type ReasonName, type VerdictName } from "../model/reasons.ts";
import type {
  FlowTableStatus,
  InterfaceStatus,
  ProgramStatus,
  StatusRates,
  StatusReport,
  VipStatus,
} from "../model/status-report.ts";
import { type Actual, readActual } from "../plan/actual.ts";
import { readReasonsByCpu, readTraffic } from "../plan/counters.ts";
import { type FlowUse, readFlowUse } from "../plan/flow-use.ts";
import { type InstalledVip, installedVips, mapUse } from "../plan/installed.ts";
import { type InterfaceEntry, isGatewayKnown, liveInterfaces } from "../plan/interface-table.ts";
import { formatVipKey, vipKey } from "../plan/vip-entry.ts";
import { interfaceOf } from "./network-interfaces.ts";

/** What is asked of the kernel beside the maps. */
export interface Surroundings {
  /** Of the network namespace. */
  readonly interfaces: readonly InterfaceInfo[];
  readonly shipped: ObjectSpec;
}

export type Figures = Pick<
  StatusReport,
  "packets" | "packetsByCpu" | "verdicts" | "reasons" | "vips" | "backends" | "flows" | "maps"
>;

/** All that is known, but for warnings. */
export interface Observation {
  readonly program: ProgramStatus | null;
  readonly interfaces: readonly InterfaceStatus[];
  readonly links: readonly PinnedLink[];
  readonly figures: Figures;
  /** Undefined where there is no instance, or maps that this version cannot read. */
  readonly actual: Actual | undefined;
  /** What holds for packets of an interface: its own entry, or the settings'. */
  readonly entryOf: (ifindex: number) => InterfaceEntry | undefined;
  /** Why the maps cannot be read. */
  readonly unreadable: string | undefined;
}

export const NOTHING: Observation = {
  program: null,
  interfaces: [],
  links: [],
  figures: noFigures(),
  actual: undefined,
  entryOf: () => undefined,
  unreadable: undefined,
};

/** `config` gives VIPs their names and order. Throws KernelError, MapError. */
export function observe(
  layout: PinLayout,
  instance: Instance,
  { config, surroundings }: { readonly config: Config | undefined; readonly surroundings: Surroundings },
): Observation {
  const { dataplane } = instance;
  const { object } = dataplane.request;
  const { shipped, interfaces } = surroundings;
  const difference = mapLayoutDifference(object, shipped) ?? missingMap(object, shipped);
  const actual = difference === undefined ? readActual(dataplane) : undefined;
  const links = layout.readLinks();
  const entryOf = actual === undefined ? () => undefined : entriesOf(actual);
  return {
    program: programStatus(instance, shipped),
    interfaces: links.map((link) => interfaceStatus(link, interfaces, entryOf)),
    links,
    figures: actual === undefined ? noFigures() : figuresOf(instance, actual, config),
    actual,
    entryOf,
    unreadable: difference === undefined ? undefined : `map "${difference.map}": ${difference.why}`,
  };
}

/** Between two reports `seconds` apart. Counters never go back, but for new maps. */
export function ratesBetween(before: Figures, after: Figures, seconds: number): StatusRates {
  const rate = (from: number, to: number): number => Math.round((10 * Math.max(0, to - from)) / seconds) / 10;
  const each = <K extends string>(
    from: { readonly [key in K]: number },
    to: { readonly [key in K]: number },
  ): { [key in K]: number } =>
    Object.fromEntries(Object.keys(to).map((key) => [key, rate(from[key as K], to[key as K])])) as {
      [key in K]: number;
    };
  return {
    seconds,
    packets: rate(before.packets, after.packets),
    verdicts: each(before.verdicts, after.verdicts),
    reasons: each(before.reasons, after.reasons),
  };
}

function missingMap(object: ObjectSpec, shipped: ObjectSpec): { map: string; why: string } | undefined {
  const missing = shipped.maps.find(({ name }) => !object.maps.some((map) => map.name === name));
  return missing === undefined ? undefined : { map: missing.name, why: "the running program has none" };
}

function programStatus({ dataplane }: Instance, shipped: ObjectSpec): ProgramStatus {
  const { id, name, tag, loadedAt } = programInfo(dataplane.program);
  const objectDigest = digestOf(dataplane.request.object);
  return {
    id,
    name,
    tag,
    objectDigest,
    isShippedObject: objectDigest === digestOf(shipped),
    loadedAt: loadedAt.toISOString(),
  };
}

function digestOf({ image }: ObjectSpec): string {
  return createHash("sha256")
    .update(image ?? new Uint8Array())
    .digest("hex");
}

function interfaceStatus(
  link: PinnedLink,
  interfaces: readonly InterfaceInfo[],
  entryOf: Observation["entryOf"],
): InterfaceStatus {
  const info = interfaceOf(link, interfaces);
  const running = info?.xdp?.programs.find(({ programId }) => programId === link.programId);
  const entry = entryOf(link.ifindex);
  const hasGateway = entry !== undefined && isGatewayKnown(entry.gatewayMac);
  return {
    name: info?.name ?? link.interface,
    state: link.ifindex === 0 ? "detached" : "attached",
    ifindex: link.ifindex === 0 ? null : link.ifindex,
    mode: running?.mode ?? null,
    programId: link.ifindex === 0 ? null : link.programId,
    gatewayMac: link.ifindex !== 0 && hasGateway ? formatMac(entry.gatewayMac) : null,
    mtu: info?.mtu ?? null,
    isUp: info === undefined ? null : info.isUp && info.hasCarrier,
  };
}

function entriesOf(actual: Actual): Observation["entryOf"] {
  const live = liveInterfaces(actual);
  const { gatewayMac, mtu } = settingsCodec.read(actual.settings);
  return (ifindex) => live.get(ifindex)?.entry ?? { ifindex, gatewayMac, mtu };
}

// -------------------------------------------------------------------------------------------------- from the maps

function figuresOf({ dataplane }: Instance, actual: Actual, config: Config | undefined): Figures {
  const byCpu = readReasonsByCpu(dataplane);
  const reasons = Object.fromEntries(
    REASON_NAMES.map((name, reason) => [
      name,
      Number(byCpu.reduce((sum, counts) => sum + counts[reason]!, 0n)),
    ]),
  ) as { [reason in ReasonName]: number };
  const packetsByCpu = byCpu.map((counts) => Number(counts.reduce((sum, count) => sum + count, 0n)));
  const vips = inConfigOrder(installedVips(actual), config);
  const vipTraffic = readTraffic(dataplane, "vip_counters");
  const backendTraffic = readTraffic(dataplane, "backend_counters");
  const backends = new Map(vips.flatMap(({ vip }) => vip.backends.map(({ id, address }) => [id, address])));
  const flows = readFlowUse(dataplane);
  return {
    packets: packetsByCpu.reduce((sum, count) => sum + count, 0),
    packetsByCpu,
    verdicts: verdictsOf(reasons),
    reasons,
    vips: vips.map(({ vip, name }): VipStatus => {
      const { packets, bytes } = vipTraffic(vip.id);
      return {
        name,
        address: formatIpAddress(vip.key.address),
        port: vip.key.port,
        protocol: protocolOf(vip.key.protocol),
        packets: Number(packets),
        bytes: Number(bytes),
        backends: vip.backends.map(({ address, ringShare }) => ({ address, ringShare })),
      };
    }),
    backends: [...backends].map(([id, address]) => {
      const { packets, bytes } = backendTraffic(id);
      return { address, packets: Number(packets), bytes: Number(bytes) };
    }),
    flows: { ipv4: flowStatus(flows.ipv4), ipv6: flowStatus(flows.ipv6) },
    maps: mapUse(actual),
  };
}

function verdictsOf(reasons: { readonly [reason in ReasonName]: number }): {
  [verdict in VerdictName]: number;
} {
  const verdicts = { pass: 0, drop: 0, tx: 0, redirect: 0, aborted: 0 };
  for (const name of REASON_NAMES) verdicts[REASONS[name].verdict] += reasons[name];
  return verdicts;
}

function inConfigOrder(
  vips: readonly InstalledVip[],
  config: Config | undefined,
): { readonly vip: InstalledVip; readonly name: string | null }[] {
  const places = new Map(
    (config?.vips ?? []).map((vip, place) => [formatVipKey(vipKey(vip)), { vip, place }]),
  );
  const placeOf = ({ key }: InstalledVip) => places.get(formatVipKey(key));
  return vips
    .map((vip) => ({ vip, name: placeOf(vip)?.vip.name ?? null }))
    .sort((a, b) => (placeOf(a.vip)?.place ?? places.size) - (placeOf(b.vip)?.place ?? places.size));
}

function protocolOf(number: number): VipProtocol {
  return number === PROTOCOL_NUMBERS.udp ? "udp" : "tcp";
}

function flowStatus({ used, capacity, states }: FlowUse): FlowTableStatus {
  return { used, capacity, ...states };
}

function noFigures(): Figures {
  const reasons = Object.fromEntries(REASON_NAMES.map((name) => [name, 0])) as {
    [name in ReasonName]: number;
  };
  const flows = { used: 0, capacity: 0, new: 0, established: 0, closing: 0, datagrams: 0 };
  const use = { used: 0, capacity: 0 };
  return {
    packets: 0,
    packetsByCpu: [],
    verdicts: verdictsOf(reasons),
    reasons,
    vips: [],
    backends: [],
    flows: { ipv4: flows, ipv6: flows },
    maps: { vips: use, rings: use, backends: use },
  };
}
