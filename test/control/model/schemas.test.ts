/** The published files in schemas/: right about good and bad files, and complete. That they are fresh is tested with the code base. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { parseConfig } from "../../../control/model/config-file.ts";
import { REASON_NAMES, REASONS } from "../../../control/model/reasons.ts";
import { type ReplayReport, replayReportSchema } from "../../../control/model/replay-report.ts";
import { ABSENT, configText, errorOf, FILE } from "./config-text.ts";
import { type JsonSchema, violations } from "./json-schema.ts";

const ROOT = join(import.meta.dirname, "../../..");
const CONFIG_SCHEMA = published("config.schema.json") as JsonSchema;
const REPORT_SCHEMA = published("replay-report.schema.json") as JsonSchema;

const FIXTURES = join(ROOT, "pcap-fixtures");
const FIXTURE_CONFIGS = readdirSync(FIXTURES, { recursive: true, encoding: "utf8" }).filter((file) =>
  /(^|\/)config\.ya?ml$/.test(file),
);

test("there are fixtures to validate", () => {
  expect(FIXTURE_CONFIGS.length).toBeGreaterThan(0);
});

test.for(FIXTURE_CONFIGS)("%s is valid by the schema and by the code", (file) => {
  const text = readFileSync(join(FIXTURES, file), "utf8");
  expect(violations(CONFIG_SCHEMA, parse(text))).toEqual([]);
  parseConfig(text, { file });
});

test.for<{ path: string; value: unknown; violation: string }>([
  { path: "version", value: 2, violation: "$.version: const" },
  { path: "version", value: ABSENT, violation: "$.version: required" },
  { path: "settings.gatewayMac", value: "nonsense", violation: "$.settings.gatewayMac: pattern" },
  { path: "settings.gatewayMac", value: 5, violation: "$.settings.gatewayMac: type" },
  { path: "settings.mtu", value: 100, violation: "$.settings.mtu: anyOf" },
  { path: "settings.mtu", value: "1500", violation: "$.settings.mtu: anyOf" },
  { path: "settings.maxFrameBytes", value: 65536, violation: "$.settings.maxFrameBytes: maximum" },
  { path: "settings.scope", value: "none", violation: "$.settings.scope: enum" },
  { path: "settings.mssClamp", value: "no", violation: "$.settings.mssClamp: type" },
  { path: "settings.colour", value: 1, violation: "$.settings.colour: additionalProperties" },
  { path: "capacity.vips", value: 0, violation: "$.capacity.vips: minimum" },
  { path: "capacity.vips", value: 1.5, violation: "$.capacity.vips: type" },
  { path: "vips", value: {}, violation: "$.vips: type" },
  { path: "vips.0.port", value: ABSENT, violation: "$.vips[0].port: required" },
  { path: "vips.0.port", value: 65536, violation: "$.vips[0].port: maximum" },
  { path: "vips.0.protocol", value: "icmp", violation: "$.vips[0].protocol: enum" },
  { path: "vips.0.address", value: "www.example.org", violation: "$.vips[0].address: pattern" },
  { path: "vips.0.name", value: " web", violation: "$.vips[0].name: pattern" },
  { path: "vips.0.flags", value: ["nothing"], violation: "$.vips[0].flags[0]: enum" },
  {
    path: "vips.0.flags",
    value: ["bypass-flow-table", "bypass-flow-table"],
    violation: "$.vips[0].flags: uniqueItems",
  },
  { path: "vips.0.backends.0.weight", value: -1, violation: "$.vips[0].backends[0].weight: minimum" },
  { path: "vips.0.backends.0.state", value: "up", violation: "$.vips[0].backends[0].state: enum" },
  { path: "vips.0.backends.0.address", value: ABSENT, violation: "$.vips[0].backends[0].address: required" },
  { path: "vips.0.backends.0.address", value: null, violation: "$.vips[0].backends[0].address: type" },
])("schema and code refuse $path: $value", ({ path, value, violation }) => {
  const text = configText({ [path]: value });
  expect(violations(CONFIG_SCHEMA, parse(text))).toContain(violation);
  expect(errorOf(text).code).toBe("invalid");
});

test("every key of the config has a help text", () => {
  expect(keysWithoutDescription(CONFIG_SCHEMA)).toEqual([]);
});

test("defaults that the schema shows are those that the code fills in", () => {
  const shown = defaultsOf(CONFIG_SCHEMA);
  expect(shown).toMatchObject({
    "capacity.vips": 64,
    "settings.maxFrameBytes": 1514,
    "vips[].backends[].weight": 1,
    "vips[].flags": [],
  });
  const read = (text: string) => parseConfig(text, { file: FILE });
  const changes = Object.entries(shown)
    .filter(([path]) => !/healthCheck|announce|quic|^vips$|backends$|^capacity$|^settings$/.test(path))
    .map(([path, value]) => [path.replaceAll("[]", ".0"), value]);
  // Weight 3 is what the good file has.
  expect(read(configText(Object.fromEntries(changes)))).toEqual(read(configText()));
});

// ------------------------------------------------------------------------------------------------ replay report, reasons

function report(): ReplayReport {
  return {
    packets: 3,
    notComparable: { tooShort: 0, tooLong: 0 },
    verdicts: { pass: 1, drop: 0, tx: 2, redirect: 0, aborted: 0 },
    reasons: {
      ...Object.fromEntries(REASON_NAMES.map((name) => [name, 0])),
      not_vip: 1,
      flow_new: 1,
      flow_hit: 1,
    } as ReplayReport["reasons"],
    vips: [
      {
        name: null,
        address: "10.200.1.1",
        port: 80,
        protocol: "tcp",
        packets: 2,
        bytes: 128,
        backends: [
          {
            address: "10.0.0.1",
            weight: 1,
            state: "active",
            packets: 2,
            bytes: 128,
            share: 1,
            expectedShare: 0.5,
          },
          {
            address: "10.0.0.2",
            weight: 1,
            state: "active",
            packets: 0,
            bytes: 0,
            share: 0,
            expectedShare: 0.5,
          },
        ],
      },
      { name: "dns", address: "fc00::1", port: 0, protocol: "udp", packets: 0, bytes: 0, backends: [] },
    ],
    backends: [
      { address: "10.0.0.1", packets: 2, bytes: 128 },
      { address: "10.0.0.2", packets: 0, bytes: 0 },
    ],
    nsPerPacket: null,
    engine: "interpreter",
  };
}

test("a report is valid by the published schema and by the code's", () => {
  expect(violations(REPORT_SCHEMA, report())).toEqual([]);
  expect(replayReportSchema.parse(report())).toEqual(report());
});

test.for<{ name: string; change: object; violation: string }>([
  { name: "without packets", change: { packets: undefined }, violation: "$.packets: required" },
  { name: "with a fraction of a packet", change: { packets: 1.5 }, violation: "$.packets: type" },
  { name: "with less than no packets", change: { packets: -1 }, violation: "$.packets: minimum" },
  { name: "with an unknown key", change: { colour: 1 }, violation: "$.colour: additionalProperties" },
  { name: "with an unknown engine", change: { engine: "magic" }, violation: "$.engine: enum" },
  {
    name: "with an unknown reason",
    change: { reasons: { ...report().reasons, bad_luck: 1 } },
    violation: "$.reasons.bad_luck: additionalProperties",
  },
  {
    name: "without a reason",
    change: { reasons: { ...report().reasons, flow_hit: undefined } },
    violation: "$.reasons.flow_hit: required",
  },
  {
    name: "without a verdict",
    change: { verdicts: { ...report().verdicts, tx: undefined } },
    violation: "$.verdicts.tx: required",
  },
  { name: "with text for a time", change: { nsPerPacket: "fast" }, violation: "$.nsPerPacket: anyOf" },
])("a report $name is refused by both", ({ change, violation }) => {
  const wrong: unknown = JSON.parse(JSON.stringify({ ...report(), ...change }));
  expect(violations(REPORT_SCHEMA, wrong)).toContain(violation);
  expect(replayReportSchema.safeParse(wrong).success).toBe(false);
});

test("the published list of reasons is the code's", () => {
  expect(published("reasons.json")).toEqual(REASON_NAMES.map((name) => ({ name, ...REASONS[name] })));
});

function published(name: string): unknown {
  return JSON.parse(readFileSync(join(ROOT, "schemas", name), "utf8"));
}

interface Keyed {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: { readonly [key: string]: Keyed };
  readonly items?: Keyed;
  readonly anyOf?: readonly Keyed[];
}

function walk(schema: Keyed, path: string, visit: (path: string, schema: Keyed) => void): void {
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    const childPath = path === "" ? key : `${path}.${key}`;
    visit(childPath, child);
    walk(child, childPath, visit);
  }
  if (schema.items !== undefined) walk(schema.items, `${path}[]`, visit);
  for (const option of schema.anyOf ?? []) walk(option, path, visit);
}

function keysWithoutDescription(schema: Keyed): string[] {
  const missing: string[] = [];
  walk(schema, "", (path, { description }) => {
    if (description === undefined) missing.push(path);
  });
  return missing;
}

function defaultsOf(schema: Keyed): { [path: string]: unknown } {
  const defaults: { [path: string]: unknown } = {};
  walk(schema, "", (path, key) => {
    if ("default" in key) defaults[path] = key.default;
  });
  return defaults;
}
