/**
 * The table under every hash map: buckets of chained elements, all in linear memory, as in kernel/bpf/hashtab.c. There are at
 * least as many buckets as entries, so chains stay short; the hash is seeded, so that whoever chooses keys without knowing
 * the seed cannot make them long.
 *
 *   buckets   u32 per bucket: its first element, 0 when empty
 *   element    0 u32 next in the chain, or next free      4 u32 hash
 *              8 u32 older   12 u32 newer                16 u32 referenced   20 u32 pool      (ElementPool)
 *             24 key, padded to 8, then the value if it is stored with the element, padded to 8
 *
 * An element's address never changes while it is in the table, so a pointer to its value stays good.
 */
import type { Memory } from "../memory.ts";
import { roundUp } from "./map-access.ts";

export const ELEMENT_NEXT = 0;
const ELEMENT_HASH = 4;
const ELEMENT_KEY = 24;

export interface HashTableSizes {
  /** Elements that exist, which is a few more than may be in the table. */
  readonly elementCount: number;
  readonly bucketCount: number;
  readonly keySizeBytes: number;
  /** Bytes stored with the element; 0 when values lie elsewhere. */
  readonly valueSizeBytes: number;
  readonly seed: number;
}

export class HashTable {
  readonly buckets: number;
  readonly bucketCount: number;
  readonly elements: number;
  readonly elementCount: number;
  readonly elementBytes: number;
  readonly valueOffset: number;
  readonly #memory: Memory;
  readonly #keySize: number;
  readonly #seed: number;

  constructor(memory: Memory, sizes: HashTableSizes) {
    this.#memory = memory;
    this.#keySize = sizes.keySizeBytes;
    this.#seed = sizes.seed;
    this.bucketCount = 2 ** Math.ceil(Math.log2(sizes.bucketCount));
    this.valueOffset = ELEMENT_KEY + roundUp(sizes.keySizeBytes, 8);
    this.elementCount = sizes.elementCount;
    this.elementBytes = this.valueOffset + roundUp(sizes.valueSizeBytes, 8);
    this.buckets = memory.allocate(this.bucketCount * 4, 64);
    this.elements = memory.allocate(this.elementCount * this.elementBytes, 64);
  }

  hash(keyAddress: number): number {
    return hashBytes(this.#memory.view, { address: keyAddress, sizeBytes: this.#keySize, seed: this.#seed });
  }

  /** The element with this key, 0 when there is none. `hash` is the key's. */
  find(keyAddress: number, hash: number): number {
    const { view } = this.#memory;
    let element = view.getUint32(this.#bucketOf(hash), true);
    while (element !== 0) {
      if (view.getUint32(element + ELEMENT_HASH, true) === hash && this.#hasKey(element, keyAddress)) {
        return element;
      }
      element = view.getUint32(element + ELEMENT_NEXT, true);
    }
    return 0;
  }

  /** Puts an element that is in no chain at the front of its key's, and writes key and hash into it. */
  insert(element: number, keyAddress: number, hash: number): void {
    const { view, u8 } = this.#memory;
    const bucket = this.#bucketOf(hash);
    u8.copyWithin(element + ELEMENT_KEY, keyAddress, keyAddress + this.#keySize);
    view.setUint32(element + ELEMENT_HASH, hash, true);
    view.setUint32(element + ELEMENT_NEXT, view.getUint32(bucket, true), true);
    view.setUint32(bucket, element, true);
  }

  /** Takes an element out of its chain. */
  remove(element: number): void {
    const { view } = this.#memory;
    let link = this.#bucketOf(view.getUint32(element + ELEMENT_HASH, true));
    for (;;) {
      const next = view.getUint32(link, true);
      if (next === element) break;
      link = next + ELEMENT_NEXT;
    }
    view.setUint32(link, view.getUint32(element + ELEMENT_NEXT, true), true);
  }

  /** The element after `element` in the order of buckets and chains, or the first after 0; 0 at the end. */
  next(element: number): number {
    const { view } = this.#memory;
    let bucket = 0;
    if (element !== 0) {
      const next = view.getUint32(element + ELEMENT_NEXT, true);
      if (next !== 0) return next;
      bucket = (view.getUint32(element + ELEMENT_HASH, true) & (this.bucketCount - 1)) + 1;
    }
    for (; bucket < this.bucketCount; bucket++) {
      const first = view.getUint32(this.buckets + bucket * 4, true);
      if (first !== 0) return first;
    }
    return 0;
  }

  /** A copy of an element's key. */
  keyOf(element: number): Uint8Array {
    return this.#memory.read(element + ELEMENT_KEY, this.#keySize);
  }

  /** Position of an element among all that exist. */
  indexOf(element: number): number {
    return (element - this.elements) / this.elementBytes;
  }

  #bucketOf(hash: number): number {
    return this.buckets + (hash & (this.bucketCount - 1)) * 4;
  }

  #hasKey(element: number, keyAddress: number): boolean {
    const { u8 } = this.#memory;
    const start = element + ELEMENT_KEY;
    for (let i = 0; i < this.#keySize; i++) {
      if (u8[start + i] !== u8[keyAddress + i]) return false;
    }
    return true;
  }
}

/** MurmurHash3 x86_32 (Austin Appleby, public domain), over bytes in any alignment. */
export function hashBytes(
  view: DataView,
  range: { readonly address: number; readonly sizeBytes: number; readonly seed: number },
): number {
  const { address, sizeBytes } = range;
  const wholeWords = sizeBytes & ~3;
  let hash = range.seed | 0;
  for (let i = 0; i < wholeWords; i += 4) {
    hash ^= scramble(view.getUint32(address + i, true));
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = sizeBytes - 1; i >= wholeWords; i--) tail = (tail << 8) | view.getUint8(address + i);
  if (sizeBytes !== wholeWords) hash ^= scramble(tail);

  hash ^= sizeBytes;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}
