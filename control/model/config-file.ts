/** From a config file to a Config, or to everything that is wrong with it. */
import { closeSync, openSync, readSync } from "node:fs";
import type { z } from "zod";
import type { Config } from "./config.ts";
import {
  ConfigError,
  type ConfigFinding,
  type ConfigProblem,
  formatConfigPath,
  PROBLEMS_MAX,
} from "./config-error.ts";
import { configSchema } from "./config-schema.ts";
import { crossCheck } from "./cross-checks.ts";
import { findNotYet } from "./not-yet.ts";
import { findingsOf } from "./schema-issues.ts";
import { systemErrorWords } from "./system-error.ts";
import { findWarnings } from "./warnings.ts";
import { type Position, readYaml, TEXT_SIZE_MAX, type YamlDocument } from "./yaml-document.ts";

/** Reads a config file; "-" is standard input. Throws ConfigError with every problem. */
export function readConfig(file: string): Config {
  return inspectConfig(readText(file), { file }).config;
}

/** Reads the text of a config file. `file` is what problems call it. Throws ConfigError with every problem. */
export function parseConfig(text: string, { file }: { readonly file: string }): Config {
  return inspectConfig(text, { file }).config;
}

export interface InspectedConfig {
  readonly config: Config;
  /** What is allowed, and yet hardly what anybody wants. In the file's order. */
  readonly warnings: readonly ConfigWarning[];
}

export type ConfigWarning = Omit<ConfigProblem, "code" | "value">;

/** As readConfig, with a second look at what is allowed and hardly wanted. */
export function inspectConfigFile(file: string): InspectedConfig {
  return inspectConfig(readText(file), { file });
}

function inspectConfig(text: string, { file }: { readonly file: string }): InspectedConfig {
  const document = readYaml(text, file);
  const parsed = configSchema.safeParse(document.value);
  const problems = [...duplicateKeys(document), ...findProblems(document, parsed.error?.issues ?? [])];
  if (parsed.success && problems.length === 0) {
    const warnings = findWarnings(parsed.data).map(({ path, message }) => {
      return { path: formatConfigPath(path), ...document.locate(path, "value"), message };
    });
    return { config: parsed.data, warnings: warnings.sort(byPosition) };
  }
  throw new ConfigError("invalid", file, problems.sort(byPosition).slice(0, PROBLEMS_MAX));
}

function byPosition(a: ConfigWarning, b: ConfigWarning): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

function readText(file: string): string {
  try {
    const bytes = file === "-" ? readBytes(STDIN) : readFileBytes(file);
    if (bytes.length > TEXT_SIZE_MAX) {
      throw fileError(
        "too-large",
        file,
        `larger than the ${TEXT_SIZE_MAX} bytes that a config file may have`,
      );
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause;
    const words = systemErrorWords(cause) ?? "not UTF-8 text, expected a YAML file";
    throw fileError("unreadable", file, words, cause);
  }
}

const STDIN = 0;

function readFileBytes(file: string): Uint8Array {
  const descriptor = openSync(file, "r");
  try {
    return readBytes(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** At most one byte more than a config file may have, however long the file, pipe or device. */
function readBytes(descriptor: number): Uint8Array {
  let bytes = new Uint8Array(64 * 1024);
  let length = 0;
  while (length <= TEXT_SIZE_MAX) {
    if (length === bytes.length) {
      const larger = new Uint8Array(Math.min(length * 4, TEXT_SIZE_MAX + 1));
      larger.set(bytes);
      bytes = larger;
    }
    const count = readSome(descriptor, bytes.subarray(length));
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Standard input may have been made non-blocking by whoever shares it: then nothing there yet is EAGAIN, not the end. */
function readSome(descriptor: number, into: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, into);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

const RETRY_MS = 10;

function fileError(
  code: "unreadable" | "too-large",
  file: string,
  message: string,
  cause?: unknown,
): ConfigError {
  const problem = { code, path: "", line: undefined, column: undefined, value: undefined, message };
  return new ConfigError(code, file, [problem], { cause });
}

// ------------------------------------------------------------------------------------------------ problems

function duplicateKeys(document: YamlDocument): ConfigProblem[] {
  const message = "this key stands here twice, expected once";
  return document.duplicates.slice(0, PROBLEMS_MAX).map(({ path, position }) => {
    return { code: "duplicate", path: formatConfigPath(path), ...position, value: undefined, message };
  });
}

function findProblems(document: YamlDocument, issues: readonly z.core.$ZodIssue[]): ConfigProblem[] {
  const file = document.value;
  const notYet = findNotYet(file);
  const refused = new Set(notYet.map(({ path }) => formatConfigPath(path)));
  // What is below a key that is refused as a whole is nothing to correct.
  const isBelowRefused = ({ path }: ConfigFinding) =>
    refused.size > 0 && path.some((_, index) => refused.has(formatConfigPath(path.slice(0, index + 1))));

  const found = findingsOf(issues.slice(0, FINDINGS_MAX), file).filter((finding) => !isBelowRefused(finding));
  const problems = new Map<string, ConfigProblem>();
  for (const { code, path, value, message } of [...found, ...notYet, ...crossCheck(file)].slice(
    0,
    FINDINGS_MAX,
  )) {
    const position: Position = document.locate(path, code === "unknown-key" ? "key" : "value");
    // One mistake is found twice where a number breaks two rules that read the same, and once for each alias of its place.
    const mistake = `${position.line}:${position.column} ${path.at(-1)} ${message}`;
    if (problems.has(mistake)) continue;
    const text = formatConfigPath(path);
    problems.set(mistake, { code, path: text, ...position, value: scalarOrNothing(value), message });
  }
  return [...problems.values()];
}

/** Aliases can multiply one mistake by a million; what is looked at has a bound, so that the answer comes in seconds. */
const FINDINGS_MAX = 10 * PROBLEMS_MAX;

function scalarOrNothing(value: unknown): ConfigProblem["value"] {
  if (value === null) return null;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : undefined;
}
