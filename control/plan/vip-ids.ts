/**
 * Which ids VIPs have: in the `vips` map, and in flow entries (flow_vip). A VIP that changes takes another entry and keeps its
 * flow_vip. Ids never used are given first. An id that another VIP had is given when no live table leads to it and no
 * fragment names it, a flow_vip when no VIP has it and no flow names it.
 */
import { type Actual, liveVips, vipBytes, vipCount } from "./actual.ts";
import type { FlowOwners } from "./flow-table.ts";
import { decodeVip, formatVipKey, type VipKey } from "./vip-entry.ts";

/** What an entry says of its VIP, but for the ring. */
export interface VipContent {
  readonly key: VipKey;
  readonly flags: number;
  readonly flowVip: number;
}

interface KnownEntry {
  /** "" when the entry is no VIP. */
  readonly keyText: string;
  /** Equal for entries that differ in their ring only. */
  readonly content: string;
  readonly flags: number;
  readonly flowVip: number;
}

const FLOW_VIP_MAX = 65535;

export class VipIds {
  readonly #entries: (KnownEntry | undefined)[];
  /** Ids that fragments may name: of those that were live at some time in this plan, and those that the census found. */
  readonly #maybeInFragments: Set<number>;

  constructor(actual: Actual) {
    this.#entries = Array.from({ length: vipCount(actual) }, (_, id) => knownEntry(actual, id));
    this.#maybeInFragments = new Set(actual.flows.fragmentVips);
    for (const { id } of liveVips(actual)) this.#maybeInFragments.add(id);
  }

  get capacity(): number {
    return this.#entries.length - 1;
  }

  get hasUsed(): boolean {
    return this.#entries.some((entry, id) => id > 0 && entry !== undefined);
  }

  /** `isLive`: whether a table leads to the id, or did before the changes of this wave. */
  takeId(
    content: VipContent,
    isLive: (id: number) => boolean,
  ): { readonly id: number; readonly isReused: boolean } | undefined {
    const text = contentText(content);
    const isFree = (id: number): boolean => id > 0 && !isLive(id);
    let id = this.#entries.findIndex((entry, candidate) => isFree(candidate) && entry?.content === text);
    if (id < 0) id = this.#entries.findIndex((entry, candidate) => isFree(candidate) && entry === undefined);
    if (id < 0) {
      id = this.#entries.findIndex(
        (_, candidate) => isFree(candidate) && !this.#maybeInFragments.has(candidate),
      );
    }
    if (id < 0) return undefined;

    const keyText = formatVipKey(content.key);
    const before = this.#entries[id];
    this.#entries[id] = { keyText, content: text, flags: content.flags, flowVip: content.flowVip };
    this.#maybeInFragments.add(id);
    return { id, isReused: before !== undefined && before.keyText !== keyText };
  }

  /**
   * For a VIP that is not live. One whose entry was written and never published, or that was deleted and has no flows left,
   * has its old one again. `isTaken`: whether a live VIP has it.
   */
  chooseFlowVip(
    { key, flags }: { readonly key: VipKey; readonly flags: number },
    { isTaken, flows }: { readonly isTaken: (flowVip: number) => boolean; readonly flows: FlowOwners },
  ): number | undefined {
    const isFree = (flowVip: number): boolean => flowVip > 0 && !isTaken(flowVip) && !flows.has(flowVip);
    const keyText = formatVipKey(key);
    const old = this.#entries.find(
      (entry) => entry?.keyText === keyText && entry.flags === flags && isFree(entry.flowVip),
    );
    if (old !== undefined) return old.flowVip;

    const known = new Set(this.#entries.map((entry) => entry?.flowVip ?? 0));
    let fallback: number | undefined;
    for (let flowVip = 1; flowVip <= FLOW_VIP_MAX; flowVip++) {
      if (!isFree(flowVip)) continue;
      if (!known.has(flowVip)) return flowVip;
      fallback ??= flowVip;
    }
    return fallback;
  }

  /** Ids of VIPs that are no more, whose fragments have to be cleared before the ids can go to others. */
  retiredInFragments(isLive: (id: number) => boolean): number[] {
    return [...this.#maybeInFragments].filter((id) => !isLive(id)).sort((a, b) => a - b);
  }

  fragmentsCleared(ids: readonly number[]): void {
    for (const id of ids) this.#maybeInFragments.delete(id);
  }
}

function knownEntry(actual: Actual, id: number): KnownEntry | undefined {
  const bytes = vipBytes(actual, id);
  if (bytes.every((byte) => byte === 0)) return undefined;
  const vip = decodeVip(bytes);
  if (vip === undefined) return { keyText: "", content: "", flags: 0, flowVip: 0 };
  const { key, flags, flowVip, isIntact } = vip;
  return { keyText: formatVipKey(key), content: isIntact ? contentText(vip) : "", flags, flowVip };
}

function contentText({ key, flags, flowVip }: VipContent): string {
  return `${formatVipKey(key)} flags ${flags} flows ${flowVip}`;
}
