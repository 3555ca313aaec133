/** What is wrong with a config file: every problem, each with its place, what was found and what is allowed. */
import { escapeInvisible } from "./invisible.ts";

/** Keys and list positions from the top of the file. */
export type ConfigPath = readonly (string | number)[];

export type ConfigProblemCode =
  | "unreadable" // the file cannot be opened or is not text
  | "too-large" // larger than a limit of the reader
  | "syntax" // not YAML, or YAML that a config file has no use for
  | "unknown-key"
  | "missing"
  | "wrong-type"
  | "bad-value" // right type, but not one of the allowed values
  | "not-supported" // the format knows it, this version does not do it
  | "duplicate"
  | "over-capacity";

export interface ConfigProblem {
  readonly code: ConfigProblemCode;
  /** "vips[0].backends[2].weight"; "" for the file itself. */
  readonly path: string;
  /** From 1; undefined where there is no place, as when the file cannot be opened. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** What was found there, where it is a scalar. */
  readonly value: string | number | boolean | null | undefined;
  /** What was found and what is allowed; without the place. */
  readonly message: string;
}

/** A problem before its place in the text is looked up. */
export interface ConfigFinding {
  readonly code: ConfigProblemCode;
  readonly path: ConfigPath;
  /** Whatever is there. */
  readonly value: unknown;
  readonly message: string;
}

/** A config file that cannot be used. Its message has every problem on a line of its own, the first `LINES_MAX` of them. */
export class ConfigError extends Error {
  readonly code: "unreadable" | "too-large" | "syntax" | "invalid";
  readonly file: string;
  /** In the file's order; never empty. At most `PROBLEMS_MAX`. */
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: ConfigError["code"],
    file: string,
    problems: readonly ConfigProblem[],
    options?: ErrorOptions,
  ) {
    const lines = problems.slice(0, LINES_MAX).map((problem) => formatConfigProblem(file, problem));
    if (problems.length > LINES_MAX) lines.push(`${file}: ${problems.length - LINES_MAX} more problems`);
    super(lines.join("\n"), options);
    this.name = "ConfigError";
    this.code = code;
    this.file = file;
    this.problems = problems;
  }
}

const LINES_MAX = 30;
/** A broken generator can make a million bad lines; nobody reads more than this. */
export const PROBLEMS_MAX = 1000;

/** `file:line:column: path: message`, which editors and terminals make a link of; safe for a terminal. */
export function formatConfigProblem(
  file: string,
  { path, line, column, message }: Omit<ConfigProblem, "code" | "value">,
): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  return escapeInvisible(path === "" ? `${place}: ${message}` : `${place}: ${path}: ${message}`);
}

/** "vips[0].name"; a key that is no plain word is quoted: vips[0]["a b"]. */
export function formatConfigPath(path: ConfigPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${quoted(step)}]`;
  }
  return text;
}

/** A value as a message shows it: short, on one line, and unable to play tricks on a terminal. */
export function formatFound(value: unknown): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "number":
    case "boolean":
      return String(value);
    case "object":
      if (value === null) return "nothing";
      return Array.isArray(value) ? "a list" : "a mapping";
    default:
      return "nothing";
  }
}

/** A string that came from outside, in double quotes, cut to `QUOTED_MAX` characters. */
export function quoted(text: string): string {
  const short = text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}...` : text;
  return escapeInvisible(JSON.stringify(short));
}

const QUOTED_MAX = 60;
