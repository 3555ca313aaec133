/** A capture through a verification, slice by slice: who waits for what is in verify.ts, what is compared in verification.ts. */
import type { CaptureReader } from "../../dataplane/capture/capture-reader.ts";
import { FLAG_HAS_TIMESTAMP, type PacketBatch } from "../../dataplane/capture/packet-batch.ts";
import { type TimestampClock, timestampClock } from "../../dataplane/capture/timestamp.ts";
import type { NotRun } from "./programmed-dataplane.ts";
import type { MapsDifference, PacketDifference, TimedFrame, Verification } from "./verification.ts";

/** Packets between two comparisons of whole maps, which cost about a millisecond each: some microseconds a packet. */
const SLICE_PACKETS = 512;

export type Finding =
  | { readonly when: "before" | "after"; readonly difference: MapsDifference }
  | {
      readonly when: "packet";
      readonly difference: PacketDifference;
      /** From 0, in the capture. */
      readonly packet: number;
      /** Undefined where it has no time. */
      readonly sinceStartNs: bigint | undefined;
    };

export interface VerifyInputs {
  readonly reader: CaptureReader;
  readonly verification: Verification;
  /** Ends the run when so many were found. */
  readonly findingsMax: number;
  /** Called after every slice. */
  readonly onProgress: (packets: number) => void;
}

interface CapturedFrame extends TimedFrame {
  readonly packet: number;
  readonly sinceStartNs: bigint | undefined;
}

export class VerifyRun {
  readonly totals: {
    /** Those that ran on every engine. */
    packets: number;
    bytes: number;
    readonly notComparable: { [why in NotRun]: number };
  } = { packets: 0, bytes: 0, notComparable: { "too-short": 0, "too-long": 0 } };
  readonly findings: Finding[] = [];
  /** The capture has been compared to its end. */
  isComplete = false;
  readonly #inputs: VerifyInputs;
  readonly #clocks: TimestampClock[] = [];
  #slice: CapturedFrame[] = [];
  /** Of the capture, run or not. */
  #seen = 0;
  #nowNs = 0n;
  #firstNs: bigint | undefined;

  constructor(inputs: VerifyInputs) {
    this.#inputs = inputs;
  }

  /** To the capture's end or the last finding that is wanted. Throws CaptureError; what came before it has been compared then. */
  async run(): Promise<void> {
    const { reader, verification } = this.#inputs;
    const before = verification.compareAllMaps();
    if (before !== undefined) {
      // Nothing that packets do after this says anything.
      this.findings.push({ when: "before", difference: before });
      return;
    }
    try {
      for (let batch = await reader.nextBatch(); batch !== undefined; batch = await reader.nextBatch()) {
        for (const on of reader.interfaces.slice(this.#clocks.length)) this.#clocks.push(timestampClock(on));
        for (let i = 0; i < batch.count; i++) {
          this.#take(batch, i);
          if (this.#slice.length < SLICE_PACKETS) continue;
          await this.#checkSlice();
          if (this.#isEnough) return;
        }
      }
    } finally {
      await this.#checkSlice();
    }
    if (this.#isEnough) return;
    const after = verification.compareAllMaps();
    if (after !== undefined) this.findings.push({ when: "after", difference: after });
    this.isComplete = true;
  }

  get #isEnough(): boolean {
    return this.findings.length >= this.#inputs.findingsMax;
  }

  /** A packet without a time (a Simple Packet Block has none) runs at that of the one before it. */
  #take(batch: PacketBatch, i: number): void {
    const packet = this.#seen++;
    const hasTime = (batch.flags[i]! & FLAG_HAS_TIMESTAMP) !== 0;
    if (hasTime) {
      const clock = this.#clocks[batch.interfaceIndexes[i]!]!;
      const ns = clock(batch.timestampsHi[i]!, batch.timestampsLo[i]!);
      this.#firstNs ??= ns;
      this.#nowNs = ns < 0n ? 0n : ns; // no clock of the kernel is negative
    }
    // The batch is good until the next one, the slice for longer.
    const frame = batch.packet(i).slice();
    const whyNot = this.#inputs.verification.whyNotRun(frame);
    if (whyNot !== undefined) {
      this.totals.notComparable[whyNot]++;
      return;
    }
    const sinceStartNs = hasTime && this.#firstNs !== undefined ? this.#nowNs - this.#firstNs : undefined;
    this.#slice.push({ packet, frame, timeNs: this.#nowNs, sinceStartNs });
  }

  async #checkSlice(): Promise<void> {
    while (this.#slice.length > 0 && !this.#isEnough) {
      const difference = this.#inputs.verification.check(this.#slice);
      const done = difference === undefined ? this.#slice.length : difference.index + 1;
      this.totals.packets += done;
      for (const { frame } of this.#slice.slice(0, done)) this.totals.bytes += frame.length;
      if (difference !== undefined) {
        const { packet, sinceStartNs } = this.#slice[difference.index]!;
        this.findings.push({ when: "packet", difference, packet, sinceStartNs });
      }
      this.#slice = this.#slice.slice(done);
    }
    this.#inputs.onProgress(this.totals.packets);
    // Signals are only delivered when the event loop turns.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
