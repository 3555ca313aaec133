/**
 * Maglev hashing: which backend owns which slot of a ring ("Maglev: A Fast and Reliable Software Network Load Balancer",
 * NSDI 2016, section 3.4). Every backend has a permutation of the slots, which follows from its address alone, and the backends
 * take turns: each takes the first slot of its permutation that is still free. A backend more or less therefore moves few
 * slots of the others, and all hosts agree without talking.
 *
 * Both ways of weighing are Katran's, slot for slot. Of positions, Katran computes (offset + n * skip) in 32 bits; here they are exact. That
 * is the same for every backend but one whose skip is 65536, of which 32-bit arithmetic never reaches one slot: a
 * search for that slot, if it were the last free one, would not end there.
 */
import { EndpointHash } from "./endpoint-hash.ts";
import { Murmur3 } from "./murmur3.ts";

/** A prime, as the permutations need. */
export const RING_SLOTS = 65537;
export const MAX_RING_BACKENDS = 65535;
/** Katran's accumulators are 32 bits wide and hold nearly twice the largest weight. */
export const MAX_WEIGHT = 0x7fffffff;

export interface RingBackend {
  /** 4 or 16 bytes, network order. */
  readonly address: Uint8Array;
  /** 0: owns no slot. */
  readonly weight: number;
}

/**
 * - v1: in its first turn a backend takes `weight` slots, in later ones one. Keeps weights badly; Katran's default.
 * - v2: in each turn a backend saves up its weight, and takes a slot when it has saved the largest weight. Keeps weights.
 */
export type MaglevAlgorithm = "v1" | "v2";

export interface RingRequest {
  readonly algorithm: MaglevAlgorithm;
  readonly backends: readonly RingBackend[];
}

const FREE = 0xffff;

/**
 * The owner of each of RING_SLOTS slots, as a position in `backends`; undefined when no backend has weight. The order of the
 * backends makes no difference to who owns what. Throws RangeError for an address, a weight or a number of backends that cannot be.
 */
export function buildRing({ algorithm, backends }: RingRequest): Uint16Array | undefined {
  const turns = turnOrder(backends);
  if (turns.length === 0) return undefined;

  const owners = new Uint16Array(RING_SLOTS);
  if (turns.length === 1) return owners.fill(turns[0]!.position);

  owners.fill(FREE);
  switch (algorithm) {
    case "v1":
      fillByFirstTurn(owners, turns);
      return owners;
    case "v2":
      fillBySaving(owners, turns);
      return owners;
  }
}

interface Turn {
  /** In the request's backends. */
  readonly position: number;
  readonly weight: number;
  readonly address: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
}

/** Backends with weight, ascending by hash. Different addresses with one hash go by their bytes: Katran leaves that to chance. */
function turnOrder(backends: readonly RingBackend[]): readonly Turn[] {
  if (backends.length > MAX_RING_BACKENDS) {
    throw new RangeError(`${backends.length} backends in a ring, allowed: ${MAX_RING_BACKENDS}`);
  }
  const endpoint = new EndpointHash();
  const turns: Turn[] = [];
  for (let position = 0; position < backends.length; position++) {
    const { address, weight } = backends[position]!;
    if (!Number.isInteger(weight) || weight < 0 || weight > MAX_WEIGHT) {
      throw new RangeError(
        `backend ${position} of a ring: weight ${weight}, allowed: integers from 0 to ${MAX_WEIGHT}`,
      );
    }
    if (address.length !== 4 && address.length !== 16) {
      throw new RangeError(`backend ${position} of a ring: an address of ${address.length} bytes`);
    }
    if (weight === 0) continue;
    endpoint.hash(address);
    turns.push({ position, weight, address, hashHi: endpoint.hi, hashLo: endpoint.lo });
  }
  return turns.sort(
    (a, b) => a.hashHi - b.hashHi || a.hashLo - b.hashLo || compareAddresses(a.address, b.address),
  );
}

function compareAddresses(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index < a.length && index < b.length; index++) {
    if (a[index] !== b[index]) return a[index]! - b[index]!;
  }
  return a.length - b.length;
}

/** The permutations, by turn: where each stands, and how far it goes on. */
class Permutations {
  readonly #next: Int32Array;
  /** Steps backwards, RING_SLOTS - skip, since a sum below zero is seen in its sign. */
  readonly #step: Int32Array;

  constructor(turns: readonly Turn[]) {
    const murmur = new Murmur3();
    this.#next = new Int32Array(turns.length);
    this.#step = new Int32Array(turns.length);
    for (let turn = 0; turn < turns.length; turn++) {
      const { hashHi, hashLo } = turns[turn]!;
      murmur.hash(hashHi, hashLo, 0, 42, 0);
      this.#next[turn] = (murmur.hi + murmur.lo) % RING_SLOTS; // 2^32 is 1 modulo 65537
      murmur.hash(hashHi, hashLo, 0, 2718281828, 2307);
      const skip = (murmur.lo & 0xffff) + 1; // modulo RING_SLOTS - 1, which is 2^16
      this.#step[turn] = RING_SLOTS - skip;
    }
  }

  /** Gives the first slot that is free in the permutation of `turn` to `owner`. There must be one. */
  take(owners: Uint16Array, turn: number, owner: number): void {
    const step = this.#step[turn]!;
    let slot = this.#next[turn]!;
    while (owners[slot] !== FREE) slot = back(slot, step);
    owners[slot] = owner;
    this.#next[turn] = back(slot, step);
  }
}

function back(slot: number, step: number): number {
  const next = slot - step;
  return next + ((next >> 31) & RING_SLOTS);
}

function fillByFirstTurn(owners: Uint16Array, turns: readonly Turn[]): void {
  const permutations = new Permutations(turns);
  let free = RING_SLOTS;
  for (let isFirst = true; ; isFirst = false) {
    for (let turn = 0; turn < turns.length; turn++) {
      const { position, weight } = turns[turn]!;
      for (let taken = 0; taken < (isFirst ? weight : 1); taken++) {
        permutations.take(owners, turn, position);
        if (--free === 0) return;
      }
    }
  }
}

function fillBySaving(owners: Uint16Array, turns: readonly Turn[]): void {
  const permutations = new Permutations(turns);
  const positions = Uint16Array.from(turns, ({ position }) => position);
  const weights = Int32Array.from(turns, ({ weight }) => weight);
  const price = weights.reduce((largest, weight) => Math.max(largest, weight), 0) | 0;
  const saved = new Int32Array(turns.length);
  const takers = new Uint16Array(turns.length);
  for (let free = RING_SLOTS; ; ) {
    // Who can pay is found without a branch, which would be mispredicted half of the time, and in 32-bit integers: 1000
    // backends take 2.7 ms so, and 3.2 ms otherwise (Node 20). What is left after paying is at least -price, so it fits.
    let count = 0;
    for (let turn = 0; turn < weights.length; turn++) {
      const left = (saved[turn]! - price + weights[turn]!) | 0;
      const cannotPay = left >> 31; // -1 or 0
      saved[turn] = left + (price & cannotPay);
      takers[count] = turn;
      count += 1 + cannotPay;
    }
    for (let index = 0; index < count; index++) {
      const turn = takers[index]!;
      permutations.take(owners, turn, positions[turn]!);
      if (--free === 0) return;
    }
  }
}
