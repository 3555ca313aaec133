/**
 * Which id a backend's address has. An entry depends on its address alone and stays in the map when nothing uses it any more, so
 * a backend that comes back finds its old id. Ids never used are given first; one that had another address only when
 * no ring and no flow can name it.
 */
import { formatIpAddress, type IpAddress } from "../model/address.ts";
import { type Actual, backendCount, backendEntry } from "./actual.ts";
import { addressOfBackend, encodeBackend } from "./backend-entry.ts";

export class BackendIds {
  readonly #idByAddress = new Map<string, number>();
  /** By id: the address, "" for an entry that is written but is none of ours, undefined for one never used. */
  readonly #addresses: (string | undefined)[];
  /** No id below it is unused. */
  #firstUnused = 1;

  constructor(actual: Actual) {
    this.#addresses = new Array<string | undefined>(backendCount(actual)).fill(undefined);
    for (let id = 1; id < this.#addresses.length; id++) {
      const address = addressOfBackend(backendEntry(actual, id));
      if (address === undefined) continue;
      const text = formatIpAddress(address);
      const isIntact = isSameBytes(encodeBackend(address), entryBytes(actual, id));
      this.#addresses[id] = isIntact ? text : "";
      if (isIntact && !this.#idByAddress.has(text)) this.#idByAddress.set(text, id);
    }
  }

  get capacity(): number {
    return this.#addresses.length - 1;
  }

  /** Undefined when the address has none. */
  find(addressText: string): number | undefined {
    return this.#idByAddress.get(addressText);
  }

  addressOf(id: number): string {
    return this.#addresses[id] || `backend ${id}`;
  }

  get hasUsed(): boolean {
    return this.#addresses.some((address) => address !== undefined);
  }

  /**
   * Gives each address an id that is free, or none of them any: undefined. `isNamed`: whether a ring that packets may use, a
   * flow or the configuration names the id.
   */
  take(
    addresses: readonly IpAddress[],
    isNamed: (id: number) => boolean,
  ): { readonly id: number; readonly address: string; readonly isReused: boolean }[] | undefined {
    const ids: number[] = [];
    for (let id = this.#firstUnused; id < this.#addresses.length && ids.length < addresses.length; id++) {
      if (this.#addresses[id] === undefined) ids.push(id);
    }
    for (let id = 1; id < this.#addresses.length && ids.length < addresses.length; id++) {
      if (this.#addresses[id] !== undefined && !isNamed(id)) ids.push(id);
    }
    if (ids.length < addresses.length) return undefined;
    return addresses.map((address, index) => this.#give(ids[index]!, formatIpAddress(address)));
  }

  #give(id: number, address: string): { id: number; address: string; isReused: boolean } {
    const before = this.#addresses[id];
    const isReused = before !== undefined;
    if (isReused && this.#idByAddress.get(before) === id) this.#idByAddress.delete(before);
    if (!isReused) this.#firstUnused = Math.max(this.#firstUnused, id + 1);
    this.#addresses[id] = address;
    this.#idByAddress.set(address, id);
    return { id, address, isReused };
  }
}

function entryBytes({ backends }: Actual, id: number): Uint8Array {
  const size = backends.length / backendCount({ backends });
  return backends.subarray(id * size, (id + 1) * size);
}

function isSameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
