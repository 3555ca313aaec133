/** `lamna status`: what is attached, what it does with packets, and what is not as it should be. Reads maps, and changes nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { InstanceDirectory } from "../../dataplane/kernel/instance.ts";
import { listInterfaces } from "../../dataplane/kernel/links.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import type { Config } from "../model/config.ts";
import { readConfig } from "../model/config-file.ts";
import { type StatusReport, statusReportSchema } from "../model/status-report.ts";
import { EXIT_CODES } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import { LOCK_WAIT_MS, pinDirectoryOption } from "./pin-directory.ts";
import { printableJson } from "./printable.ts";
import { textStyleOf } from "./replay-text.ts";
import { readShippedObject } from "./shipped-object.ts";
import { type Figures, NOTHING, type Observation, observe, ratesBetween } from "./status-report.ts";
import { describeStatus } from "./status-text.ts";
import { findWarnings } from "./status-warnings.ts";

export interface StatusOptions {
  readonly pinDir: string;
  readonly config?: string;
  readonly watch?: true;
  readonly interval: number;
  readonly json?: true;
}

const DETAILS = `
Counters go on when the program is replaced, and begin anew with new maps. With --config, VIPs have their names, and those that
only the config or only the maps have are told.

Exits with 1 where nothing is attached. With --watch it goes on until it is interrupted, and with --json prints an object a line.
`;

export function statusCommand(): Command {
  return new Command("status")
    .description("show what is attached, its counters and tables, and what is not as it should be")
    .addOption(pinDirectoryOption())
    .option("--config <file>", 'config file in YAML, for names; "-" reads standard input')
    .option("--watch", "show it again and again, with rates")
    .option("--interval <seconds>", "how far apart with --watch", parseInterval, 2)
    .option("--json", "print JSON (schemas/status-report.schema.json)")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (options: StatusOptions) => {
      process.exitCode = await status(options);
    });
}

const INTERVAL_MAX_SECONDS = 86_400;

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (/^[0-9]+(\.[0-9]+)?$/.test(text) && seconds >= 0.1 && seconds <= INTERVAL_MAX_SECONDS) return seconds;
  throw new InvalidArgumentError(`Expected seconds from 0.1 to ${INTERVAL_MAX_SECONDS}.`);
}

async function status(options: StatusOptions): Promise<number> {
  const config = options.config === undefined ? undefined : readConfig(options.config);
  const shipped = readShippedObject();
  let before: { readonly figures: Figures; readonly atMs: number } | undefined;
  for (;;) {
    const atMs = performance.now();
    const report = await look(options, { config, shipped });
    const rates =
      before === undefined ? null : ratesBetween(before.figures, report, (atMs - before.atMs) / 1000);
    print({ ...report, rates }, options);
    if (!options.watch) return report.program === null ? EXIT_CODES.different : EXIT_CODES.fine;
    before = { figures: report, atMs };
    await sleep(options.interval * 1000);
  }
}

async function look(
  { pinDir }: StatusOptions,
  { config, shipped }: { readonly config: Config | undefined; readonly shipped: ObjectSpec },
): Promise<StatusReport> {
  const place = await InstanceDirectory.look(pinDir, { waitMs: LOCK_WAIT_MS });
  try {
    let observation: Observation = NOTHING;
    if (place?.hasInstance) {
      const instance = place.open();
      try {
        const surroundings = { interfaces: listInterfaces(), shipped };
        observation = observe(place.layout, instance, { config, surroundings });
      } finally {
        await instance.close();
      }
    }
    const isInterrupted = place?.layout.isInterrupted === true;
    // The lock is not kept for questions that may take a while.
    place?.close();
    const { program, interfaces, figures } = observation;
    const warnings = await findWarnings(observation, { config, isInterrupted });
    return { pinDirectory: pinDir, program, interfaces, warnings, ...figures, rates: null };
  } finally {
    place?.close();
  }
}

function print(report: StatusReport, { json, watch }: StatusOptions): void {
  if (json) {
    const checked = statusReportSchema.parse(report);
    process.stdout.write(`${watch ? JSON.stringify(checked) : printableJson(checked)}\n`);
    return;
  }
  const { stdout } = process;
  const isTerminal = stdout.isTTY === true;
  const text = describeStatus(report, Date.now(), textStyleOf(stdout)).join("\n");
  // On a terminal in place of what was there: home, then the rest of the screen cleared (ECMA-48 CUP and ED).
  if (watch) stdout.write(isTerminal ? `\u001b[H\u001b[J${text}\n` : `${text}\n\n`);
  else stdout.write(`${text}\n`);
}
