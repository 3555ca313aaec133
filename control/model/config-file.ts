/** From a config file to a Config, or to everything that is wrong with it. */
import { closeSync, openSync, readSync } from "node:fs";
import type { z } from "zod";
import type { Config } from "./config.ts";
import {
  ConfigError,
  type ConfigPath,
  type ConfigProblem,
  type ConfigProblemCode,
  formatConfigPath,
  formatFound,
  PROBLEMS_MAX,
  quoted,
} from "./config-error.ts";
import { configSchema } from "./config-schema.ts";
import { crossCheck } from "./cross-checks.ts";
import { nearestWord } from "./nearest.ts";
import { findNotYet } from "./not-yet.ts";
import { configJsonSchema } from "./schemas.ts";
import { systemErrorWords } from "./system-error.ts";
import { readYaml, TEXT_SIZE_MAX, type YamlDocument } from "./yaml-document.ts";

/** Reads a config file; "-" is standard input. Throws ConfigError. */
export function readConfig(file: string): Config {
  return parseConfig(readText(file), { file });
}

/** Reads the text of a config file. `file` is what problems call it. Throws ConfigError with every problem. */
export function parseConfig(text: string, { file }: { readonly file: string }): Config {
  const document = readYaml(text, file);
  const parsed = configSchema.safeParse(document.value);
  const found = findProblems(document, parsed.error?.issues ?? []);
  if (parsed.success && found.length === 0) return parsed.data;

  const problems = found.slice(0, PROBLEMS_MAX).map((problem) => located(problem, document));
  problems.sort((a, b) => a.line! - b.line! || a.column! - b.column!);
  throw new ConfigError("invalid", file, problems);
}

function readText(file: string): string {
  try {
    const bytes = readBytes(file === "-" ? "/dev/stdin" : file);
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

/** At most one byte more than a config file may have, however long the file, pipe or device. */
function readBytes(file: string): Uint8Array {
  const descriptor = openSync(file, "r");
  try {
    let bytes = new Uint8Array(64 * 1024);
    let length = 0;
    while (length <= TEXT_SIZE_MAX) {
      if (length === bytes.length) {
        const larger = new Uint8Array(Math.min(length * 4, TEXT_SIZE_MAX + 1));
        larger.set(bytes);
        bytes = larger;
      }
      const count = readSync(descriptor, bytes, length, bytes.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

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

interface Problem {
  readonly code: ConfigProblemCode;
  readonly path: ConfigPath;
  readonly value: unknown;
  readonly message: string;
}

function findProblems(document: YamlDocument, issues: readonly z.core.$ZodIssue[]): Problem[] {
  const file = document.value;
  const notYet = findNotYet(file);
  const refused = new Set(notYet.map(({ path }) => formatConfigPath(path)));
  // What is below a key that is refused as a whole is nothing to correct.
  const isBelowRefused = ({ path }: Problem) =>
    refused.size > 0 && path.some((_, index) => refused.has(formatConfigPath(path.slice(0, index + 1))));

  return [
    ...document.duplicates.map(
      ({ path }): Problem => ({
        code: "duplicate",
        path,
        value: undefined,
        message: "this key stands here twice",
      }),
    ),
    ...issues.flatMap((issue) => problemsOf(issue, file)).filter((problem) => !isBelowRefused(problem)),
    ...notYet.map((problem): Problem => ({ code: "not-supported", ...problem })),
    ...crossCheck(file),
  ];
}

function located(problem: Problem, document: YamlDocument): ConfigProblem {
  const { code, path, value, message } = problem;
  const isDuplicateKey = document.duplicates.find((duplicate) => duplicate.path === path);
  const position =
    isDuplicateKey?.position ?? document.locate(path, code === "unknown-key" ? "key" : "value");
  return { code, path: formatConfigPath(path), ...position, value: scalarOrNothing(value), message };
}

function scalarOrNothing(value: unknown): ConfigProblem["value"] {
  if (value === null) return null;
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? value
    : undefined;
}

function problemsOf(issue: z.core.$ZodIssue, file: unknown): Problem[] {
  const path = issue.path.filter((step) => typeof step !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      code: "unknown-key",
      path: [...path, key],
      value: scalarOrNothing(valueAt(file, [...path, key])),
      message: unknownKeyMessage(path, key),
    }));
  }

  const value = valueAt(file, path);
  const code = codeOf(issue, value);
  if (code === "missing") return [{ code, path, value, message: `missing, ${issue.message}` }];
  return [
    { code, path, value, message: `found ${formatFound(value)}, ${issue.message}${hint(issue, value)}` },
  ];
}

function codeOf(issue: z.core.$ZodIssue, value: unknown): ConfigProblemCode {
  if (value === undefined) return "missing";
  switch (issue.code) {
    case "invalid_type":
      // A fraction where a whole number is expected is a number all the same.
      return typeof value === "number" && issue.expected === "int" ? "bad-value" : "wrong-type";
    case "invalid_value":
      return issue.values.some((allowed) => typeof allowed === typeof value) ? "bad-value" : "wrong-type";
    case "invalid_union":
      return typeof value === "number" ? "bad-value" : "wrong-type";
    default:
      return "bad-value";
  }
}

function hint(issue: z.core.$ZodIssue, value: unknown): string {
  if (value === null) return "; leave the key out or give it a value";
  if (issue.code === "invalid_value" && typeof value === "string") {
    const nearest = nearestWord(value, issue.values.map(String));
    return nearest === undefined ? "" : `; did you mean ${nearest}?`;
  }
  const wantsNumber = /expected .*whole number/.test(issue.message);
  return wantsNumber && typeof value === "string" && /^\s*-?[0-9]+\s*$/.test(value) ? " without quotes" : "";
}

function valueAt(file: unknown, path: ConfigPath): unknown {
  let value = file;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as { readonly [key: string | number]: unknown })[step];
  }
  return value;
}

// ------------------------------------------------------------------------------------------------ unknown keys

interface KeySchema {
  readonly properties?: { readonly [key: string]: KeySchema };
  readonly items?: KeySchema;
}

function unknownKeyMessage(path: ConfigPath, key: string): string {
  if (key === "<<") return 'unknown key "<<": merge keys are not read, expected the keys themselves';
  const root = configJsonSchema() as KeySchema;
  let here: KeySchema | undefined = root;
  for (const step of path) here = typeof step === "number" ? here?.items : here?.properties?.[step];

  const known = Object.keys(here?.properties ?? {});
  const nearest = nearestWord(key, known);
  if (nearest !== undefined) return `unknown key ${quoted(key)}; did you mean ${nearest}?`;
  const elsewhere = placesOf(key, root);
  if (elsewhere.length > 0) return `unknown key ${quoted(key)} here; it belongs ${elsewhere.join(" or ")}`;
  return `unknown key ${quoted(key)}, expected ${known.join(", ")}`;
}

/** Where in the file a key is known: "under settings", "under vips[]", "at the top level". */
function placesOf(key: string, schema: KeySchema, path = ""): string[] {
  const places: string[] = [];
  const { properties = {}, items } = schema;
  if (Object.hasOwn(properties, key)) places.push(path === "" ? "at the top level" : `under ${path}`);
  for (const [name, child] of Object.entries(properties)) {
    places.push(...placesOf(key, child, path === "" ? name : `${path}.${name}`));
  }
  if (items !== undefined) places.push(...placesOf(key, items, `${path}[]`));
  return places;
}
