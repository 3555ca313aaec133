/**
 * Runs benchmark suites and prints medians with their spread:
 *
 *   npm run bench                      every suite
 *   npm run bench -- ring replay       some of them
 *   npm run bench -- --seconds 0.1     briefly, to see that they still run
 *   npm run bench -- --json            for scripts
 *   npm run bench -- veth --object o   another XDP object beside ours
 *
 * Numbers of shared machines are noisy: compare what one run measured, in turn, and quote ratios.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { attachSuite } from "./attach.bench.ts";
import { captureSuite } from "./capture.bench.ts";
import { interpreterSuite } from "./interpreter.bench.ts";
import { kernelSuite } from "./kernel.bench.ts";
import { objectSuite } from "./object.bench.ts";
import { planSuite } from "./plan.bench.ts";
import { replaySuite } from "./replay.bench.ts";
import { ringSuite } from "./ring.bench.ts";
import {
  type BenchTask,
  type ForeignObject,
  type Suite,
  type SuiteOptions,
  SuiteUnavailable,
} from "./suite.ts";
import { vethSuite } from "./veth.bench.ts";

const SUITES: { readonly [name: string]: (options: SuiteOptions) => Suite | Promise<Suite> } = {
  attach: attachSuite,
  capture: captureSuite,
  interpreter: interpreterSuite,
  kernel: kernelSuite,
  object: objectSuite,
  plan: planSuite,
  replay: replaySuite,
  ring: ringSuite,
  veth: vethSuite,
};

/** Rounds in which each task of a suite has a turn. */
const ROUNDS = 5;

interface Row {
  readonly suite: string;
  readonly task: string;
  readonly runs: number;
  /** Of one call, in milliseconds. */
  readonly medianMs: number;
  readonly minMs: number;
  /** Half of the runs lie within this of the median. */
  readonly deviationMs: number;
  readonly perUnit: string;
}

const { values, positionals } = readArguments();
const seconds = Number(values.seconds);
const unknown = positionals.filter((name) => !(name in SUITES));
if (unknown.length > 0) refuse(`no suite "${unknown.join('", "')}"`);
const object: ForeignObject | undefined =
  values.object === undefined ? undefined : { file: values.object, program: values.program };
if (!(seconds > 0)) refuse(`--seconds ${values.seconds}, expected a number above 0`);

const rows: Row[] = [];
if (!values.json) {
  const cpu = cpus()[0]?.model ?? "unknown CPU";
  console.log(`Node ${process.version}, ${cpu}, ${cpus().length} CPUs, ${seconds} s a task\n`);
}
for (const [name, open] of Object.entries(SUITES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  await runSuite(name, open);
}
if (values.json) console.log(JSON.stringify(rows, undefined, 2));

async function runSuite(
  name: string,
  open: (options: SuiteOptions) => Suite | Promise<Suite>,
): Promise<void> {
  let suite: Suite;
  try {
    suite = await open({ object });
  } catch (error) {
    if (!(error instanceof SuiteUnavailable)) throw error;
    console.error(`skipped: ${name}: ${error.message}\n`);
    // Nobody would notice it there.
    if (!["", "0", "false"].includes(process.env.CI ?? "")) process.exitCode = 1;
    return;
  }
  try {
    await measure(name, suite);
  } finally {
    await suite.close?.();
  }
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        seconds: { type: "string", default: "2" },
        json: { type: "boolean", default: false },
        object: { type: "string" },
        program: { type: "string" },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(why: string): never {
  const usage = `usage: npm run bench -- [SUITE...] [--seconds N] [--json] [--object FILE [--program NAME]]; suites: ${Object.keys(SUITES).join(", ")}`;
  console.error(`${why}\n${usage}`);
  process.exit(2);
}

async function measure(name: string, suite: Suite): Promise<void> {
  if (!values.json) console.log(`${suite.name} (${suite.goal})`);
  const samples: (readonly number[])[] = suite.tasks.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, task] of suite.tasks.entries()) {
      samples[index] = [...samples[index]!, ...(await turn(task, round === 0))];
    }
  }
  for (const [index, task] of suite.tasks.entries()) {
    rows.push(rowOf(name, task, samples[index]!));
  }
  const measured = rows.slice(-suite.tasks.length);
  const baseline = measured.find(({ task }) => task === suite.baseline);
  if (!values.json) for (const row of measured) console.log(formatRow(row, baseline));
  if (!values.json) console.log();
}

/** Latencies of one turn's runs, in milliseconds. */
async function turn(task: BenchTask, isFirst: boolean): Promise<readonly number[]> {
  const { name, run, beforeTurn, afterTurn, afterEach } = task;
  const bench = new Bench({
    time: (seconds * 1000) / ROUNDS,
    iterations: 1,
    warmup: isFirst,
    warmupTime: seconds * 250,
    warmupIterations: 1,
    retainSamples: true,
    throws: true,
  });
  bench.add(name, run, afterEach && { afterEach });
  await beforeTurn?.();
  const [done] = await bench.run();
  await afterTurn?.();
  const result = done?.result;
  if (result === undefined || !("latency" in result) || result.latency.samples === undefined) {
    throw new Error(`${name} was not measured`);
  }
  return result.latency.samples;
}

function rowOf(suite: string, task: BenchTask, samples: readonly number[]): Row {
  const medianMs = median(samples);
  return {
    suite,
    task: task.name,
    runs: samples.length,
    medianMs,
    minMs: samples.reduce((least, sample) => Math.min(least, sample), Infinity),
    deviationMs: median(samples.map((sample) => Math.abs(sample - medianMs))),
    perUnit: perUnit(task, medianMs),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

function formatRow(
  { task, runs, medianMs, minMs, deviationMs, perUnit }: Row,
  baseline: Row | undefined,
): string {
  const median = `${formatTime(medianMs)} ± ${formatTime(deviationMs)}`;
  const ratio = baseline === undefined ? "" : `, ${(medianMs / baseline.medianMs).toFixed(3)} times`;
  return `  ${task.padEnd(44)} ${median.padStart(22)}  min ${formatTime(minMs).padStart(8)}  ${String(runs).padStart(6)} runs  ${perUnit}${ratio}`;
}

function formatTime(ms: number): string {
  if (ms >= 1) return `${ms.toPrecision(3)} ms`;
  return ms >= 0.001 ? `${(ms * 1000).toPrecision(3)} µs` : `${(ms * 1e6).toPrecision(3)} ns`;
}

function perUnit({ amount }: BenchTask, medianMs: number): string {
  if (amount === undefined) return "";
  const { count, unit } = amount;
  if (unit === "byte") return `${(count / medianMs / 1e6).toFixed(2)} GB/s`;
  const rate = Math.round((count / medianMs) * 1000).toLocaleString("en");
  return `${formatTime(medianMs / count)} per ${unit}, ${rate} ${unit}s/s`;
}
