/** Config files for tests: a small good one, and the same with some values changed. */
import { stringify } from "yaml";
import type { ConfigProblem } from "../../../control/model/config-error.ts";
import { ConfigError } from "../../../control/model/config-error.ts";
import { parseConfig } from "../../../control/model/config-file.ts";

/** A fresh copy each time, to be changed at will. */
export function goodFile(): { [key: string]: unknown } {
  return {
    version: 1,
    settings: { gatewayMac: "00:00:de:ad:be:af" },
    vips: [
      {
        name: "web",
        address: "10.200.1.1",
        port: 80,
        protocol: "tcp",
        backends: [{ address: "10.0.0.1" }, { address: "fc00::2", weight: 3 }],
      },
    ],
  };
}

/** In place of a value: the key is left out. */
export const ABSENT: unique symbol = Symbol("absent");

/** The good file as YAML with values set by path, "vips.0.port"; objects and lists on the way are made. */
export function configText(changes: { readonly [path: string]: unknown } = {}): string {
  const file = goodFile();
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split(".");
    const last = steps.pop()!;
    let place = file as { [key: string]: unknown };
    for (const [index, step] of steps.entries()) {
      const next = steps[index + 1] ?? last;
      place[step] ??= /^[0-9]+$/.test(next) ? [] : {};
      place = place[step] as { [key: string]: unknown };
    }
    if (value === ABSENT) delete place[last];
    else place[last] = value;
  }
  return stringify(file);
}

export const FILE = "test.yaml";

/** The problems of a text that must have some. */
export function problemsOf(text: string): readonly ConfigProblem[] {
  return errorOf(text).problems;
}

export function errorOf(text: string): ConfigError {
  try {
    parseConfig(text, { file: FILE });
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error(`expected a ConfigError for:\n${text}`);
}
