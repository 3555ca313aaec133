/** `lamna replay`: what the program makes of a capture, under a config. */
import { statSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { CaptureError } from "../../dataplane/capture/capture-error.ts";
import { type CaptureReader, openCapture } from "../../dataplane/capture/capture-reader.ts";
import { PcapngWriter } from "../../dataplane/capture/pcapng-writer.ts";
import { WholeFile } from "../../dataplane/capture/whole-file.ts";
import type { Config } from "../model/config.ts";
import { readConfig } from "../model/config-file.ts";
import { DEFAULT_MTU } from "../model/limits.ts";
import { formatMac } from "../model/mac.ts";
import { type ReplayReport, replayReportSchema } from "../model/replay-report.ts";
import { readCounters } from "../plan/counters.ts";
import { EXIT_CODES, UsageError } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import type { ProgrammedDataplane } from "./programmed-dataplane.ts";
import { programmingFailure } from "./programming-failure.ts";
import { Comparison, type ComparisonResult, isAsExpected } from "./replay-comparison.ts";
import { REPLAY_GATEWAY_MAC, replayConfig } from "./replay-config.ts";
import { describeComparison } from "./replay-difference.ts";
import { describeFaults } from "./replay-faults.ts";
import { openProgrammedKernel } from "./replay-kernel.ts";
import { Progress } from "./replay-progress.ts";
import { buildReport } from "./replay-report.ts";
import { ReplayRun } from "./replay-run.ts";
import { openProgrammedSimulator } from "./replay-simulator.ts";
import { describeRun } from "./replay-summary.ts";
import { type TextStyle, textStyleOf } from "./replay-text.ts";
import { readShippedObject } from "./shipped-object.ts";

/** Those to come are known by name, so that whoever has heard of them is told so. */
const ENGINES = ["jit", "interpreter", "kernel"] as const;
type Engine = (typeof ENGINES)[number];

export interface ReplayOptions {
  readonly config: string;
  readonly in: string;
  readonly out?: string;
  readonly engine: Engine;
  readonly queues: number;
  readonly expect?: string;
  readonly json?: true;
}

/** RSS spreads over at most as many queues as its indirection table has entries. */
const QUEUES_MAX = 128;

const DETAILS = `
The capture is pcap or pcapng, of any byte order, with microseconds or nanoseconds, gzip-compressed or not; "-" reads
standard input. Its packets run in its order, and its timestamps are the program's time. With several queues each packet
goes to the queue that RSS chooses, and each queue is a CPU with flow tables of its own.

--engine kernel runs each packet through this machine's kernel, on one CPU and attached to no interface; time is the capture's there too. It takes
root or the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and libbpf. Frames under 14 bytes and frames longer than a page holds
are none for the kernel: they are counted as not comparable, and --out has them as they came in, without a verdict. lamna verify compares both
engines packet by packet.

The capture that --out writes has every packet as it left the program, also dropped and passed ones, with the program's verdict
(epb_verdict) and the packet's number from 0 (epb_packetid). It appears when the replay is complete.

Where the config leaves gatewayMac and mtu to the NIC, forwarded packets go to ${formatMac(REPLAY_GATEWAY_MAC)}, a placeholder, and the mtu is ${DEFAULT_MTU}.

--expect compares the number of packets, their bytes and, where the file has them, verdicts; a file written by --out is one.
`;

export function replayCommand(): Command {
  return new Command("replay")
    .description("run the packets of a capture through the program, and report what became of them")
    .requiredOption("--config <file>", 'config file in YAML; "-" reads standard input')
    .requiredOption("--in <capture>", 'capture to replay; "-" reads standard input')
    .option("--out <file>", "write the packets as they left the program, in pcapng")
    .option("--engine <name>", "what runs the program: interpreter or kernel", parseEngine, "interpreter")
    .option("--queues <n>", "receive queues, each a CPU", parseQueues, 1)
    .option("--expect <capture>", "compare with a capture, and exit with 1 when something differs")
    .option("--json", "print one JSON object (schemas/replay-report.schema.json)")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (options: ReplayOptions) => {
      process.exitCode = await replay(options);
    });
}

/** Prints to stdout and stderr, and returns the exit code. Throws what cannot be used as ConfigError, CaptureError or UsageError. */
async function replay(options: ReplayOptions): Promise<number> {
  checkOptions(options);
  const given = readConfig(options.config);
  const config = replayConfig(given);
  const reader = await openCapture(options.in);
  const opened: { close(): Promise<void> }[] = [reader];
  try {
    const comparison = options.expect === undefined ? undefined : await Comparison.open(options.expect);
    if (comparison !== undefined) opened.push(comparison);
    const programmed = await openProgrammed(config, options);
    opened.push(programmed);
    const out = options.out === undefined ? undefined : new WholeFile(options.out);
    const cleanUp = discardOnSignal(out);
    try {
      const isGatewayGiven = given.settings.gatewayMac !== undefined;
      return await replayCapture(options, { config, isGatewayGiven, reader, comparison, programmed, out });
    } finally {
      cleanUp();
      out?.discard();
    }
  } finally {
    for (const handle of opened.reverse()) await handle.close();
  }
}

async function replayCapture(
  options: ReplayOptions,
  inputs: {
    readonly config: Config;
    readonly isGatewayGiven: boolean;
    readonly reader: CaptureReader;
    readonly comparison: Comparison | undefined;
    readonly programmed: ProgrammedDataplane;
    readonly out: WholeFile | undefined;
  },
): Promise<number> {
  const { config, isGatewayGiven, reader, comparison, programmed, out } = inputs;
  const progress = new Progress(process.stderr, performance.now());
  const writer = out === undefined ? undefined : new PcapngWriter((bytes) => out.write(bytes));
  const run = new ReplayRun({
    config,
    reader,
    programmed,
    writer,
    comparison,
    onProgress: (packets) => progress.update({ nowMs: performance.now(), packets, ...reader.progress }),
  });
  let expected: ComparisonResult | undefined;
  let isWritten = false;
  const failure = await captureErrorOf(async () => {
    await run.run();
    writer?.flush();
    out?.commit();
    isWritten = true;
    expected = await comparison?.finish();
  });
  progress.end();
  expected ??= comparison?.result;

  const { totals } = run;
  const report = buildReport(
    config,
    {
      verdicts: totals.verdicts,
      counters: readCounters(programmed.dataplane, programmed.names),
      traffic: totals.tally.traffic,
    },
    {
      engine: options.engine,
      packets: totals.packets,
      notComparable: {
        tooShort: totals.notComparable["too-short"],
        tooLong: totals.notComparable["too-long"],
      },
      simulationNs: totals.simulationMs * 1e6,
    },
  );
  const isFaulty = programmed.nic.counters().xdp_faults > 0;
  print(options, report, {
    summary: (style) =>
      describeRun(
        {
          configName: options.config,
          captureName: reader.name,
          captureFormat: reader.format,
          interfaces: reader.interfaces.length,
          queues: options.queues,
          packets: totals.packets,
          bytes: totals.bytes,
          cutPackets: totals.cutPackets,
          spanNs: spanOf(totals),
          placeholderMac: isGatewayGiven ? undefined : REPLAY_GATEWAY_MAC,
          outName: isWritten ? options.out : undefined,
        },
        report,
        style,
      ),
    problems: (style) => [
      ...(isFaulty ? describeFaults(programmed.nic, style) : []),
      ...(expected === undefined ? [] : ["", ...describeComparison(expected, style)]),
    ],
  });
  if (failure !== undefined) throw failure;
  const isFine = !isFaulty && (expected === undefined || isAsExpected(expected));
  return isFine ? EXIT_CODES.fine : EXIT_CODES.different;
}

/** The report to stdout, or with --json only the object there and what is wrong to stderr. */
function print(
  { json }: ReplayOptions,
  report: ReplayReport,
  text: {
    readonly summary: (style: TextStyle) => readonly string[];
    readonly problems: (style: TextStyle) => readonly string[];
  },
): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(replayReportSchema.parse(report), undefined, 2)}\n`);
    const problems = text.problems(textStyleOf(process.stderr));
    if (problems.length > 0) process.stderr.write(`${problems.join("\n").trimStart()}\n`);
    return;
  }
  const style = textStyleOf(process.stdout);
  process.stdout.write(`${[...text.summary(style), ...text.problems(style)].join("\n")}\n`);
}

/** The CaptureError that `action` ended with, if it did: what ran before is still reported. */
async function captureErrorOf(action: () => Promise<void>): Promise<CaptureError | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (error instanceof CaptureError) return error;
    throw error;
  }
}

function spanOf({ earliestNs, latestNs }: ReplayRun["totals"]): bigint | undefined {
  return earliestNs === undefined || latestNs === undefined ? undefined : latestNs - earliestNs;
}

async function openProgrammed(config: Config, options: ReplayOptions): Promise<ProgrammedDataplane> {
  try {
    if (options.engine === "kernel") return await openProgrammedKernel(config, readShippedObject());
    return await openProgrammedSimulator(config, readShippedObject(), { queues: options.queues });
  } catch (cause) {
    const advice = "lower capacity.flowsPerCpu or --queues";
    throw programmingFailure(cause, { configName: options.config, advice });
  }
}

function checkOptions(options: ReplayOptions): void {
  const { engine, queues, config, in: input, expect, out } = options;
  if (engine === "jit") {
    throw new UsageError("--engine jit is not in this version, expected interpreter or kernel");
  }
  if (engine === "kernel" && queues !== 1) {
    throw new UsageError(`--queues ${queues} with --engine kernel, which runs on one CPU with one queue`);
  }
  if ([config, input, expect].filter((file) => file === "-").length > 1) {
    throw new UsageError('more than one of --config, --in and --expect is "-", which is standard input once');
  }
  if (input === "-" && process.stdin.isTTY) {
    throw new UsageError("--in -: standard input is a terminal, expected a capture");
  }
  if (out === "") throw new UsageError("--out: an empty name, expected a file");
  if (out === "-") throw new UsageError("--out -: standard output has the report, expected a file");
  for (const [name, file] of [
    ["--in", input],
    ["--expect", expect],
    ["--config", config],
  ] as const) {
    if (out !== undefined && file !== undefined && isSameFile(out, file)) {
      throw new UsageError(`--out ${out} is the file of ${name}, expected another`);
    }
  }
}

function isSameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map((file) => statSync(file, { throwIfNoEntry: false }));
  if (first === undefined || second === undefined || !first.isFile()) return false;
  return first.dev === second.dev && first.ino === second.ino;
}

function parseEngine(text: string): Engine {
  const engine = ENGINES.find((name) => name === text);
  if (engine === undefined) throw new InvalidArgumentError("Expected interpreter or kernel.");
  return engine;
}

function parseQueues(text: string): number {
  const queues = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (queues >= 1 && queues <= QUEUES_MAX) return queues;
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${QUEUES_MAX}.`);
}

/** A signal that ends the process takes the half-written file with it. Returns how to stop listening. */
function discardOnSignal(out: WholeFile | undefined): () => void {
  if (out === undefined) return () => {};
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const stop = (): void => {
    for (const signal of signals) process.off(signal, end);
  };
  const end = (signal: NodeJS.Signals): void => {
    out.discard();
    stop();
    process.kill(process.pid, signal); // nobody listens any more: it ends as it would have
  };
  for (const signal of signals) process.on(signal, end);
  return stop;
}
