/** What the maps hold in words: the VIPs that packets find, with their backends, as they can be told without a configuration. */
import { formatIpAddress } from "../model/address.ts";
import { RING_SLOTS } from "../ring/maglev.ts";
import { type Actual, backendCount, backendEntry, liveVips, vipCount } from "./actual.ts";
import { addressOfBackend } from "./backend-entry.ts";
import { SPARE_RINGS, SPARE_VIPS } from "./load-request.ts";
import { backendsOf, ownerOf } from "./ring-slots.ts";
import type { VipKey } from "./vip-entry.ts";

export interface InstalledVip {
  /** In the `vips` map and its counters. */
  readonly id: number;
  readonly key: VipKey;
  readonly flowVip: number;
  /** Owners of ring slots first, by address; then those that are out of the ring and still have flows. */
  readonly backends: readonly InstalledVipBackend[];
}

export interface InstalledVipBackend {
  readonly id: number;
  /** Canonical text. */
  readonly address: string;
  /** Fraction of the ring's slots, 0 to 1: of new flows. */
  readonly ringShare: number;
}

/** Ascending by id. */
export function installedVips(actual: Actual): InstalledVip[] {
  return liveVips(actual).map(({ id, key, flowVip, ring }) => {
    const slots = slotCounts(actual, ring);
    for (const backend of actual.flows.owners.backendsOf(flowVip)) {
      if (!slots.has(backend)) slots.set(backend, 0);
    }
    const backends = [...slots].flatMap(([backend, count]) => {
      const address = addressText(actual, backend);
      return address === undefined ? [] : [{ id: backend, address, ringShare: count / RING_SLOTS }];
    });
    return { id, key, flowVip, backends: backends.sort(inRingFirst) };
  });
}

/** Every entry of the `backends` map that has an address, also those that nothing names any more. */
export function installedBackends(actual: Actual): { readonly id: number; readonly address: string }[] {
  return Array.from({ length: backendCount(actual) }, (_, id) => id).flatMap((id) => {
    const address = addressText(actual, id);
    return address === undefined ? [] : [{ id, address }];
  });
}

export interface MapUse {
  readonly used: number;
  /** As the configuration counts: without element 0 and without spares. */
  readonly capacity: number;
}

/** Rings are used by VIPs, backends by rings and flows. */
export function mapUse(actual: Actual): {
  readonly vips: MapUse;
  readonly rings: MapUse;
  readonly backends: MapUse;
} {
  const vips = liveVips(actual);
  const named = new Set<number>();
  for (const slots of actual.rings.values()) for (const id of backendsOf(slots)) named.add(id);
  for (const flowVip of actual.flows.owners.flowVips()) {
    for (const id of actual.flows.owners.backendsOf(flowVip)) named.add(id);
  }
  named.delete(0);
  return {
    vips: { used: vips.length, capacity: vipCount(actual) - 1 - SPARE_VIPS },
    rings: { used: actual.rings.size, capacity: actual.ringCount - 1 - SPARE_RINGS },
    backends: { used: named.size, capacity: backendCount(actual) - 1 },
  };
}

/** By backend id. */
function slotCounts(actual: Actual, ring: number): Map<number, number> {
  const counts = new Map<number, number>();
  const slots = actual.rings.get(ring);
  if (slots === undefined) return counts;
  for (let index = 0; index < RING_SLOTS; index++) {
    const owner = ownerOf(slots[index]!);
    if (owner !== 0) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

function addressText(actual: Actual, id: number): string | undefined {
  if (id === 0 || id >= backendCount(actual)) return undefined;
  const address = addressOfBackend(backendEntry(actual, id));
  return address === undefined ? undefined : formatIpAddress(address);
}

function inRingFirst(a: InstalledVipBackend, b: InstalledVipBackend): number {
  const [isOutA, isOutB] = [a.ringShare === 0, b.ringShare === 0];
  if (isOutA !== isOutB) return isOutA ? 1 : -1;
  return a.address < b.address ? -1 : 1;
}
