/**
 * From what the maps hold to what a configuration asks for: an ordered list of steps, computed without touching anything.
 *
 * What makes the order safe: backends are written before the rings that name them, rings before the VIPs that name rings, and
 * VIPs before the one store that publishes the table that leads to them. Whatever is overwritten is free, and has been free for a grace period.
 * Flows of a backend that a VIP no longer has are cleared last, when no packet can bring them back.
 *
 * Planning again from whatever a failure in the middle leaves behind gives the rest of the change.
 */
import type { LoadRequest } from "../../dataplane/dataplane.ts";
import {
  type Settings as SettingsEntry,
  settings as settingsCodec,
} from "../../dataplane/xdp/generated/balancer.ts";
import type { Config, Vip } from "../model/config.ts";
import { DEFAULT_MTU } from "../model/limits.ts";
import { formatMac } from "../model/mac.ts";
import type { Action } from "./action.ts";
import type { Actual } from "./actual.ts";
import { desiredVips } from "./desired.ts";
import { planInterfaces } from "./interface-plan.ts";
import { type InterfaceEntry, isGatewayKnown } from "./interface-table.ts";
import { AGE_TICKS_MAX, ANY_PORT_VIPS, changeableOptions, mapSizes } from "./load-request.ts";
import { PlanError } from "./plan-error.ts";
import { VipPlanner } from "./vip-planner.ts";

export interface PlanRequest {
  readonly config: Config;
  readonly actual: Actual;
  /** What the running program was loaded with. */
  readonly loaded: LoadRequest;
  /** Every interface with a gateway and mtu of its own; the settings' hold for the others. Undefined: as they are. */
  readonly interfaces?: readonly InterfaceEntry[] | undefined;
}

export interface Plan {
  /** In the order of applying. Empty when the maps already are as the configuration says. */
  readonly actions: readonly Action[];
  /** Every VIP of the configuration, in its order, then those that are removed. */
  readonly vips: readonly VipChange[];
  /** Where things are once the plan is applied. */
  readonly names: MapNames;
  /** What the program will have been loaded with once the plan is applied. */
  readonly loaded: LoadRequest;
}

export interface VipChange {
  readonly label: string;
  /** replaced: it takes a new entry, since its flags change. backends: its ring changes in place. */
  readonly change: "added" | "removed" | "replaced" | "backends" | "none";
  /** Ring slots that change hands; RING_SLOTS where a ring comes or goes. */
  readonly movedSlots: number;
}

/** What the ids in maps and counters stand for. */
export interface MapNames {
  /** In the configuration's order. */
  readonly vips: readonly { readonly id: number; readonly flowVip: number; readonly vip: Vip }[];
  /** Every backend of the configuration that has an id, in order of first appearance. Canonical address text. */
  readonly backends: readonly { readonly id: number; readonly address: string }[];
}

/** Throws PlanError when the change cannot be made; nothing has been done then. */
export function planChange({ config, actual, loaded, interfaces }: PlanRequest): Plan {
  checkCapacity(config, loaded);
  const program = planProgram(config, loaded);
  const hops = planInterfaces(actual, interfaces);
  const vips = new VipPlanner(actual).plan(desiredVips(config));
  return {
    actions: [
      ...program.actions,
      ...hops.beforeSettings,
      ...planSettings(config, actual, loaded),
      ...hops.afterSettings,
      ...vips.actions,
    ],
    vips: vips.changes,
    names: vips.names,
    loaded: program.loaded,
  };
}

function checkCapacity({ capacity, vips }: Config, loaded: LoadRequest): void {
  const sizes = mapSizes(capacity);
  const checks = [
    { key: "vips", map: "vips", size: sizes.vips },
    { key: "backends", map: "backends", size: sizes.backends },
    { key: "flowsPerCpu", map: "flows_ipv4", size: sizes.flowIpv4Lines },
  ] as const;
  for (const { key, map, size } of checks) {
    const available = loaded.maxEntries.get(map);
    if (available === size) continue;
    throw new PlanError(
      "capacity-changed",
      { resource: key, wanted: size, available: available ?? 0 },
      `capacity.${key} ${capacity[key]} needs ${size} entries of map "${map}", which was loaded with ${available}`,
    );
  }
  const backends = new Set(vips.flatMap((vip) => vip.backends.map(({ address }) => String(address.bytes))))
    .size;
  for (const [key, wanted] of [
    ["vips", vips.length],
    ["backends", backends],
  ] as const) {
    const available = capacity[key];
    if (wanted <= available) continue;
    throw new PlanError(
      "over-capacity",
      { resource: key, wanted, available },
      `${wanted} ${key}, room for ${available}; raise capacity.${key} to ${wanted} or more, which takes new maps`,
    );
  }
}

function planProgram(config: Config, loaded: LoadRequest): { actions: Action[]; loaded: LoadRequest } {
  const options = new Map(loaded.options);
  const changes: string[] = [];
  for (const [name, value] of changeableOptions(config)) {
    const before = options.get(name);
    if (before === value) continue;
    options.set(name, value);
    // Turning it off waits for a replacement that has another reason.
    if (name === ANY_PORT_VIPS && value === false) continue;
    changes.push(`${name} ${before} -> ${value}`);
  }
  if (changes.length === 0) return { actions: [], loaded };
  const request = { ...loaded, options };
  return { actions: [{ kind: "replace-program", request, changes }], loaded: request };
}

/**
 * All but `vip_table` and `interface_table`, which are published with their tables. Fields that share a 64-bit word change together.
 * The mtu is 0 while there is no gateway (layout.h), so it is written after a gateway that comes and before one that goes.
 */
function planSettings(config: Config, actual: Actual, loaded: LoadRequest): Action[] {
  const before = settingsCodec.read(actual.settings);
  const { vipTable, interfaceTable } = before;
  const after: SettingsEntry = { ...desiredSettings(config, loaded), vipTable, interfaceTable };
  const bytes = new Uint8Array(settingsCodec.sizeBytes);
  settingsCodec.write(bytes, after);
  const offsets = Array.from({ length: bytes.length / 8 }, (_, index) => index * 8);
  if (!isGatewayKnown(after.gatewayMac)) offsets.reverse();
  const words = new Map<number, bigint>();
  for (const offset of offsets) {
    const word = wordAt(bytes, offset);
    if (word !== wordAt(actual.settings, offset)) words.set(offset, word);
  }
  if (words.size === 0) return [];

  const changes = describeSettings(before, after);
  return [{ kind: "write-settings", words, changes }];
}

function desiredSettings(
  { settings }: Config,
  loaded: LoadRequest,
): Omit<SettingsEntry, "vipTable" | "interfaceTable"> {
  const ticksPerSecond = Number(loaded.options.get("option_ticks_per_second") ?? 0);
  return {
    gatewayMac: settings.gatewayMac ?? new Uint8Array(6),
    maxFrameBytes: settings.maxFrameBytes,
    mtu: settings.gatewayMac === undefined ? 0 : (settings.mtu ?? DEFAULT_MTU),
    newFlowsPerSecond: settings.newFlowsPerSecondPerCpu,
    udpIdleTicks: Math.min(settings.udpIdleSeconds * ticksPerSecond, AGE_TICKS_MAX),
  };
}

function describeSettings(before: SettingsEntry, after: SettingsEntry): string[] {
  const text = (entry: SettingsEntry): [string, string][] => [
    ["gateway MAC", formatMac(entry.gatewayMac)],
    ["max frame bytes", String(entry.maxFrameBytes)],
    ["mtu", String(entry.mtu)],
    ["new flows per second", String(entry.newFlowsPerSecond)],
    ["udp idle ticks", String(entry.udpIdleTicks)],
  ];
  const old = new Map(text(before));
  const changed = text(after).filter(([name, value]) => old.get(name) !== value);
  return changed.map(([name, value]) => `${name} ${old.get(name)} -> ${value}`);
}

function wordAt(bytes: Uint8Array, offset: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(offset, true);
}
