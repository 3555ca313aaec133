/** Rings of backend ids, each built once however many VIPs have the same backends. */
import { buildRing } from "../ring/maglev.ts";
import type { DesiredVip } from "./desired.ts";

export class RingOwners {
  readonly #built = new Map<string, Uint16Array | undefined>();
  /** A VIP that waits for a free ring is asked for again and again. */
  readonly #known = new WeakMap<DesiredVip, { readonly owners: Uint16Array | undefined }>();

  /** The owner's id for each slot; undefined when no backend takes new flows. `idOf` must go on giving an address the same id. */
  of(vip: DesiredVip, idOf: (addressText: string) => number): Uint16Array | undefined {
    let known = this.#known.get(vip);
    if (known === undefined) {
      known = { owners: this.#build(vip, idOf) };
      this.#known.set(vip, known);
    }
    return known.owners;
  }

  #build({ algorithm, members }: DesiredVip, idOf: (addressText: string) => number): Uint16Array | undefined {
    const inRing = members.filter((member) => member.inRing);
    const name = [
      algorithm,
      ...inRing.map(({ addressText, weight }) => `${addressText}*${weight}`).sort(),
    ].join(" ");
    if (this.#built.has(name)) return this.#built.get(name);

    const backends = inRing.map(({ address, weight }) => ({ address: address.bytes, weight }));
    const owners = buildRing({ algorithm, backends });
    if (owners !== undefined) {
      const ids = Uint16Array.from(inRing, ({ addressText }) => idOf(addressText));
      for (let slot = 0; slot < owners.length; slot++) owners[slot] = ids[owners[slot]!]!;
    }
    this.#built.set(name, owners);
    return owners;
  }
}
