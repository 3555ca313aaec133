/**
 * The run itself: packets from the capture, one after another and in its order, through the program, and what became of each to
 * whoever wants it: the output file, the comparison, the tallies. Time is the capture's.
 */
import type { CaptureReader } from "../../dataplane/capture/capture-reader.ts";
import { FLAG_HAS_TIMESTAMP, type PacketBatch } from "../../dataplane/capture/packet-batch.ts";
import type { PacketToWrite, PcapngWriter } from "../../dataplane/capture/pcapng-writer.ts";
import { type TimestampClock, timestampClock } from "../../dataplane/capture/timestamp.ts";
import type { Config } from "../model/config.ts";
import type { VerdictName } from "../model/reasons.ts";
import type { FrameResult, NotRun, ProgrammedDataplane } from "./programmed-dataplane.ts";
import type { Comparison } from "./replay-comparison.ts";
import { TrafficTally } from "./replay-traffic.ts";
import { verdictName } from "./replay-verdict.ts";

/** Packets between two looks at anything else. */
const SLICE_PACKETS = 256;
/** Signals are only delivered when the event loop turns. */
const YIELD_EVERY_MS = 50;
const UINT32_MAX = 0xffff_ffff;

/** What has been run. */
export interface RunTotals {
  /** Those that ran. */
  packets: number;
  bytes: number;
  /** Those that the engine does not run. */
  readonly notComparable: { [why in NotRun]: number };
  cutPackets: number;
  readonly verdicts: { [verdict in VerdictName]: number };
  firstNs: bigint | undefined;
  earliestNs: bigint | undefined;
  latestNs: bigint | undefined;
  /** Wall-clock time in the dataplane: copying the frame in, choosing the queue, and the program. */
  simulationMs: number;
  readonly tally: TrafficTally;
}

export interface RunInputs {
  readonly config: Config;
  readonly reader: CaptureReader;
  readonly programmed: ProgrammedDataplane;
  readonly writer: PcapngWriter | undefined;
  readonly comparison: Comparison | undefined;
  /** Called every few milliseconds. */
  readonly onProgress: (packets: number) => void;
}

type HandedResult = Pick<FrameResult, "frame"> & { readonly code: number | undefined };

export class ReplayRun {
  /** As far as the run has come. */
  readonly totals: RunTotals;
  readonly #inputs: RunInputs;
  /** Of the reader's interfaces, as they become known. */
  readonly #clocks: TimestampClock[] = [];
  readonly #packet: PacketToWrite = {
    interfaceIndex: 0,
    timestampHi: 0,
    timestampLo: 0,
    bytes: new Uint8Array(0),
    offset: 0,
    capturedBytes: 0,
    originalBytes: 0,
    id: 0,
    verdict: 0,
  };
  /** Packets of the capture so far, run or not. */
  #handed = 0;
  #nowNs = 0n;
  #yieldedMs: number = performance.now();

  constructor(inputs: RunInputs) {
    this.#inputs = inputs;
    const { config, programmed } = inputs;
    this.totals = {
      packets: 0,
      bytes: 0,
      notComparable: { "too-short": 0, "too-long": 0 },
      cutPackets: 0,
      verdicts: { pass: 0, drop: 0, tx: 0, redirect: 0, aborted: 0 },
      firstNs: undefined,
      earliestNs: undefined,
      latestNs: undefined,
      simulationMs: 0,
      tally: new TrafficTally(config, programmed.names, programmed.dataplane),
    };
  }

  /** To the capture's end. Throws CaptureError, for the capture or for what is expected; `totals` then say what had run. */
  async run(): Promise<void> {
    const { reader, comparison } = this.#inputs;
    for (let batch = await reader.nextBatch(); batch !== undefined; batch = await reader.nextBatch()) {
      this.#noteInterfaces();
      for (let next = 0; next < batch.count; ) {
        const comparable = (await comparison?.prepare()) ?? SLICE_PACKETS;
        const end = Math.min(batch.count, next + Math.min(comparable, SLICE_PACKETS));
        this.#runSlice(batch, next, end);
        next = end;
        await this.#giveWay();
      }
    }
    this.#noteInterfaces();
  }

  #noteInterfaces(): void {
    const { reader, writer } = this.#inputs;
    for (const on of reader.interfaces.slice(this.#clocks.length)) {
      this.#clocks.push(timestampClock(on));
      writer?.addInterface(on);
    }
  }

  #runSlice(batch: PacketBatch, start: number, end: number): void {
    const counters = this.#inputs.programmed.dataplane.map("vip_counters");
    // The counters are mapped for a slice at a time: mapping costs more than a look at one.
    counters.withView(0, counters.maxEntries, (bytes) => {
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      for (let i = start; i < end; i++) this.#runPacket(batch, i, words);
    });
  }

  #runPacket(batch: PacketBatch, i: number, vipCounters: Uint32Array): void {
    const { totals } = this;
    const { programmed } = this.#inputs;
    const frame = batch.packet(i);
    this.#setTime(batch, i);
    const whyNot = programmed.whyNotRun(frame);
    if (whyNot !== undefined) {
      totals.notComparable[whyNot]++;
      this.#hand(batch, i, { frame, code: undefined });
      return;
    }

    const startMs = performance.now();
    const outcome = programmed.process(frame, this.#nowNs);
    totals.simulationMs += performance.now() - startMs;

    const verdict = verdictName(outcome.code);
    totals.verdicts[verdict]++;
    if (verdict === "tx") totals.tally.note(vipCounters, outcome, frame.length);
    this.#hand(batch, i, outcome);
    totals.packets++;
    totals.bytes += frame.length;
    if (batch.originalBytes[i]! > frame.length) totals.cutPackets++;
  }

  /** A packet without a time (a Simple Packet Block has none) runs at that of the one before it. */
  #setTime(batch: PacketBatch, i: number): void {
    if ((batch.flags[i]! & FLAG_HAS_TIMESTAMP) === 0) return;
    const ns = this.#clocks[batch.interfaceIndexes[i]!]!(batch.timestampsHi[i]!, batch.timestampsLo[i]!);
    const { totals } = this;
    totals.firstNs ??= ns;
    if (totals.earliestNs === undefined || ns < totals.earliestNs) totals.earliestNs = ns;
    if (totals.latestNs === undefined || ns > totals.latestNs) totals.latestNs = ns;
    this.#nowNs = ns < 0n ? 0n : ns; // no clock of the kernel is negative
  }

  /** A packet that did not run has no code: it is written as it came in, without a verdict, and compared with nothing. */
  #hand(batch: PacketBatch, i: number, result: HandedResult): void {
    const { writer, comparison } = this.#inputs;
    const number = this.#handed++;
    if (writer === undefined && comparison === undefined) return;
    const { totals } = this;
    const { frame, code } = result;
    if (writer !== undefined) {
      const packet = this.#packet;
      packet.interfaceIndex = batch.interfaceIndexes[i]!;
      packet.timestampHi = batch.timestampsHi[i]!;
      packet.timestampLo = batch.timestampsLo[i]!;
      packet.bytes = frame;
      packet.capturedBytes = frame.length;
      const grownBytes = batch.originalBytes[i]! + frame.length - batch.capturedBytes[i]!;
      packet.originalBytes = Math.min(grownBytes, UINT32_MAX);
      packet.id = number;
      packet.verdict = code;
      writer.write(packet);
    }
    if (code === undefined) {
      comparison?.skip();
      return;
    }
    const hasTime = (batch.flags[i]! & FLAG_HAS_TIMESTAMP) !== 0;
    comparison?.compare({
      number,
      sinceStartNs: hasTime && totals.firstNs !== undefined ? this.#nowNs - totals.firstNs : undefined,
      bytes: frame,
      offset: 0,
      sizeBytes: frame.length,
      verdict: code,
    });
  }

  async #giveWay(): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#yieldedMs < YIELD_EVERY_MS) return;
    this.#inputs.onProgress(this.#handed);
    await new Promise((resolve) => setImmediate(resolve));
    this.#yieldedMs = performance.now();
  }
}
