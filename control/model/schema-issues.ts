/** What zod found wrong with a config file, in the words of this program. */
import type { z } from "zod";
import {
  type ConfigFinding,
  type ConfigPath,
  type ConfigProblemCode,
  formatFound,
  quoted,
} from "./config-error.ts";
import { nearestWord } from "./nearest.ts";
import { configJsonSchema } from "./schemas.ts";

/** `file` is the plain data that was validated. */
export function findingsOf(issues: readonly z.core.$ZodIssue[], file: unknown): ConfigFinding[] {
  return issues.flatMap((issue) => findingsOfIssue(issue, file));
}

/** One, or for unknown keys one each. */
function findingsOfIssue(issue: z.core.$ZodIssue, file: unknown): ConfigFinding[] {
  const path = issue.path.filter((step) => typeof step !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      code: "unknown-key",
      path: [...path, key],
      value: valueAt(file, [...path, key]),
      message: unknownKeyMessage(path, key),
    }));
  }

  const value = valueAt(file, path);
  const code = codeOf(issue, value);
  if (code === "missing") return [{ code, path, value, message: `missing, ${issue.message}` }];
  return [
    {
      code,
      path,
      value,
      message: `found ${formatFound(value)}, ${issue.message}${hint(issue, path, value)}`,
    },
  ];
}

function codeOf(issue: z.core.$ZodIssue, value: unknown): ConfigProblemCode {
  if (value === undefined) return "missing";
  switch (issue.code) {
    case "invalid_type":
      // A fraction or NaN where a whole number is expected is a number all the same.
      return typeof value === "number" && NUMBER_TYPES.includes(issue.expected) ? "bad-value" : "wrong-type";
    case "invalid_value":
      return issue.values.some((allowed) => typeof allowed === typeof value) ? "bad-value" : "wrong-type";
    case "invalid_union":
      return typeof value === "number" ? "bad-value" : "wrong-type";
    default:
      return "bad-value";
  }
}

const NUMBER_TYPES: readonly string[] = ["int", "number"];

function hint(issue: z.core.$ZodIssue, path: ConfigPath, value: unknown): string {
  if (value === null) return isRequired(path) ? "" : "; leave it out or give it a value";
  if (typeof value !== "string") return "";
  if (issue.code === "invalid_value") {
    const allowed = issue.values.map(String);
    // As with version: "1".
    if (allowed.includes(value)) return ", without quotes";
    const nearest = nearestWord(value, allowed);
    return nearest === undefined ? "" : `; did you mean ${nearest}?`;
  }
  const wantsNumber = /expected .*whole number/.test(issue.message);
  return wantsNumber && /^\s*-?[0-9]+\s*$/.test(value) ? ", without quotes" : "";
}

function valueAt(file: unknown, path: ConfigPath): unknown {
  let value = file;
  for (const step of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as { readonly [key: string | number]: unknown })[step];
  }
  return value;
}

// ------------------------------------------------------------------------------------------------ keys

interface KeySchema {
  readonly properties?: { readonly [key: string]: KeySchema };
  readonly required?: readonly string[];
  readonly items?: KeySchema;
}

/** Made when the first mistake asks for it: a good file has none. */
let keySchema: KeySchema | undefined;

/** What is known at a place in the file; undefined where nothing is. */
function schemaAt(path: ConfigPath): KeySchema | undefined {
  keySchema ??= configJsonSchema() as KeySchema;
  let here: KeySchema | undefined = keySchema;
  for (const step of path) here = typeof step === "number" ? here?.items : here?.properties?.[step];
  return here;
}

function isRequired(path: ConfigPath): boolean {
  const key = path.at(-1);
  return typeof key === "string" && schemaAt(path.slice(0, -1))?.required?.includes(key) === true;
}

function unknownKeyMessage(path: ConfigPath, key: string): string {
  if (key === "<<") return 'unknown key "<<": merge keys are not read, expected the keys themselves';
  const known = Object.keys(schemaAt(path)?.properties ?? {});
  const nearest = nearestWord(key, known);
  if (nearest !== undefined) return `unknown key ${quoted(key)}; did you mean ${nearest}?`;
  const elsewhere = placesOf(key, schemaAt([]) ?? {});
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
