/**
 * Random and damaged packets on random configurations through the running kernel and the interpreter: no verdict, byte, counter or table
 * entry different, after any packet, also while configurations change between them. As root:
 *
 *   npm run fuzz:kernel -- --count 200000 --seed 7
 *
 * It ends with exit code 1 at the first difference, having written the config, the packets since it was applied and the difference with the
 * interpreter's trace. Everything follows from the seed. A run is a sequence of rounds, each with dataplanes and a seed of its own, which a
 * difference names: that round alone can then be run again with --seed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NotRun, ProgrammedDataplane } from "../../control/cli/programmed-dataplane.ts";
import { openProgrammedKernel } from "../../control/cli/replay-kernel.ts";
import { openReference, Verification } from "../../control/cli/verification.ts";
import { buildVerifyReport } from "../../control/cli/verify-report.ts";
import type { Finding } from "../../control/cli/verify-run.ts";
import { describeVerification } from "../../control/cli/verify-text.ts";
import type { Config } from "../../control/model/config.ts";
import { parseConfig } from "../../control/model/config-file.ts";
import { REASON_NAMES, type ReasonName } from "../../control/model/reasons.ts";
import type { VerifyReport } from "../../control/model/verify-report.ts";
import { readCounters } from "../../control/plan/counters.ts";
import { encodePcapng } from "../../dataplane/capture/capture-contents.ts";
import { balancerObject } from "../model/program.ts";
import { randomConfig } from "../model/random-config.ts";
import { Random } from "../packets/random.ts";
import { fuzzArguments } from "./arguments.ts";
import { FUZZ_START_NS, nextFrame, nextStepNs, type TimedFrame } from "./random-packets.ts";

export interface KernelFuzzOptions {
  readonly seed: number;
  /** Packets in all, those that the kernel does not run not counted. */
  readonly count: number;
  /** In a round. */
  readonly roundPackets?: number;
  /** How often the configuration changes between two packets; most changes take a load, which takes the kernel's verifier a while. */
  readonly changeProbability?: number;
  /** Changes how the kernel's side answers, to see that a difference is found. */
  readonly distort?: (kernel: ProgrammedDataplane) => void;
  readonly onRound?: (progress: { readonly seed: number; readonly packets: number }) => void;
}

export interface KernelFuzzResult {
  readonly rounds: number;
  /** That ran on both. */
  readonly packets: number;
  readonly notComparable: { readonly [why in NotRun]: number };
  /** How often each reason was given. */
  readonly reasons: ReadonlyMap<ReasonName, number>;
  readonly failure: KernelFuzzFailure | undefined;
}

export interface KernelFuzzFailure {
  /** Of the round. */
  readonly seed: number;
  /** Text of the config that was in force. */
  readonly config: string;
  /** The packets of the round since that config was applied, the one that differs last. */
  readonly history: readonly TimedFrame[];
  readonly report: VerifyReport;
}

/** Packets between two comparisons of whole maps. */
const SLICE_PACKETS = 256;

export async function fuzzKernel(options: KernelFuzzOptions): Promise<KernelFuzzResult> {
  const { count, roundPackets = 4000 } = options;
  const reasons = new Map<ReasonName, number>();
  const notComparable = { "too-short": 0, "too-long": 0 };
  let packets = 0;
  let rounds = 0;
  let failure: KernelFuzzFailure | undefined;
  while (packets < count && failure === undefined) {
    const seed = (options.seed + rounds++) >>> 0;
    const round = await Round.open(seed, options);
    try {
      await round.run(Math.min(roundPackets, count - packets));
    } finally {
      await round.close();
    }
    packets += round.packets;
    notComparable["too-short"] += round.notComparable["too-short"];
    notComparable["too-long"] += round.notComparable["too-long"];
    for (const [reason, times] of round.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + times);
    failure = round.failure;
    options.onRound?.({ seed, packets });
  }
  return { rounds, packets, notComparable, reasons, failure };
}

class Round {
  packets = 0;
  readonly notComparable = { "too-short": 0, "too-long": 0 };
  readonly reasons = new Map<ReasonName, number>();
  failure: KernelFuzzFailure | undefined;
  readonly #seed: number;
  readonly #random: Random;
  readonly #flowsPerCpu: number;
  readonly #changeProbability: number;
  readonly #engines: { readonly kernel: ProgrammedDataplane; readonly reference: ProgrammedDataplane };
  readonly #verification: Verification;
  #text: string;
  #config: Config;
  #history: TimedFrame[] = [];
  /** Of the history, what has not been checked: its last ones, but for those that do not run. */
  #slice: (TimedFrame & { readonly historyLength: number })[] = [];

  private constructor(
    start: { seed: number; random: Random; flowsPerCpu: number; text: string; changeProbability: number },
    engines: { kernel: ProgrammedDataplane; reference: ProgrammedDataplane },
    verification: Verification,
  ) {
    this.#seed = start.seed;
    this.#random = start.random;
    this.#flowsPerCpu = start.flowsPerCpu;
    this.#changeProbability = start.changeProbability;
    this.#text = start.text;
    this.#config = parse(start.text);
    this.#engines = engines;
    this.#verification = verification;
  }

  static async open(
    seed: number,
    { changeProbability = 0.001, distort }: Pick<KernelFuzzOptions, "changeProbability" | "distort">,
  ): Promise<Round> {
    const random = new Random(seed);
    // Tables that are full all the time, some of the time, and never.
    const flowsPerCpu = random.pick([1, 8, 64, 16384, 16384]);
    const text = randomConfig(random, flowsPerCpu);
    const kernel = await openProgrammedKernel(parse(text), balancerObject());
    try {
      distort?.(kernel);
      const { cpuCount } = kernel.dataplane;
      const reference = await openReference(parse(text), balancerObject(), { queue: kernel.cpu, cpuCount });
      const verification = new Verification(reference, [kernel], balancerObject());
      const start = { seed, random, flowsPerCpu, text, changeProbability };
      return new Round(start, { kernel, reference: reference.programmed }, verification);
    } catch (error) {
      await kernel.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#engines.reference.close();
    await this.#engines.kernel.close();
  }

  /** Until so many packets have run on both, or one of them differs. */
  async run(count: number): Promise<void> {
    this.#checkMaps("before");
    let timeNs = FUZZ_START_NS;
    while (this.failure === undefined && this.packets + this.#slice.length < count) {
      if (this.#random.chance(this.#changeProbability)) await this.#change();
      timeNs += nextStepNs(this.#random);
      const frame = nextFrame(this.#random, { vips: this.#config.vips, history: this.#history });
      this.#history.push({ frame, timeNs });
      const whyNot = this.#verification.whyNotRun(frame);
      if (whyNot !== undefined) this.notComparable[whyNot]++;
      else this.#slice.push({ frame, timeNs, historyLength: this.#history.length });
      if (this.#slice.length === SLICE_PACKETS) this.#checkSlice();
    }
    this.#checkSlice();
    this.#checkMaps("after");
    const counted = readCounters(this.#engines.kernel.dataplane, this.#engines.kernel.names).reasons;
    for (const name of REASON_NAMES) if (counted[name] > 0n) this.reasons.set(name, Number(counted[name]));
  }

  async #change(): Promise<void> {
    this.#checkSlice();
    if (this.failure !== undefined) return;
    this.#text = randomConfig(this.#random, this.#flowsPerCpu);
    this.#config = parse(this.#text);
    this.#history = [];
    await this.#verification.apply(this.#config);
    this.#checkMaps("before");
  }

  #checkSlice(): void {
    if (this.failure !== undefined) return;
    const difference = this.#verification.check(this.#slice);
    this.packets += difference === undefined ? this.#slice.length : difference.index + 1;
    if (difference !== undefined) {
      const { historyLength } = this.#slice[difference.index]!;
      const history = this.#history.slice(0, historyLength);
      this.#fail(history, { when: "packet", difference, packet: historyLength - 1, sinceStartNs: undefined });
    }
    this.#slice = [];
  }

  #checkMaps(when: "before" | "after"): void {
    if (this.failure !== undefined) return;
    const difference = this.#verification.compareAllMaps();
    if (difference !== undefined) this.#fail(this.#history, { when, difference });
  }

  #fail(history: readonly TimedFrame[], finding: Finding): void {
    const { names, dataplane } = this.#engines.reference;
    const report = buildVerifyReport(
      {
        totals: { packets: this.packets, bytes: 0, notComparable: this.notComparable },
        findings: [finding],
        isComplete: false,
      },
      {
        engines: ["interpreter", "kernel"],
        naming: {
          names,
          cpuCount: dataplane.cpuCount,
          entriesOf: (map) => dataplane.map(map).maxEntries,
        },
      },
    );
    this.failure = { seed: this.#seed, config: this.#text, history, report };
  }
}

function parse(text: string): Config {
  return parseConfig(text, { file: "random.yaml" });
}

/** What a person needs: the words, the config, and a capture of the packets since it was applied. Returns the words. */
export function writeKernelFailure(failure: KernelFuzzFailure, folder: string): string {
  mkdirSync(folder, { recursive: true });
  const { seed, config, history, report } = failure;
  writeFileSync(join(folder, "config.yaml"), config);
  const packets = history.map(({ frame, timeNs }) => ({ bytes: frame, timeNs }));
  writeFileSync(join(folder, "history.pcapng"), encodePcapng({ packets }));
  const facts = {
    configName: "config.yaml",
    captureName: "history.pcapng",
    captureFormat: "pcapng",
    bytes: history.reduce((sum, { frame }) => sum + frame.length, 0),
  };
  const style = { width: 160, hasUnicode: false, paint: (_style: string, text: string) => text };
  const text = [`round of seed ${seed}`, ...describeVerification(facts, report, style)].join("\n");
  writeFileSync(join(folder, "difference.txt"), `${text}\n`);
  return text;
}

async function main(): Promise<void> {
  const { seed, counts, out } = fuzzArguments(["count", "round"], "kernel-fuzz-failure");
  console.log(`seed ${seed}`);
  let reportedMs = Date.now();
  const result = await fuzzKernel({
    seed,
    count: counts.count ?? 20_000,
    ...(counts.round === undefined ? {} : { roundPackets: counts.round }),
    onRound: ({ packets }) => {
      if (Date.now() - reportedMs < 10_000) return;
      reportedMs = Date.now();
      console.log(`${packets} packets`);
    },
  });
  const { "too-short": tooShort, "too-long": tooLong } = result.notComparable;
  console.log(`${result.rounds} rounds, ${result.packets} packets through interpreter and kernel`);
  console.log(`${tooShort + tooLong} more not comparable: ${tooShort} too short, ${tooLong} too long`);
  for (const [reason, count] of [...result.reasons].sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(10)}  ${reason}`);
  }
  if (result.failure === undefined) {
    console.log("no difference in verdict, bytes, counters or tables after any of them");
    return;
  }
  console.log(writeKernelFailure(result.failure, out));
  console.log(`config and packets are in ${out}/`);
  process.exitCode = 1;
}

if (process.argv[1] === import.meta.filename) await main();
