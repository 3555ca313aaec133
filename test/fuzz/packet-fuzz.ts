/**
 * Random packets on random configurations, and damaged ones, against the model: no fault, no hang, no byte or reason different.
 *
 * As a command it runs for as long as it is told to, and ends with exit code 1 and a small capture at the first difference:
 *
 *   npm run fuzz:packets -- --seconds 3600 --seed 7
 *
 * Everything follows from the seed. A run is a sequence of rounds, each with a dataplane and a seed of its own, which a difference names: that
 * round alone can then be run again with --seed and --rounds 1.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../../control/model/config.ts";
import { parseConfig } from "../../control/model/config-file.ts";
import type { ReasonName } from "../../control/model/reasons.ts";
import { encodePcapng } from "../../dataplane/capture/capture-contents.ts";
import { Comparison, formatStep, type Step } from "../model/comparison.ts";
import { Model } from "../model/model.ts";
import { Program } from "../model/program.ts";
import { randomConfig } from "../model/random-config.ts";
import { Random } from "../packets/random.ts";
import { fuzzArguments } from "./arguments.ts";
import { minimize } from "./minimize.ts";
import { FUZZ_START_NS, nextFrame, nextStepNs, type TimedFrame } from "./random-packets.ts";

export interface FuzzOptions {
  readonly seed: number;
  /** The run ends after whichever comes first. */
  readonly seconds?: number;
  readonly rounds?: number;
  /** In a round. */
  readonly packets?: number;
  /** How often the configuration changes between two packets. */
  readonly changeProbability?: number;
  /** Changes what the program answers, to see that a difference is found. */
  readonly distort?: (frame: Uint8Array) => Uint8Array;
  readonly onRound?: (progress: {
    readonly seed: number;
    readonly packets: number;
    readonly losses: number;
  }) => void;
}

export interface FuzzResult {
  readonly rounds: number;
  readonly packets: number;
  /** Packets that were only right for a program that had forgotten a flow or datagram. */
  readonly losses: number;
  /** How often each reason was given. */
  readonly reasons: ReadonlyMap<ReasonName, number>;
  readonly failure: FuzzFailure | undefined;
}

export interface FuzzFailure extends Step {
  /** Of the round. */
  readonly seed: number;
  readonly cpuCount: number;
  readonly distort: NonNullable<FuzzOptions["distort"]>;
  /** Text of the config that was in force. */
  readonly config: string;
  /** The packets of the round since that config was applied, this one last. */
  readonly history: readonly TimedFrame[];
}

export async function fuzzPackets(options: FuzzOptions): Promise<FuzzResult> {
  const endMs = Date.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const roundsMax = options.rounds ?? Number.POSITIVE_INFINITY;
  const reasons = new Map<ReasonName, number>();
  let packets = 0;
  let losses = 0;
  for (let rounds = 0; ; rounds++) {
    if (rounds === roundsMax || Date.now() >= endMs) {
      return { rounds, packets, losses, reasons, failure: undefined };
    }
    const seed = (options.seed + rounds) >>> 0;
    const round = await fuzzRound(seed, options, reasons);
    packets += round.packets;
    losses += round.losses;
    const { failure } = round;
    if (failure !== undefined) return { rounds: rounds + 1, packets, losses, reasons, failure };
    options.onRound?.({ seed, packets, losses });
  }
}

interface Round {
  readonly packets: number;
  readonly losses: number;
  readonly failure: FuzzFailure | undefined;
}

async function fuzzRound(
  seed: number,
  { packets = 4000, changeProbability = 0.003, distort = (frame) => frame }: FuzzOptions,
  reasons: Map<ReasonName, number>,
): Promise<Round> {
  const random = new Random(seed);
  // Tables that are full all the time, some of the time, and never.
  const flowsPerCpu = random.pick([1, 8, 64, 16384, 16384]);
  let text = randomConfig(random, flowsPerCpu);
  const cpuCount = random.pick([1, 1, 3]);
  const program = await Program.open(parse(text), { cpuCount });
  const model = new Model(parse(text));
  const comparison = comparisonOf(model, program, distort);
  let history: TimedFrame[] = [];
  let timeNs = FUZZ_START_NS;
  for (let packet = 0; packet < packets; packet++) {
    if (random.chance(changeProbability)) {
      text = randomConfig(random, flowsPerCpu);
      const config = parse(text);
      await program.apply(config);
      model.apply(config);
      history = [];
    }
    timeNs += nextStepNs(random);
    const frame = nextFrame(random, { vips: model.config.vips, history });
    history.push({ frame, timeNs });
    const step = comparison.step(frame, timeNs);
    for (const reason of step.got.reasons) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (step.isRight) continue;
    const failure = { ...step, seed, cpuCount, distort, config: text, history };
    return { packets: comparison.packets, losses: comparison.losses, failure };
  }
  await program.close();
  return { packets: comparison.packets, losses: comparison.losses, failure: undefined };
}

function comparisonOf(model: Model, program: Program, distort: FuzzFailure["distort"]): Comparison {
  return new Comparison(model, {
    run(frame, timeNs) {
      const answer = program.run(frame, timeNs);
      return { ...answer, frame: distort(answer.frame) };
    },
  });
}

function parse(text: string): Config {
  return parseConfig(text, { file: "random.yaml" });
}

/**
 * What a person needs: the words, the config, and a capture of the fewest packets that show the difference (minimal.pcapng), or, when it
 * takes flows from before the config was applied, of all since then (history.pcapng).
 */
export async function writeFailure(failure: FuzzFailure, folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  const minimal = await minimize(failure.history, async (history) => {
    const program = await Program.open(parse(failure.config), { cpuCount: failure.cpuCount });
    const comparison = comparisonOf(new Model(parse(failure.config)), program, failure.distort);
    const steps = history.map(({ frame, timeNs }) => comparison.step(frame, timeNs));
    await program.close();
    return steps.findIndex(({ isRight }) => !isRight) === history.length - 1;
  });
  const packets = (minimal ?? failure.history).map(({ frame, timeNs }) => ({ bytes: frame, timeNs }));
  const name = minimal === undefined ? "history.pcapng" : "minimal.pcapng";
  writeFileSync(join(folder, "config.yaml"), failure.config);
  writeFileSync(join(folder, name), encodePcapng({ packets }));
  const text = `round of seed ${failure.seed}, ${formatStep(failure)}`;
  writeFileSync(join(folder, "difference.txt"), `${text}\n`);
  return text;
}

async function main(): Promise<void> {
  const { seed, seconds, counts, out } = fuzzArguments(["rounds", "packets"], "packet-fuzz-failure");
  console.log(`seed ${seed}`);
  let reportedMs = Date.now();
  const result = await fuzzPackets({
    seed,
    seconds,
    ...counts,
    onRound: ({ packets, losses }) => {
      if (Date.now() - reportedMs < 10_000) return;
      reportedMs = Date.now();
      console.log(`${packets} packets, ${losses} of them forgotten`);
    },
  });
  console.log(`${result.rounds} rounds, ${result.packets} packets, ${result.losses} of them forgotten`);
  for (const [reason, count] of [...result.reasons].sort(([, a], [, b]) => b - a)) {
    console.log(`${String(count).padStart(10)}  ${reason}`);
  }
  if (result.failure === undefined) return;
  console.log(await writeFailure(result.failure, out));
  console.log(`config and captures are in ${out}/`);
  process.exitCode = 1;
}

if (process.argv[1] === import.meta.filename) await main();
