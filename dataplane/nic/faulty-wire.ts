/**
 * A wire that loses, duplicates, reorders, cuts and corrupts frames on the way to another wire, by chance from a seeded generator: the
 * same seed and the same frames give the same faults. It fits on either side of a NIC, since a NIC can be fed by a wire too.
 */
import type { Wire } from "./wire.ts";

/** Each from 0, never, to 1, always; drawn for each frame on its own, in this order. */
export interface FaultRates {
  readonly loss?: number;
  readonly duplication?: number;
  /** Of being held back until `reorderFrames` later frames have passed. */
  readonly reordering?: number;
  /** Of losing at least one byte at the end, and at most all but one. */
  readonly truncation?: number;
  /** Of having one bit turned over. */
  readonly corruption?: number;
}

export interface FaultCounts {
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly truncated: number;
  readonly corrupted: number;
}

export interface FaultOptions {
  readonly rates: FaultRates;
  /** Unsigned 32-bit numbers. */
  readonly random: () => number;
  /** How many frames overtake a frame that is held back. Default 3. */
  readonly reorderFrames?: number;
}

interface HeldFrame {
  readonly bytes: Uint8Array;
  readonly timestampNs: bigint;
  remainingFrames: number;
}

const FAULTS = ["loss", "duplication", "reordering", "truncation", "corruption"] as const;
const HELD_FRAMES_MAX = 64;

export class FaultyWire implements Wire {
  readonly #next: Wire;
  readonly #rates: Required<FaultRates>;
  readonly #random: () => number;
  readonly #reorderFrames: number;
  readonly #counts: {
    lost: number;
    duplicated: number;
    reordered: number;
    truncated: number;
    corrupted: number;
  };
  /** Bounded: a frame that finds it full goes on in order. */
  readonly #held: HeldFrame[] = [];

  /** Throws RangeError for a rate that is not from 0 to 1. */
  constructor(next: Wire, options: FaultOptions) {
    for (const fault of FAULTS) {
      const rate = options.rates[fault] ?? 0;
      if (!(rate >= 0 && rate <= 1)) throw new RangeError(`rate of ${fault} is ${rate}, expected 0 to 1`);
    }
    this.#next = next;
    this.#rates = { loss: 0, duplication: 0, reordering: 0, truncation: 0, corruption: 0, ...options.rates };
    this.#random = options.random;
    this.#reorderFrames = options.reorderFrames ?? 3;
    this.#counts = { lost: 0, duplicated: 0, reordered: 0, truncated: 0, corrupted: 0 };
  }

  get counts(): FaultCounts {
    return { ...this.#counts };
  }

  transmit(frame: Uint8Array, timestampNs: bigint): void {
    // Every kind is drawn for every frame, so that one rate changes nothing about where the other faults fall.
    const isLost = this.#draw(this.#rates.loss);
    const isDuplicated = this.#draw(this.#rates.duplication);
    const isReordered = this.#draw(this.#rates.reordering);
    const isTruncated = this.#draw(this.#rates.truncation);
    const isCorrupted = this.#draw(this.#rates.corruption);
    const cut = this.#random();
    const flip = this.#random();

    if (isLost) {
      this.#counts.lost++;
    } else {
      let bytes = frame;
      if (isTruncated && frame.length > 1) {
        bytes = bytes.subarray(0, 1 + (cut % (frame.length - 1)));
        this.#counts.truncated++;
      }
      if (isCorrupted && bytes.length > 0) {
        bytes = bytes.slice();
        bytes[(flip >>> 3) % bytes.length]! ^= 1 << (flip & 7);
        this.#counts.corrupted++;
      }
      if (isReordered && this.#held.length < HELD_FRAMES_MAX) {
        this.#held.push({ bytes: bytes.slice(), timestampNs, remainingFrames: this.#reorderFrames + 1 });
        this.#counts.reordered++;
      } else {
        this.#next.transmit(bytes, timestampNs);
      }
      if (isDuplicated) {
        this.#next.transmit(bytes, timestampNs);
        this.#counts.duplicated++;
      }
    }
    this.#release();
  }

  /** Sends what is still held back; for the end of a run. */
  flush(): void {
    for (const held of this.#held.splice(0)) this.#next.transmit(held.bytes, held.timestampNs);
  }

  /** Counts one frame that overtook, and sends those that waited long enough. */
  #release(): void {
    if (this.#held.length === 0) return;
    for (const held of this.#held) held.remainingFrames--;
    while (this.#held[0] !== undefined && this.#held[0].remainingFrames <= 0) {
      const held = this.#held.shift()!;
      this.#next.transmit(held.bytes, held.timestampNs);
    }
  }

  #draw(rate: number): boolean {
    return this.#random() < rate * 2 ** 32;
  }
}
