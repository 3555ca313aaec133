/**
 * The contents of the `rings` map: for each slot the id of its owner in the low half of a word and of the owner before the
 * last change in the high half (`struct ring_slot`), the same where there is nothing to remember.
 */
import { RING_SLOTS } from "../ring/maglev.ts";

/** RING_SLOTS words. A ring of no backends, element 0 of the map, is all zero. */
export type RingSlots = Uint32Array;

export function ownerOf(slot: number): number {
  return slot & 0xffff;
}

export function previousOf(slot: number): number {
  return slot >>> 16;
}

/**
 * The ring of `owners` (ids by slot) that takes the place of `before`. An owner before the change is worth remembering when
 * flows of the VIP may still be with it: when it is in `kept`.
 */
export function ringAfter(
  owners: Uint16Array,
  { before, kept }: { before: RingSlots | undefined; kept: ReadonlySet<number> },
): RingSlots {
  const slots = new Uint32Array(RING_SLOTS);
  const isKept = flagsOf(kept);
  for (let index = 0; index < RING_SLOTS; index++) {
    const owner = owners[index]!;
    const ownerBefore = before === undefined ? owner : ownerOf(before[index]!);
    const previous = isKept[ownerBefore] === 1 ? ownerBefore : owner;
    slots[index] = owner | (previous << 16);
  }
  return slots;
}

/** Whether a ring that a VIP has is still right: its owners are `owners`, and it remembers none but those in `kept`. */
export function isRingOf(
  slots: RingSlots,
  { owners, kept }: { owners: Uint16Array; kept: ReadonlySet<number> },
): boolean {
  const isKept = flagsOf(kept);
  for (let index = 0; index < RING_SLOTS; index++) {
    const slot = slots[index]!;
    if (ownerOf(slot) !== owners[index]) return false;
    if (previousOf(slot) !== ownerOf(slot) && isKept[previousOf(slot)] !== 1) return false;
  }
  return true;
}

/** Slots that change hands, all of them where there was no ring. */
export function countMoved(before: RingSlots | undefined, after: RingSlots | undefined): number {
  if (before === undefined || after === undefined) return before === after ? 0 : RING_SLOTS;
  let moved = 0;
  for (let index = 0; index < RING_SLOTS; index++) {
    if (ownerOf(before[index]!) !== ownerOf(after[index]!)) moved++;
  }
  return moved;
}

/** Ids that a ring names, as owners or as those before. A ring is asked again and again and never changes, so it is read once. */
export function backendsOf(slots: RingSlots): ReadonlySet<number> {
  let ids = named.get(slots);
  if (ids === undefined) {
    ids = readBackends(slots);
    named.set(slots, ids);
  }
  return ids;
}

const named = new WeakMap<RingSlots, ReadonlySet<number>>();

function readBackends(slots: RingSlots): ReadonlySet<number> {
  const seen = new Uint8Array(65536);
  for (let index = 0; index < slots.length; index++) {
    seen[ownerOf(slots[index]!)] = 1;
    seen[previousOf(slots[index]!)] = 1;
  }
  const ids = new Set<number>();
  for (let id = 1; id < seen.length; id++) if (seen[id] === 1) ids.add(id);
  return ids;
}

/** A number that equal rings share, and others hardly ever do (FNV-1a over words). Read once, as a ring never changes. */
export function digestOf(slots: RingSlots): number {
  let digest = digests.get(slots);
  if (digest === undefined) {
    digest = 0x811c9dc5;
    for (let index = 0; index < slots.length; index++) digest = Math.imul(digest ^ slots[index]!, 0x01000193);
    digests.set(slots, digest);
  }
  return digest;
}

const digests = new WeakMap<RingSlots, number>();

export function isSameRing(a: RingSlots, b: RingSlots): boolean {
  for (let index = 0; index < RING_SLOTS; index++) if (a[index] !== b[index]) return false;
  return true;
}

function flagsOf(ids: ReadonlySet<number>): Uint8Array {
  const flags = new Uint8Array(65536);
  for (const id of ids) flags[id] = 1;
  return flags;
}
