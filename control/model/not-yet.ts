/**
 * What the file format knows and this version does not do. It is refused by name rather than ignored, so that no
 * file promises more than happens; a key set to what happens anyway is accepted, so that files can say it.
 *
 * Works on the file's plain data, beside the schema: a row only speaks of values that are right by the schema, or, where a
 * whole key is refused, of any value.
 */

import type { ConfigFinding, ConfigPath } from "./config-error.ts";
import { formatFound } from "./config-error.ts";
import { BUILT_VIP_FLAGS, DEFAULT_GUE_PORT, LATER_VIP_FLAGS } from "./config-schema.ts";
import { UINT32_MAX } from "./limits.ts";

/** Every place of the file that asks for something that is not there yet. */
export function findNotYet(file: unknown): ConfigFinding[] {
  const problems: ConfigFinding[] = [];
  for (const { path, isAskedFor, message } of ROWS) {
    for (const found of select(file, path)) {
      if (!isAskedFor(found.value)) continue;
      problems.push({ code: "not-supported", ...found, message: message(found.value) });
    }
  }
  return problems;
}

interface Row {
  /** "*" stands for every position of a list. */
  readonly path: readonly string[];
  readonly isAskedFor: (value: unknown) => boolean;
  readonly message: (value: unknown) => string;
}

const ROWS: readonly Row[] = [
  ...["settings.encapsulation", "vips.*.encapsulation"].map((path) => values(path, ["gue", "l2"], "ipip")),
  ...["settings.flowTracking", "vips.*.flowTracking"].map((path) => values(path, ["transitions"], "always")),
  ...["settings.mssClamp", "vips.*.mssClamp"].map((path) => values(path, [true], "false")),
  ...["settings.deny", "vips.*.deny"].map((path) => entries(path, "deny lists are")),
  values("settings.tcpServerId", [true], "false"),
  values("settings.sharedFlowTable", [true], "false"),
  numbers(
    "settings.guePort",
    (port) => port <= 65535 && port !== DEFAULT_GUE_PORT,
    `only the default, ${DEFAULT_GUE_PORT}`,
  ),
  entries("settings.decap.destinations", "decapsulation is"),
  entries("settings.decap.egressDestinations", "decapsulation is"),
  values("settings.decap.strict", [false], "true"),

  {
    path: ["vips", "*", "address"],
    isAskedFor: (value) => typeof value === "string" && value.includes("/"),
    message: (value) =>
      `${formatFound(value)}: prefixes are not supported yet; this version takes single addresses`,
  },
  values("vips.*.flags.*", LATER_VIP_FLAGS, BUILT_VIP_FLAGS.join(", ")),
  whole("vips.*.quic", "choosing backends by QUIC connection ids is"),
  numbers("vips.*.sourceRateLimit", (limit) => limit <= UINT32_MAX, "only 0, no limit"),
  values("vips.*.backendDown", ["resteer"], "keep"),
  numbers("vips.*.drainSeconds", (seconds) => seconds <= UINT32_MAX, "only 0, until the flows end"),
  whole("vips.*.healthCheck", "health checks are"),
  whole("vips.*.announce", "announcing VIPs is"),
  values("vips.*.backends.*.flags.*", ["local"], "no flags of backends"),

  entries("serverIds", "server ids are"),
  entries("sourceRoutes", "source routes are"),
];

function values(path: string, refused: readonly unknown[], built: string): Row {
  return {
    path: path.split("."),
    isAskedFor: (value) => refused.includes(value),
    message: (value) => `${String(value)} is not supported yet; this version does ${built}`,
  };
}

/** For whole numbers from 1; `isAskedFor` knows the upper bound. */
function numbers(path: string, isAskedFor: (value: number) => boolean, built: string): Row {
  return {
    path: path.split("."),
    isAskedFor: (value) => Number.isInteger(value) && (value as number) > 0 && isAskedFor(value as number),
    message: (value) => `${String(value)} is not supported yet; this version takes ${built}`,
  };
}

function entries(path: string, what: string): Row {
  return {
    path: path.split("."),
    isAskedFor: (value) => Array.isArray(value) && value.length > 0,
    message: () => `${what} not supported yet; this version takes only an empty list`,
  };
}

/** A key of which no value is built: `null` included, which would otherwise be reported as a wrong type. */
function whole(path: string, what: string): Row {
  return {
    path: path.split("."),
    isAskedFor: () => true,
    message: () => `${what} not supported yet; leave the key out`,
  };
}

interface Selected {
  readonly path: ConfigPath;
  readonly value: unknown;
}

function select(file: unknown, pattern: readonly string[]): Selected[] {
  let selected: Selected[] = [{ path: [], value: file }];
  for (const step of pattern) {
    selected = selected.flatMap(({ path, value }): Selected[] => {
      if (step === "*") {
        return Array.isArray(value)
          ? value.map((item, index) => ({ path: [...path, index], value: item }))
          : [];
      }
      if (!isMapping(value) || !Object.hasOwn(value, step)) return [];
      return [{ path: [...path, step], value: value[step] }];
    });
  }
  return selected;
}

function isMapping(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
