/**
 * The rings that packets may use, by id, and by their contents: VIPs with the same contents share a ring, and to compare each with every
 * other would take a host with a thousand VIPs minutes.
 */
import { digestOf, isSameRing, type RingSlots } from "./ring-slots.ts";

export class RingPool {
  /** Ids go from 1 to one less; 0 is the ring of no backends. */
  readonly #idEnd: number;
  readonly #byId: Map<number, RingSlots>;
  readonly #byDigest = new Map<number, Set<number>>();

  /** `ringCount`: entries of the map. */
  constructor(ringCount: number, rings: ReadonlyMap<number, RingSlots>) {
    this.#idEnd = ringCount;
    this.#byId = new Map(rings);
    for (const [id, slots] of rings) this.#index(id, slots);
  }

  get(id: number): RingSlots | undefined {
    return this.#byId.get(id);
  }

  has(id: number): boolean {
    return this.#byId.has(id);
  }

  get ids(): number[] {
    return [...this.#byId.keys()];
  }

  get contents(): Iterable<RingSlots> {
    return this.#byId.values();
  }

  add(id: number, slots: RingSlots): void {
    this.#byId.set(id, slots);
    this.#index(id, slots);
  }

  delete(id: number): void {
    const slots = this.#byId.get(id);
    if (slots === undefined) return;
    this.#byId.delete(id);
    this.#byDigest.get(digestOf(slots))?.delete(id);
  }

  /** Whether a ring may have these contents; false is certain. */
  mayHave(digest: number): boolean {
    return (this.#byDigest.get(digest)?.size ?? 0) > 0;
  }

  /** The ring with these contents. */
  find(slots: RingSlots): { readonly id: number; readonly slots: RingSlots } | undefined {
    for (const id of this.#byDigest.get(digestOf(slots)) ?? []) {
      const other = this.#byId.get(id)!;
      if (isSameRing(other, slots)) return { id, slots: other };
    }
    return undefined;
  }

  /** The lowest id that is free. */
  get firstFree(): number | undefined {
    if (this.#byId.size >= this.#idEnd - 1) return undefined;
    for (let id = 1; id < this.#idEnd; id++) if (!this.#byId.has(id)) return id;
    return undefined;
  }

  #index(id: number, slots: RingSlots): void {
    const digest = digestOf(slots);
    const ids = this.#byDigest.get(digest);
    if (ids === undefined) this.#byDigest.set(digest, new Set([id]));
    else ids.add(id);
  }
}
