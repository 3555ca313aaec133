/** `lamna verify`: whether engines make the same of a capture. What is compared is in verification.ts. */
import { Command, InvalidArgumentError, Option } from "commander";
import { CaptureError } from "../../dataplane/capture/capture-error.ts";
import { type CaptureReader, openCapture } from "../../dataplane/capture/capture-reader.ts";
import type { Config } from "../model/config.ts";
import { readConfig } from "../model/config-file.ts";
import { type VerifyReport, verifyReportSchema } from "../model/verify-report.ts";
import { EXIT_CODES, UsageError } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import { programmingFailure } from "./programming-failure.ts";
import { replayConfig } from "./replay-config.ts";
import { openProgrammedKernel } from "./replay-kernel.ts";
import { Progress } from "./replay-progress.ts";
import { textStyleOf } from "./replay-text.ts";
import { readShippedObject } from "./shipped-object.ts";
import { openReference, Verification } from "./verification.ts";
import { buildVerifyReport } from "./verify-report.ts";
import { VerifyRun } from "./verify-run.ts";
import { describeVerification } from "./verify-text.ts";

/** The reference first. */
const ENGINES = ["interpreter", "kernel"] as const;

interface VerifyOptions {
  readonly config: string;
  readonly engines: typeof ENGINES;
  readonly keepGoing: number;
  readonly json?: true;
}

const KEEP_GOING_MAX = 1000;

const DETAILS = `
Each packet of the capture goes through the interpreter and through this machine's kernel (BPF_PROG_TEST_RUN, attached to no interface), with the
capture's time as the program's time. After each the verdict, the bytes, every counter and the flow and fragment tables must be the same. The first
packet after which they are not is shown with what differs and with what the interpreter did, line by line of the program's source.

Frames under 14 bytes and frames longer than a page holds are none for the kernel: they are left out, and counted as not comparable.

--keep-going looks for more than the first difference. After each the kernel gets the interpreter's tables, so that no difference
is a mere consequence of another.

It takes root or the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, and libbpf. Exit code 0: no difference; 1: differences; 2: wrong usage, input
that cannot be used, or no kernel that can.

Example: lamna verify yesterday.pcapng --config lamna.yaml
`;

export function verifyCommand(): Command {
  return new Command("verify")
    .description(
      "run the packets of a capture through interpreter and kernel, and compare after every packet",
    )
    .argument("<capture>", 'pcap or pcapng, gzip-compressed or not; "-" reads standard input')
    .requiredOption("--config <file>", 'config file in YAML; "-" reads standard input')
    .addOption(
      new Option("--engines <names>", "what to compare, with commas; the first is the reference")
        .argParser(parseEngines)
        .default(ENGINES, ENGINES.join(",")),
    )
    .option("--keep-going <n>", "look for so many differences before giving up", parseKeepGoing, 1)
    .option("--json", "print one JSON object (schemas/verify-report.schema.json)")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (capture: string, options: VerifyOptions) => {
      process.exitCode = await verify(capture, options);
    });
}

/** Prints the report, and returns the exit code. Throws ConfigError, CaptureError, KernelError or UsageError for what cannot be used. */
async function verify(capture: string, options: VerifyOptions): Promise<number> {
  if (capture === "-" && options.config === "-") {
    throw new UsageError('both the capture and --config are "-", which is standard input once');
  }
  if (capture === "-" && process.stdin.isTTY) {
    throw new UsageError("-: standard input is a terminal, expected a capture");
  }
  const config = replayConfig(readConfig(options.config));
  const reader = await openCapture(capture);
  const opened: { close(): Promise<void> }[] = [reader];
  try {
    return await verifyCapture(options, config, reader, opened);
  } finally {
    for (const handle of opened.reverse()) await handle.close();
  }
}

/** `opened` takes what is to be closed. */
async function verifyCapture(
  options: VerifyOptions,
  config: Config,
  reader: CaptureReader,
  opened: { close(): Promise<void> }[],
): Promise<number> {
  const object = readShippedObject();
  // The kernel first: whether it can be used at all says it at once.
  const kernel = await attempt(options, () => openProgrammedKernel(config, object));
  opened.push(kernel);
  const { cpu } = kernel;
  const { cpuCount } = kernel.dataplane;
  const reference = await attempt(options, () => openReference(config, object, { queue: cpu, cpuCount }));
  opened.push(reference.programmed);

  const progress = new Progress(process.stderr, performance.now());
  const run = new VerifyRun({
    reader,
    verification: new Verification(reference, [kernel], object),
    findingsMax: options.keepGoing,
    onProgress: (packets) => progress.update({ nowMs: performance.now(), packets, ...reader.progress }),
  });
  let failure: CaptureError | undefined;
  try {
    await run.run();
  } catch (error) {
    // What ran before is still reported.
    if (!(error instanceof CaptureError)) throw error;
    failure = error;
  } finally {
    progress.end();
  }

  const report = buildVerifyReport(run, {
    engines: options.engines,
    naming: {
      names: reference.programmed.names,
      cpuCount,
      entriesOf: (map) => reference.programmed.dataplane.map(map).maxEntries,
    },
  });
  print(report, { options, reader, bytes: run.totals.bytes });
  if (failure !== undefined) throw failure;
  return report.isAlike ? EXIT_CODES.fine : EXIT_CODES.different;
}

function print(
  report: VerifyReport,
  facts: { readonly options: VerifyOptions; readonly reader: CaptureReader; readonly bytes: number },
): void {
  const { options, reader, bytes } = facts;
  if (options.json) {
    process.stdout.write(`${JSON.stringify(verifyReportSchema.parse(report), undefined, 2)}\n`);
    return;
  }
  const lines = describeVerification(
    { configName: options.config, captureName: reader.name, captureFormat: reader.format, bytes },
    report,
    textStyleOf(process.stdout),
  );
  process.stdout.write(`${lines.join("\n")}\n`);
}

async function attempt<T>({ config }: VerifyOptions, open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (error) {
    throw programmingFailure(error, { configName: config, advice: "lower capacity.flowsPerCpu" });
  }
}

function parseEngines(text: string): typeof ENGINES {
  if (text.split(",").includes("jit")) {
    throw new InvalidArgumentError("Engine jit is not in this version, expected interpreter,kernel.");
  }
  if (text !== ENGINES.join(",")) throw new InvalidArgumentError("Expected interpreter,kernel.");
  return ENGINES;
}

function parseKeepGoing(text: string): number {
  const count = /^[0-9]{1,4}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= KEEP_GOING_MAX) return count;
  throw new InvalidArgumentError(`Expected a whole number from 1 to ${KEEP_GOING_MAX}.`);
}
