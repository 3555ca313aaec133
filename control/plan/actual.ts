/**
 * What the maps hold: all that the control plane remembers. Who programs the dataplane for the first time, after a restart or
 * after a failure in the middle of a change reads this and plans from it.
 */
import type { Dataplane, DataplaneMap } from "../../dataplane/dataplane.ts";
import {
  type Backend as BackendEntry,
  backend as backendCodec,
  settings as settingsCodec,
  vipBucket,
  vip as vipCodec,
} from "../../dataplane/xdp/generated/balancer.ts";
import { RING_SLOTS } from "../ring/maglev.ts";
import { type FlowCensus, readFlowCensus } from "./flow-table.ts";
import type { RingSlots } from "./ring-slots.ts";
import { type DecodedVip, decodeVip } from "./vip-entry.ts";
import { vipTableSlots } from "./vip-table.ts";

export interface Actual {
  /** One `settings` value. */
  readonly settings: Uint8Array;
  /** Whole maps, by value: element 0 first. */
  readonly interfaces: Uint8Array;
  readonly vipBuckets: Uint8Array;
  readonly vips: Uint8Array;
  readonly backends: Uint8Array;
  /** Entries of the `rings` map. */
  readonly ringCount: number;
  /** The rings that live VIPs name, by id. */
  readonly rings: ReadonlyMap<number, RingSlots>;
  readonly flows: FlowCensus;
}

/** Reads the maps. Packets may go on meanwhile, another control process may not. Throws MapError. */
export function readActual(dataplane: Dataplane): Actual {
  const settings = dataplane.map("settings").read(0);
  const vipBuckets = readWhole(dataplane.map("vip_buckets"));
  const vips = readWhole(dataplane.map("vips"));
  const ringMap = dataplane.map("rings");
  const rings = new Map<number, RingSlots>();
  for (const { ring } of liveVips({ settings, vipBuckets, vips })) {
    if (ring === 0 || ring >= ringMap.maxEntries || rings.has(ring)) continue;
    rings.set(
      ring,
      ringMap.withView(ring, 1, (bytes) =>
        new Uint32Array(bytes.buffer, bytes.byteOffset, RING_SLOTS).slice(),
      ),
    );
  }
  return {
    settings,
    interfaces: readWhole(dataplane.map("interfaces")),
    vipBuckets,
    vips,
    backends: readWhole(dataplane.map("backends")),
    ringCount: ringMap.maxEntries,
    rings,
    flows: readFlowCensus(dataplane),
  };
}

/** The VIPs that the live copy of the table leads to, by id, ascending. Ids that are no VIP's are left out. */
export function liveVips(
  actual: Pick<Actual, "settings" | "vipBuckets" | "vips">,
): (DecodedVip & { readonly id: number })[] {
  const ids = new Set(vipTableSlots(liveCopy(actual)).map(({ vip }) => vip));
  return [...ids]
    .filter((id) => id < vipCount(actual))
    .sort((a, b) => a - b)
    .flatMap((id) => {
      const vip = decodeVip(vipBytes(actual, id));
      return vip === undefined ? [] : [{ ...vip, id }];
    });
}

/** Of the buckets, the copy that packets use. */
export function liveCopy(actual: Pick<Actual, "settings" | "vipBuckets">): Uint8Array {
  const start = liveTable(actual).firstBucket * vipBucket.sizeBytes;
  return actual.vipBuckets.subarray(start, start + actual.vipBuckets.length / 2);
}

export function liveTable({ settings }: Pick<Actual, "settings">): { firstBucket: number; seed: number } {
  const { vipTable } = settingsCodec.read(settings);
  return { firstBucket: Number(vipTable & 0xffff_ffffn), seed: Number(vipTable >> 32n) };
}

export function vipCount({ vips }: Pick<Actual, "vips">): number {
  return vips.length / vipCodec.sizeBytes;
}

export function vipBytes({ vips }: Pick<Actual, "vips">, id: number): Uint8Array {
  return vips.subarray(id * vipCodec.sizeBytes, (id + 1) * vipCodec.sizeBytes);
}

export function backendCount({ backends }: Pick<Actual, "backends">): number {
  return backends.length / backendCodec.sizeBytes;
}

export function backendEntry({ backends }: Pick<Actual, "backends">, id: number): BackendEntry {
  return backendCodec.read(backends, id * backendCodec.sizeBytes);
}

function readWhole(map: DataplaneMap): Uint8Array {
  return map.withView(0, map.maxEntries, (bytes) => bytes.slice());
}
