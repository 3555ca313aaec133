/**
 * Plans VIPs, rings, backends and flows. Works through the VIPs one by one and collects what they need written into a wave, which
 * goes live at once. A wave ends early when rings or ids run out: what it has replaced is free after a grace period, and
 * the next wave uses that.
 */
import { vipBucket } from "../../dataplane/xdp/generated/balancer.ts";
import { RING_SLOTS } from "../ring/maglev.ts";
import type { Action } from "./action.ts";
import { type Actual, liveCopy, liveTable, liveVips } from "./actual.ts";
import { encodeBackend } from "./backend-entry.ts";
import { BackendIds } from "./backend-ids.ts";
import type { DesiredVip } from "./desired.ts";
import type { FlowOwners, Forgetting } from "./flow-table.ts";
import type { MapNames, VipChange } from "./plan.ts";
import { PlanError } from "./plan-error.ts";
import { RingOwners } from "./ring-owners.ts";
import { RingPool } from "./ring-pool.ts";
import { backendsOf, countMoved, digestOf, isRingOf, type RingSlots, ringAfter } from "./ring-slots.ts";
import { encodeVip, formatVipKey, type VipKey } from "./vip-entry.ts";
import { VipIds } from "./vip-ids.ts";
import { buildVipTable, isVipTableOf, type VipTableRow, vipTableRows } from "./vip-table.ts";
import { type Publication, Wave } from "./wave.ts";

/** A VIP as packets find it at this point of the plan. */
interface LiveVip {
  readonly id: number;
  readonly key: VipKey;
  readonly label: string;
  readonly flags: number;
  readonly flowVip: number;
  readonly ring: number;
  /** Its entry is what we would write. */
  readonly isIntact: boolean;
}

/** What a VIP would need more of in this wave. */
interface Shortage {
  readonly resource: "vips" | "backends";
  readonly available: number;
}

/** A ring that could not be had, as a VIP with none free waits for the next wave, and the next. */
interface WantedRing {
  readonly owners: Uint16Array;
  readonly before: RingSlots | undefined;
  readonly keptText: string;
  readonly digest: number;
}

export class VipPlanner {
  readonly #actual: Actual;
  readonly #steps: Action[] = [];
  /** By key, of VIPs that are placed. */
  readonly #changes = new Map<string, VipChange>();
  readonly #removed: VipChange[] = [];
  /** What VIPs that are removed are called, by flow_vip. */
  readonly #gone = new Map<number, string>();
  readonly #vipIds: VipIds;
  readonly #backendIds: BackendIds;
  readonly #owners = new RingOwners();
  /** Packets may have used something in the maps before this plan. */
  readonly #hasBeenUsed: boolean;
  /** What flows may name, were all done that is planned so far. */
  readonly #flows: FlowOwners;
  readonly #live = new Map<string, LiveVip>();
  #desired: readonly DesiredVip[] = [];

  #wave = new Wave();
  /** Rings with contents that packets may use, before or after this wave goes live. */
  readonly #rings: RingPool;
  /** By key, of VIPs that found no free ring: what they wanted, which is worked out again only where it has changed. */
  readonly #wanted = new Map<string, WantedRing>();
  /** VIP ids that packets may use, before or after this wave goes live. */
  #vipIdsInUse: Set<number>;
  /** By id, of backends: see #isBackendNamed. Computed when it is first needed in a wave. */
  #backendsNamed: Set<number> | undefined;
  #firstBucket: number;
  /** What the plan has last published. */
  #published: readonly VipTableRow[] | undefined;

  constructor(actual: Actual) {
    this.#actual = actual;
    this.#vipIds = new VipIds(actual);
    this.#backendIds = new BackendIds(actual);
    this.#hasBeenUsed = this.#vipIds.hasUsed || this.#backendIds.hasUsed;
    this.#flows = actual.flows.owners.clone();
    this.#rings = new RingPool(actual.ringCount, actual.rings);
    this.#firstBucket = liveTable(actual).firstBucket;
    const live = liveVips(actual);
    this.#vipIdsInUse = new Set(live.map(({ id }) => id));
    for (const entry of live) {
      const label = formatVipKey(entry.key);
      const ring = this.#rings.has(entry.ring) ? entry.ring : 0;
      const isIntact = entry.isIntact && ring === entry.ring;
      const vip = { ...entry, label, ring, isIntact };
      this.#live.set(label, vip);
      this.#addRingToFlows(vip);
    }
  }

  plan(desired: readonly DesiredVip[]): { actions: Action[]; changes: VipChange[]; names: MapNames } {
    this.#desired = desired;
    this.#removeOthers();
    let waiting = desired;
    for (let stuck = 0; ; ) {
      const short: { vip: DesiredVip; shortage: Shortage }[] = [];
      for (const vip of waiting) {
        const shortage = this.#tryPlace(vip);
        if (shortage !== undefined) short.push({ vip, shortage });
      }
      this.#endWave({ isLast: short.length === 0 });
      if (short.length === 0) break;
      // A wave that places none may still free what the next one needs, by removing VIPs and flows; two cannot.
      stuck = short.length < waiting.length ? 0 : stuck + 1;
      if (stuck === 2) throw outOf(short[0]!);
      waiting = short.map(({ vip }) => vip);
    }
    return { actions: this.#steps, changes: this.#allChanges(), names: this.#names() };
  }

  #removeOthers(): void {
    const wanted = new Set(this.#desired.map(({ keyText }) => keyText));
    for (const [keyText, { label, ring, flowVip }] of [...this.#live]) {
      if (wanted.has(keyText)) continue;
      this.#live.delete(keyText);
      this.#gone.set(flowVip, label);
      this.#removed.push({ label, change: "removed", movedSlots: ring === 0 ? 0 : RING_SLOTS });
    }
  }

  /** Puts the VIP's change into the wave, or says what is missing for it. Nothing but new backends is in the wave then. */
  #tryPlace(vip: DesiredVip): Shortage | undefined {
    const shortage = this.#giveBackendsIds(vip);
    if (shortage !== undefined) return shortage;

    const current = this.#live.get(vip.keyText);
    const ring = this.#ringFor(vip, current);
    if (ring === undefined) return { resource: "vips", available: this.#actual.ringCount - 1 };

    const isUnchanged = current?.isIntact && current.flags === vip.flags;
    const change = current === undefined ? "added" : "replaced";
    if (isUnchanged) this.#switchRing(vip, current, ring);
    else if (!this.#writeVip(vip, current, ring)) {
      return { resource: "vips", available: this.#vipIds.capacity };
    }

    const before = this.#rings.get(current?.ring ?? 0);
    this.#changes.set(vip.keyText, {
      label: vip.label,
      change: !isUnchanged ? change : ring.id === current.ring ? "none" : "backends",
      movedSlots: countMoved(before, ring.slots),
    });
    if (ring.slots !== undefined && !this.#rings.has(ring.id)) {
      this.#rings.add(ring.id, ring.slots);
      this.#wave.writes.push({
        kind: "build-ring",
        id: ring.id,
        label: vip.label,
        backendCount: vip.members.filter(({ inRing }) => inRing).length,
        moved: countMoved(before, ring.slots),
        slots: ring.slots,
      });
    }
    this.#addRingToFlows(this.#live.get(vip.keyText)!);
    return undefined;
  }

  #giveBackendsIds({ members }: DesiredVip): Shortage | undefined {
    // One that takes no flows and has no id has no flows either.
    const wanting = members.filter(
      ({ inRing, addressText }) => inRing && !this.#backendIds.find(addressText),
    );
    const addresses = wanting.map(({ address }) => address);
    const taken = this.#backendIds.take(addresses, (id) => this.#isBackendNamed(id));
    if (taken === undefined) return { resource: "backends", available: this.#backendIds.capacity };

    taken.forEach(({ id, address, isReused }, index) => {
      this.#backendsNamed?.add(id);
      const value = encodeBackend(addresses[index]!);
      this.#wave.writes.push({ kind: "write-backend", id, address, value, isReused });
    });
    return undefined;
  }

  /** The ring that the VIP has to have: the one it has, one with the same contents, or a free one to build. Undefined: none is free. */
  #ringFor(
    vip: DesiredVip,
    current: LiveVip | undefined,
  ): { id: number; slots: RingSlots | undefined } | undefined {
    const owners = this.#owners.of(vip, (addressText) => this.#backendIds.find(addressText)!);
    if (owners === undefined) return { id: 0, slots: undefined };

    const kept = this.#keptBackends(vip);
    const before = current === undefined ? undefined : this.#rings.get(current.ring);
    const free = this.#rings.firstFree;
    const keptText = [...kept].join();
    const wanted = this.#wanted.get(vip.keyText);
    if (
      free === undefined &&
      wanted?.owners === owners &&
      wanted.before === before &&
      wanted.keptText === keptText &&
      !this.#rings.mayHave(wanted.digest)
    ) {
      return undefined;
    }
    if (current !== undefined && before !== undefined && isRingOf(before, { owners, kept })) {
      return { id: current.ring, slots: before };
    }
    const slots = ringAfter(owners, { before, kept });
    const same = this.#rings.find(slots);
    if (same !== undefined) return same;
    if (free !== undefined) return { id: free, slots };
    this.#wanted.set(vip.keyText, { owners, before, keptText, digest: digestOf(slots) });
    return undefined;
  }

  #switchRing({ keyText, label }: DesiredVip, current: LiveVip, ring: { id: number }): void {
    this.#live.set(keyText, { ...current, label, ring: ring.id });
    if (ring.id === current.ring) return;
    const { id: vip, ring: from } = current;
    this.#wave.switches.push({ kind: "switch-ring", vip, label, from, to: ring.id });
  }

  #writeVip(vip: DesiredVip, current: LiveVip | undefined, ring: { id: number }): boolean {
    const { key, keyText, flags, label } = vip;
    const flowVip = current?.flowVip || this.#chooseFlowVip(vip);
    if (flowVip === undefined) return false;
    const content = { key, flags, flowVip };
    const taken = this.#vipIds.takeId(content, (id) => this.#vipIdsInUse.has(id));
    if (taken === undefined) return false;

    this.#vipIdsInUse.add(taken.id);
    this.#live.set(keyText, { ...content, id: taken.id, label, ring: ring.id, isIntact: true });
    const value = encodeVip({ ...content, ring: ring.id });
    this.#wave.writes.push({ kind: "write-vip", ...taken, label, ring: ring.id, flowVip, value });
    return true;
  }

  #chooseFlowVip({ key, flags }: DesiredVip): number | undefined {
    const taken = new Set([...this.#live.values()].map(({ flowVip }) => flowVip));
    return this.#vipIds.chooseFlowVip(
      { key, flags },
      { isTaken: (flowVip) => taken.has(flowVip), flows: this.#flows },
    );
  }

  #endWave({ isLast }: { isLast: boolean }): void {
    const rows = vipTableRows([...this.#live.values()]);
    const isFirst = this.#steps.length === 0;
    const publication = this.#isPublished(rows) ? undefined : this.#publish(rows);
    const forgetting = this.#forgetting({ isLast });
    const steps = this.#wave.steps({ publication, forgetting, isLast });
    if (isFirst && (this.#wave.writes.length > 0 || publication !== undefined) && this.#hasBeenUsed) {
      this.#steps.push({ kind: "grace-period", why: "what is free may just have been in use" });
    }
    this.#steps.push(...steps);

    this.#wave = new Wave();
    this.#backendsNamed = undefined;
    const live = [...this.#live.values()];
    this.#vipIdsInUse = new Set(live.map(({ id }) => id));
    const ringsInUse = new Set(live.map(({ ring }) => ring));
    for (const id of this.#rings.ids) if (!ringsInUse.has(id)) this.#rings.delete(id);
  }

  #isPublished(rows: readonly VipTableRow[]): boolean {
    const name = ({ key, vip }: VipTableRow): string => `${formatVipKey(key)} ${vip}`;
    if (this.#published !== undefined) return rows.map(name).join() === this.#published.map(name).join();
    return isVipTableOf(rows, { buckets: liveCopy(this.#actual), seed: liveTable(this.#actual).seed });
  }

  #publish(rows: readonly VipTableRow[]): Publication {
    const bucketCount = this.#actual.vipBuckets.length / vipBucket.sizeBytes / 2;
    const firstBucket = this.#firstBucket === 0 ? bucketCount : 0;
    this.#firstBucket = firstBucket;
    this.#published = rows;
    return { firstBucket, table: buildVipTable(rows, bucketCount) };
  }

  /** What can be forgotten once this wave is live: flows of VIPs that are gone, and of backends that a VIP neither keeps nor has in
   * its ring any more. Behind it more is to come: also whatever keeps ids of former VIPs from being used again. */
  #forgetting({ isLast }: { isLast: boolean }): Forgetting & { labels: string[] } {
    const flows = new Map<number, ReadonlySet<number> | "all">();
    const labels: string[] = [];
    const live = new Map([...this.#live.values()].map((vip) => [vip.flowVip, vip]));
    const desired = new Map(this.#desired.map((vip) => [vip.keyText, vip]));
    for (const flowVip of this.#flows.flowVips()) {
      const vip = live.get(flowVip);
      if (vip === undefined) {
        flows.set(flowVip, "all");
        labels.push(`all of ${this.#gone.get(flowVip) ?? `flow VIP ${flowVip}`}, which is gone`);
        this.#flows.deleteVip(flowVip);
        continue;
      }
      const kept = this.#keptBackends(desired.get(formatVipKey(vip.key))!);
      const ring = this.#rings.get(vip.ring);
      const inRing = ring === undefined ? kept : backendsOf(ring);
      const stale = this.#flows.backendsOf(flowVip).filter((id) => !kept.has(id) && !inRing.has(id));
      if (stale.length === 0) continue;
      flows.set(flowVip, new Set(stale));
      labels.push(`${vip.label} to ${stale.map((id) => this.#backendIds.addressOf(id)).join(" and ")}`);
      for (const id of stale) this.#flows.delete(flowVip, id);
    }

    const liveIds = new Set([...this.#live.values()].map(({ id }) => id));
    const retired = isLast ? [] : this.#vipIds.retiredInFragments((id) => liveIds.has(id));
    this.#vipIds.fragmentsCleared(retired);
    if (retired.length > 0) labels.push(`fragments under former ids of VIPs (${retired.join(", ")})`);
    return { flows, fragmentVips: new Set(retired), labels };
  }

  /** A ring that packets may use, a flow, or the configuration names the backend. */
  #isBackendNamed(id: number): boolean {
    if (this.#backendsNamed === undefined) {
      this.#backendsNamed = new Set(this.#flows.flowVips().flatMap((vip) => this.#flows.backendsOf(vip)));
      for (const slots of this.#rings.contents) {
        for (const named of backendsOf(slots)) this.#backendsNamed.add(named);
      }
      for (const vip of this.#desired) {
        for (const { addressText } of vip.members) {
          const named = this.#backendIds.find(addressText);
          if (named !== undefined) this.#backendsNamed.add(named);
        }
      }
    }
    return this.#backendsNamed.has(id);
  }

  #keptBackends({ members }: DesiredVip): Set<number> {
    return new Set(
      members
        .filter(({ keepsFlows }) => keepsFlows)
        .map(({ addressText }) => this.#backendIds.find(addressText))
        .filter((id) => id !== undefined),
    );
  }

  #addRingToFlows({ flowVip, ring }: LiveVip): void {
    const slots = this.#rings.get(ring);
    if (slots !== undefined) for (const id of backendsOf(slots)) this.#flows.add(flowVip, id);
  }

  #allChanges(): VipChange[] {
    return [...this.#desired.map(({ keyText }) => this.#changes.get(keyText)!), ...this.#removed];
  }

  #names(): MapNames {
    const addresses = new Set(
      this.#desired.flatMap(({ members }) => members.map(({ addressText }) => addressText)),
    );
    return {
      vips: this.#desired.map(({ keyText, vip }) => {
        const { id, flowVip } = this.#live.get(keyText)!;
        return { id, flowVip, vip };
      }),
      backends: [...addresses].flatMap((address) => {
        const id = this.#backendIds.find(address);
        return id === undefined ? [] : [{ id, address }];
      }),
    };
  }
}

function outOf({ vip, shortage }: { vip: DesiredVip; shortage: Shortage }): PlanError {
  const { resource, available } = shortage;
  return new PlanError(
    "no-free-id",
    { resource, wanted: available + 1, available },
    `${vip.label}: all ${available} ids of ${resource} are taken while what is replaced is still in use; raise capacity.${resource} and load anew, or make the change in two steps`,
  );
}
