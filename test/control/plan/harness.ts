/** A simulator under the control plane, for tests of plans: changes by config, and what packets would find in the maps. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { formatIpAddress } from "../../../control/model/address.ts";
import type { Config } from "../../../control/model/config.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { readActual } from "../../../control/plan/actual.ts";
import { applyPlan } from "../../../control/plan/apply.ts";
import { addressOfBackend } from "../../../control/plan/backend-entry.ts";
import { loadRequest } from "../../../control/plan/load-request.ts";
import { type Plan, planChange } from "../../../control/plan/plan.ts";
import { ownerOf, previousOf } from "../../../control/plan/ring-slots.ts";
import { decodeVip, formatVipKey, portsMask, type VipKey } from "../../../control/plan/vip-entry.ts";
import { lookupVipRow } from "../../../control/plan/vip-table.ts";
import { RING_SLOTS } from "../../../control/ring/maglev.ts";
import type { Dataplane, DataplaneMap, LoadRequest } from "../../../dataplane/dataplane.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../../dataplane/object/spec.ts";
import { openSimulator } from "../../../dataplane/simulator.ts";
import {
  backend as backendCodec,
  settings as settingsCodec,
} from "../../../dataplane/xdp/generated/balancer.ts";

export const CPU_COUNT = 2;

const OBJECT_FILE = join(import.meta.dirname, "../../../dataplane/xdp/balancer.bpf.o");
let object: ObjectSpec | undefined;

export function balancerObject(): ObjectSpec {
  object ??= readObject(readFileSync(OBJECT_FILE));
  return object;
}

/** `text` is the file without version and settings, where it has none of its own. */
export function configOf(text: string): Config {
  const settings = /^settings:/m.test(text) ? "" : 'settings: {gatewayMac: "02:00:00:00:00:01"}\n';
  return parseConfig(`version: 1\n${settings}${text}`, { file: "test.yaml" });
}

export function requestOf(config: Config): LoadRequest {
  return loadRequest(config, balancerObject(), {
    cpuCount: CPU_COUNT,
    ticksPerSecond: 1000,
    externalClock: true,
    flowSeed: 0x1234_5678_9abc_def0n,
  });
}

export interface Controlled {
  readonly dataplane: Dataplane;
  loaded: LoadRequest;
}

export async function openControlled(config: Config): Promise<Controlled> {
  const loaded = requestOf(config);
  return { dataplane: await openSimulator(loaded), loaded };
}

export function planFor({ dataplane, loaded }: Controlled, config: Config): Plan {
  return planChange({ config, actual: readActual(dataplane), loaded });
}

/** Plans and applies. `through` stands between the plan and the dataplane. */
export async function change(
  controlled: Controlled,
  config: Config,
  through: Dataplane = controlled.dataplane,
): Promise<Plan> {
  const plan = planFor(controlled, config);
  await applyPlan(plan, through);
  controlled.loaded = plan.loaded;
  return plan;
}

/**
 * What a packet for exactly this VIP finds, and by which backends its slots are owned: as text, the same for the same
 * behaviour whatever the ids. "none" when the table leads to no VIP of this key.
 */
export function seenVip(dataplane: Dataplane, key: VipKey): string {
  const id = lookupExact(dataplane, key);
  if (id === 0) return "none";
  const vip = decodeVip(dataplane.map("vips").read(id));
  if (vip === undefined || formatVipKey(vip.key) !== formatVipKey(key)) return "another VIP's entry";
  const mask = portsMask({ port: key.port, flags: vip.flags });
  return `flags ${vip.flags} mask ${vip.isIntact ? mask : "broken"} ${describeRing(dataplane, vip.ring).owners}`;
}

/** The id that the table gives, as the program looks it up. */
export function lookupExact(dataplane: Dataplane, key: VipKey): number {
  const map = dataplane.map("vip_buckets");
  const table = settingsCodec.read(dataplane.map("settings").read(0)).vipTable;
  return map.withView(0, map.maxEntries, (buckets) =>
    lookupVipRow({ buckets, table, bucketCount: map.maxEntries / 2 }, key),
  );
}

export interface RingDescription {
  /** Slots by owner, and a digest of who owns which. */
  readonly owners: string;
  /** The same of the owners before, or "" when they are the owners. */
  readonly previous: string;
}

export function describeRing(dataplane: Dataplane, id: number): RingDescription {
  if (id === 0) return { owners: "no backends", previous: "" };
  return dataplane.map("rings").withView(id, 1, (bytes) => {
    const slots = new Uint32Array(bytes.buffer, bytes.byteOffset, RING_SLOTS);
    const owners = describeOwners(slots.map(ownerOf), (owner) => backendAddress(dataplane, owner));
    const before = describeOwners(slots.map(previousOf), (owner) => backendAddress(dataplane, owner));
    return { owners, previous: before === owners ? "" : before };
  });
}

/** "10.0.0.1 x21846, 10.0.0.2 x43691, digest 1a2b3c4d". `owners` are positions or ids that `nameOf` knows. */
export function describeOwners(owners: ArrayLike<number>, nameOf: (owner: number) => string): string {
  const names = new Map<number, { name: string; code: number; count: number }>();
  let digest = 0;
  for (let slot = 0; slot < owners.length; slot++) {
    const owner = owners[slot]!;
    let known = names.get(owner);
    if (known === undefined) {
      const name = nameOf(owner);
      known = { name, code: textDigest(name), count: 0 };
      names.set(owner, known);
    }
    known.count++;
    digest = (Math.imul(digest, 31) + known.code) | 0;
  }
  const counts = [...names.values()].map(({ name, count }) => `${name} x${count}`).sort();
  return `${counts.join(", ")}, digest ${(digest >>> 0).toString(16).padStart(8, "0")}`;
}

export function backendAddress(dataplane: Dataplane, id: number): string {
  const address = addressOfBackend(backendCodec.read(dataplane.map("backends").read(id)));
  return address === undefined ? `backend ${id}?` : formatIpAddress(address);
}

function textDigest(text: string): number {
  return [...text].reduce((digest, char) => (Math.imul(digest, 131) + char.charCodeAt(0)) | 0, 7);
}

export interface Operation {
  readonly what: string;
  /** Elements of a map that the operation may write over as a whole; not for single stores. */
  readonly overwrites: { readonly map: string; readonly index: number; readonly count: number } | undefined;
  /** Counts from 0. */
  readonly index: number;
}

/** What can happen around every operation that may change what packets see. */
export interface Observer {
  /** May throw: then the operation is not done. */
  before?(operation: Operation): void;
  /** May throw: then the operation is done and fails all the same. */
  after?(operation: Operation): void;
}

/** A dataplane that tells `observer` of every operation on it but reading single values. */
export function observed(dataplane: Dataplane, observer: Observer): Dataplane {
  let next = 0;
  const around = <T>(what: string, act: () => T, overwrites?: Operation["overwrites"]): T => {
    const operation = { what, overwrites, index: next++ };
    observer.before?.(operation);
    const result = act();
    observer.after?.(operation);
    return result;
  };
  const aroundAsync = async (what: string, act: () => Promise<void>): Promise<void> => {
    const operation = { what, overwrites: undefined, index: next++ };
    observer.before?.(operation);
    await act();
    observer.after?.(operation);
  };
  const wrap = (map: DataplaneMap): DataplaneMap => ({
    name: map.name,
    valueSizeBytes: map.valueSizeBytes,
    maxEntries: map.maxEntries,
    read: (index) => map.read(index),
    write: (index, value) =>
      around(`write ${map.name} ${index}`, () => map.write(index, value), { map: map.name, index, count: 1 }),
    store32: (index, offset, value) =>
      around(`store32 ${map.name} ${index}+${offset}`, () => map.store32(index, offset, value)),
    store64: (index, offset, value) =>
      around(`store64 ${map.name} ${index}+${offset}`, () => map.store64(index, offset, value)),
    withView: (index, count, use) =>
      around(`view ${map.name} ${index}..${index + count}`, () => map.withView(index, count, use), {
        map: map.name,
        index,
        count,
      }),
    inner: (index) => wrap(map.inner(index)),
  });
  return {
    kind: dataplane.kind,
    cpuCount: dataplane.cpuCount,
    map: (name) => wrap(dataplane.map(name)),
    replaceProgram: (request) => aroundAsync("replace program", () => dataplane.replaceProgram(request)),
    gracePeriod: () => aroundAsync("grace period", () => dataplane.gracePeriod()),
    close: () => dataplane.close(),
  };
}
