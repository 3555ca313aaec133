/**
 * Elements of a hash table that are not in use, and for LRU maps the order in which those in use may lose their place.
 *
 * A pool starts with a run of elements nobody has touched yet (so that a large map costs no memory until it fills) and keeps what is
 * given back as a stack: the last one freed is the next one taken, as in the kernel's free lists.
 *
 *   pool   0 u32 first free      4 u32 next untouched   8 u32 end of the untouched
 *         12 u32 oldest in use  16 u32 newest in use   20 u32 number in use
 *
 * What is evicted: second chance in order of arrival. The oldest entry goes, unless a program has looked it up since it was
 * last considered; then it becomes the newest, with its mark cleared. A lookup thus costs one store and not a move in a list, as in
 * the kernel (bpf_lru_list.c), whose own order differs: it keeps an active and an inactive list and frees in batches, so a kernel's
 * map may evict while it is not yet full. This one evicts only when it is full.
 */
import type { Memory } from "../memory.ts";
import { ELEMENT_NEXT, type HashTable } from "./hash-table.ts";

const POOL_BYTES = 64;
const POOL_FREE = 0;
const POOL_FRESH = 4;
const POOL_FRESH_END = 8;
const POOL_OLDEST = 12;
const POOL_NEWEST = 16;
const POOL_USED = 20;

const ELEMENT_OLDER = 8;
const ELEMENT_NEWER = 12;
const ELEMENT_REFERENCED = 16;
const ELEMENT_POOL = 20;

export class ElementPool {
  /** Of the pool's own line in memory. */
  readonly address: number;
  readonly #memory: Memory;
  readonly #elementBytes: number;

  /** Takes over `count` elements of the table from the one at `firstIndex`. */
  constructor(
    memory: Memory,
    table: HashTable,
    run: { readonly firstIndex: number; readonly count: number },
  ) {
    this.#memory = memory;
    this.#elementBytes = table.elementBytes;
    this.address = memory.allocate(POOL_BYTES, POOL_BYTES);
    const fresh = table.elements + run.firstIndex * table.elementBytes;
    memory.view.setUint32(this.address + POOL_FRESH, fresh, true);
    memory.view.setUint32(this.address + POOL_FRESH_END, fresh + run.count * table.elementBytes, true);
  }

  get usedCount(): number {
    return this.#memory.view.getUint32(this.address + POOL_USED, true);
  }

  /** An element to use, 0 when there is none. It becomes the newest, not referenced. */
  take(): number {
    const { view } = this.#memory;
    let element = view.getUint32(this.address + POOL_FREE, true);
    if (element !== 0) {
      view.setUint32(this.address + POOL_FREE, view.getUint32(element + ELEMENT_NEXT, true), true);
    } else {
      element = view.getUint32(this.address + POOL_FRESH, true);
      if (element === view.getUint32(this.address + POOL_FRESH_END, true)) return 0;
      view.setUint32(this.address + POOL_FRESH, element + this.#elementBytes, true);
    }
    view.setUint32(element + ELEMENT_POOL, this.address, true);
    view.setUint32(element + ELEMENT_REFERENCED, 0, true);
    view.setUint32(this.address + POOL_USED, this.usedCount + 1, true);
    this.#append(element);
    return element;
  }

  /** Takes back an element that is in no chain any more. */
  give(element: number): void {
    const { view } = this.#memory;
    this.#unlink(element);
    view.setUint32(element + ELEMENT_NEXT, view.getUint32(this.address + POOL_FREE, true), true);
    view.setUint32(this.address + POOL_FREE, element, true);
    view.setUint32(this.address + POOL_USED, this.usedCount - 1, true);
  }

  /** Whether an element in use was taken from here. */
  owns(element: number): boolean {
    return this.#memory.view.getUint32(element + ELEMENT_POOL, true) === this.address;
  }

  /** The element that has to go; it stays where it is. The pool must have some in use. */
  victim(): number {
    const { view } = this.#memory;
    // Ends after one round at the latest, since a round clears every mark.
    for (;;) {
      const oldest = view.getUint32(this.address + POOL_OLDEST, true);
      if (view.getUint32(oldest + ELEMENT_REFERENCED, true) === 0) return oldest;
      view.setUint32(oldest + ELEMENT_REFERENCED, 0, true);
      this.#unlink(oldest);
      this.#append(oldest);
    }
  }

  #append(element: number): void {
    const { view } = this.#memory;
    const newest = view.getUint32(this.address + POOL_NEWEST, true);
    view.setUint32(element + ELEMENT_OLDER, newest, true);
    view.setUint32(element + ELEMENT_NEWER, 0, true);
    view.setUint32(newest === 0 ? this.address + POOL_OLDEST : newest + ELEMENT_NEWER, element, true);
    view.setUint32(this.address + POOL_NEWEST, element, true);
  }

  #unlink(element: number): void {
    const { view } = this.#memory;
    const older = view.getUint32(element + ELEMENT_OLDER, true);
    const newer = view.getUint32(element + ELEMENT_NEWER, true);
    view.setUint32(older === 0 ? this.address + POOL_OLDEST : older + ELEMENT_NEWER, newer, true);
    view.setUint32(newer === 0 ? this.address + POOL_NEWEST : newer + ELEMENT_OLDER, older, true);
  }
}

/** Marks an entry as looked up, which saves it once. */
export function markReferenced(memory: Memory, element: number): void {
  const { view } = memory;
  // Reading first keeps the line shared between CPUs when the mark is already there.
  if (view.getUint32(element + ELEMENT_REFERENCED, true) === 0) {
    view.setUint32(element + ELEMENT_REFERENCED, 1, true);
  }
}
