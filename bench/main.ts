/**
 * Runs benchmark suites and prints medians with their spread:
 *
 *   npm run bench                      every suite
 *   npm run bench -- ring replay       some of them
 *   npm run bench -- --seconds 0.1     briefly, to see that they still run
 *   npm run bench -- --json            for scripts
 *
 * Numbers of shared machines are noisy: compare what one run measured, in turn, and quote ratios.
 */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { Bench } from "tinybench";
import { captureSuite } from "./capture.bench.ts";
import { interpreterSuite } from "./interpreter.bench.ts";
import { objectSuite } from "./object.bench.ts";
import { planSuite } from "./plan.bench.ts";
import { replaySuite } from "./replay.bench.ts";
import { ringSuite } from "./ring.bench.ts";
import type { BenchTask, Suite } from "./suite.ts";

const SUITES: { readonly [name: string]: () => Suite | Promise<Suite> } = {
  capture: captureSuite,
  interpreter: interpreterSuite,
  object: objectSuite,
  plan: planSuite,
  replay: replaySuite,
  ring: ringSuite,
};

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
if (!(seconds > 0)) refuse(`--seconds ${values.seconds}, expected a number above 0`);

const rows: Row[] = [];
if (!values.json) {
  const cpu = cpus()[0]?.model ?? "unknown CPU";
  console.log(`Node ${process.version}, ${cpu}, ${cpus().length} CPUs, ${seconds} s a task\n`);
}
for (const [name, open] of Object.entries(SUITES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const suite = await open();
  try {
    await measure(name, suite);
  } finally {
    suite.close?.();
  }
}
if (values.json) console.log(JSON.stringify(rows, undefined, 2));

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { seconds: { type: "string", default: "2" }, json: { type: "boolean", default: false } },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(why: string): never {
  const usage = `usage: npm run bench -- [SUITE...] [--seconds N] [--json]; suites: ${Object.keys(SUITES).join(", ")}`;
  console.error(`${why}\n${usage}`);
  process.exit(2);
}

async function measure(name: string, suite: Suite): Promise<void> {
  if (!values.json) console.log(`${suite.name} (${suite.goal})`);
  for (const task of suite.tasks) {
    const bench = new Bench({ time: seconds * 1000, iterations: 5, warmupTime: seconds * 250, throws: true });
    bench.add(task.name, task.run);
    const [done] = await bench.run();
    const result = done?.result;
    if (result === undefined || !("latency" in result)) throw new Error(`${task.name} was not measured`);
    const { p50, min, mad, samplesCount } = result.latency;
    const row = {
      suite: name,
      task: task.name,
      runs: samplesCount,
      medianMs: p50,
      minMs: min,
      deviationMs: mad,
      perUnit: perUnit(task, p50),
    };
    rows.push(row);
    if (!values.json) console.log(formatRow(row));
  }
  if (!values.json) console.log();
}

function formatRow({ task, runs, medianMs, minMs, deviationMs, perUnit }: Row): string {
  const median = `${formatTime(medianMs)} ± ${formatTime(deviationMs)}`;
  return `  ${task.padEnd(44)} ${median.padStart(22)}  min ${formatTime(minMs).padStart(8)}  ${String(runs).padStart(6)} runs  ${perUnit}`;
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
