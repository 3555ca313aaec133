/** `lamna check`: is a config file good, and what will it take? */
import { cpus } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import type { Config, Vip } from "../model/config.ts";
import { ConfigError, type ConfigProblem, formatConfigProblem } from "../model/config-error.ts";
import { type ConfigWarning, inspectConfigFile } from "../model/config-file.ts";
import { formatVipKey, vipKey } from "../plan/vip-entry.ts";
import { EXIT_CODES, UsageError } from "./exit.ts";
import { type MapMemory, mapMemory } from "./map-memory.ts";
import { formatBytes, formatCount, type Painter, painterFor } from "./output.ts";
import { readShippedObject } from "./shipped-object.ts";

export function checkCommand(): Command {
  return new Command("check")
    .description("validate config files, and say what they will take")
    .argument("<config...>", 'config files in YAML; "-" reads standard input')
    .option("--cpus <count>", "count the memory for this many CPUs, not those of this host", parseCpuCount)
    .option("--json", "print one JSON object")
    .action((files: readonly string[], options: { readonly cpus?: number; readonly json?: true }) => {
      if (files.filter((file) => file === "-").length > 1) {
        throw new UsageError('more than one "-": standard input can be read only once');
      }
      const results = files.map((file) => checkFile(file, options.cpus ?? cpus().length));
      if (options.json)
        process.stdout.write(`${JSON.stringify({ configs: results.map(jsonOf) }, undefined, 2)}\n`);
      else for (const result of results) print(result);
      if (results.some(({ isValid }) => !isValid)) process.exitCode = EXIT_CODES.badInput;
    });
}

type Result =
  | { readonly file: string; readonly isValid: false; readonly error: ConfigError }
  | {
      readonly file: string;
      readonly isValid: true;
      readonly config: Config;
      readonly warnings: readonly ConfigWarning[];
      readonly memory: MapMemory;
    };

function checkFile(file: string, cpuCount: number): Result {
  try {
    const { config, warnings } = inspectConfigFile(file);
    return {
      file,
      isValid: true,
      config,
      warnings,
      memory: mapMemory(config, readShippedObject(), cpuCount),
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { file, isValid: false, error };
  }
}

const CPUS_MAX = 4096;

function parseCpuCount(text: string): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || count < 1 || count > CPUS_MAX) {
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${CPUS_MAX}.`);
  }
  return count;
}

// ------------------------------------------------------------------------------------------------ for people

function print(result: Result): void {
  if (!result.isValid) {
    process.stderr.write(`${result.error.message}\n`);
    return;
  }
  const { file, config, warnings, memory } = result;
  for (const warning of warnings) {
    const message = `warning: ${warning.message}`;
    process.stderr.write(`${formatConfigProblem(file, { ...warning, message })}\n`);
  }
  const paint = painterFor(process.stdout);
  const lines = [
    `${file}: ${paint("green", "fine")}`,
    ...vipLines(config, paint),
    ...memoryLines(memory, paint),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** A file can have thousands. */
const VIPS_SHOWN_MAX = 40;

function vipLines({ vips }: Config, paint: Painter): string[] {
  const shown = vips.slice(0, VIPS_SHOWN_MAX);
  const names = shown.map(({ name }) => name ?? "");
  const keys = shown.map((vip) => formatVipKey(vipKey(vip)));
  const [nameWidth, keyWidth] = [widest(names), widest(keys)];
  const lines = shown.map((vip, index) => {
    const name = nameWidth === 0 ? "" : `${paint("bold", names[index]!.padEnd(nameWidth))}  `;
    return `  ${name}${keys[index]!.padEnd(keyWidth)}  ${describeBackends(vip)}`;
  });
  if (vips.length > shown.length) lines.push(`  and ${formatCount(vips.length - shown.length)} more VIPs`);
  return vips.length === 0 ? ["  no VIPs"] : lines;
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.length));
}

function describeBackends({ backends }: Vip): string {
  const parts = [`${formatCount(backends.length)} ${backends.length === 1 ? "backend" : "backends"}`];
  for (const state of ["draining", "down"] as const) {
    const count = backends.filter((backend) => backend.state === state).length;
    if (count > 0) parts.push(`${formatCount(count)} ${state}`);
  }
  // Left out of the ring, as draining ones are.
  const weightless = backends.filter(({ state, weight }) => state === "active" && weight === 0).length;
  if (weightless > 0) parts.push(`${formatCount(weightless)} out of the ring (weight 0)`);
  return parts.join(", ");
}

function memoryLines(memory: MapMemory, paint: Painter): string[] {
  const { cpuCount, sharedBytes, ringBytes, perCpuBytes, flowTableBytes, totalBytes } = memory;
  const cpus = cpuCount === 1 ? "1 CPU" : `${formatCount(cpuCount)} CPUs`;
  return [
    `  ${paint("bold", formatBytes(totalBytes))} of memory with ${cpus}:`,
    `    ${formatBytes(sharedBytes)} shared, of which rings ${formatBytes(ringBytes)}`,
    `    ${formatBytes(perCpuBytes)} a CPU, of which flow tables ${formatBytes(flowTableBytes)}`,
  ];
}

// ------------------------------------------------------------------------------------------------ for programs

interface CheckedConfig {
  readonly file: string;
  readonly isValid: boolean;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly ConfigWarning[];
  /** Null when the file is not valid. */
  readonly vips: number | null;
  /** Different addresses. */
  readonly backends: number | null;
  readonly memory: MapMemory | null;
}

function jsonOf(result: Result): CheckedConfig {
  const { file } = result;
  if (!result.isValid) {
    const { problems } = result.error;
    return { file, isValid: false, problems, warnings: [], vips: null, backends: null, memory: null };
  }
  const { config, warnings, memory } = result;
  const addresses = new Set(
    config.vips.flatMap(({ backends }) => backends.map(({ address }) => address.bytes.join("."))),
  );
  return {
    file,
    isValid: true,
    problems: [],
    warnings,
    vips: config.vips.length,
    backends: addresses.size,
    memory,
  };
}
