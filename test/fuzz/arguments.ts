/** The command line of a fuzzer: numbers or nothing. */
import { parseArgs } from "node:util";

export interface FuzzArguments {
  /** Chosen at random where none was given; printed, so that a run can be repeated. */
  readonly seed: number;
  readonly seconds: number;
  /** The other numbers that were given, by name. */
  readonly counts: Readonly<Record<string, number>>;
  readonly out: string;
}

/** Reads process.argv; ends the process with 2 when a value is no number. */
export function fuzzArguments(countNames: readonly string[], out: string): FuzzArguments {
  const names = ["seed", "seconds", ...countNames];
  const options = Object.fromEntries([...names, "out"].map((name) => [name, { type: "string" as const }]));
  const { values } = readValues(options);
  const numbers: Record<string, number> = {};
  for (const name of names) {
    const text = values[name];
    if (text === undefined) continue;
    const value = Number(text);
    if (text === "" || !(value >= 0)) {
      console.error(`--${name} ${text}, expected a number from 0`);
      process.exit(2);
    }
    numbers[name] = value;
  }
  const { seed = Math.floor(Math.random() * 2 ** 32), seconds = 60, ...counts } = numbers;
  return { seed, seconds, counts, out: String(values.out ?? out) };
}

function readValues(options: Readonly<Record<string, { readonly type: "string" }>>): {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
} {
  try {
    return parseArgs({ options });
  } catch (error) {
    const known = Object.keys(options).map((name) => `--${name} VALUE`);
    console.error(`${(error as Error).message}\noptions: ${known.join(", ")}`);
    process.exit(2);
  }
}
