/** The table of docs/operating.md that says what a change of the config does, held against what the plan makes of such a change. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ConfigError } from "../../../control/model/config-error.ts";
import { configJsonSchema } from "../../../control/model/schemas.ts";
import { PlanError } from "../../../control/plan/plan-error.ts";
import { change, configOf, openControlled, planFor } from "../plan/harness.ts";
import { ROOT } from "./built-cli.ts";

const TEXT = readFileSync(join(ROOT, "docs/operating.md"), "utf8");
const ROWS = [
  ...TEXT.matchAll(/^\| (`(?:settings|capacity|vips)[^|]*) \| (maps|program|new maps) \|$/gm),
].map(([, key, effect]) => ({ key: key!, effect: effect! }));

const BASE: { readonly [key: string]: string } = {
  "settings.gatewayMac": '"02:00:00:00:00:01"',
  "settings.mtu": "1500",
  "settings.maxFrameBytes": "1514",
  "settings.udpIdleSeconds": "30",
  "settings.newFlowsPerSecondPerCpu": "125000",
  "settings.maglev": "v2",
  "settings.scope": "vip",
  "settings.tooBig": "icmp",
  "settings.fragments": "balance",
  "settings.ipOptions": "drop",
  "settings.echoReply": "vip",
  "settings.hashSeed": "33554944",
  "capacity.vips": "4",
  "capacity.backends": "16",
  "capacity.flowsPerCpu": "64",
  vips: "[{address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}, {address: 10.0.0.2, weight: 3}]}]",
};

/** What each key is changed to, by the words of the table. */
const CHANGED: { readonly [row: string]: readonly [string, string] } = {
  "`settings.gatewayMac`": ["settings.gatewayMac", '"02:00:00:00:00:02"'],
  "`settings.mtu`": ["settings.mtu", "1400"],
  "`settings.maxFrameBytes`": ["settings.maxFrameBytes", "1400"],
  "`settings.udpIdleSeconds`": ["settings.udpIdleSeconds", "31"],
  "`settings.newFlowsPerSecondPerCpu`": ["settings.newFlowsPerSecondPerCpu", "1"],
  "`settings.maglev`": ["settings.maglev", "v1"],
  "`settings.scope`": ["settings.scope", "all"],
  "`settings.tooBig`": ["settings.tooBig", "drop"],
  "`settings.fragments`": ["settings.fragments", "drop"],
  "`settings.ipOptions`": ["settings.ipOptions", "balance"],
  "`settings.echoReply`": ["settings.echoReply", "any"],
  "`settings.hashSeed`": ["settings.hashSeed", "7"],
  "`capacity.vips`": ["capacity.vips", "5"],
  "`capacity.backends`": ["capacity.backends", "17"],
  "`capacity.flowsPerCpu`": ["capacity.flowsPerCpu", "1024"],
  "`vips`": ["vips", "[{address: 10.200.1.2, port: 80, protocol: tcp, backends: [{address: 10.0.0.3}]}]"],
  "`vips` with port 0, the first of them": [
    "vips",
    "[{address: 10.200.1.2, port: 0, protocol: tcp, backends: [{address: 10.0.0.3}]}]",
  ],
};

test.for(ROWS)("$key: $effect", async ({ key, effect }) => {
  const changed = CHANGED[key];
  if (changed === undefined) throw new Error(`the test has no change for ${key}`);
  expect(await effectOf(changed)).toBe(effect);
});

test("every change that this version knows is in the table, and what is not there does nothing", async () => {
  expect(ROWS.map(({ key }) => key).sort()).toEqual(Object.keys(CHANGED).sort());
  const schema = configJsonSchema() as {
    readonly properties: { readonly [part: string]: { readonly properties?: object } };
  };
  const keys = ["settings", "capacity"].flatMap((part) =>
    Object.keys(schema.properties[part]?.properties ?? {}).map((key) => `${part}.${key}`),
  );
  expect(keys.length).toBeGreaterThan(15);
  for (const key of keys.filter((each) => !(each in BASE))) {
    const other = OTHERS[key];
    if (other === undefined)
      throw new Error(`the table does not have ${key}, nor has the test another value for it`);
    if (other.isRefused) expect(() => configFrom({ ...BASE, [key]: other.value }), key).toThrow(ConfigError);
    else expect(await effectOf([key, other.value]), key).toBe("nothing");
  }
});

/** Keys that the table leaves out: refused in any value but the default, or without effect. */
const OTHERS: { readonly [key: string]: { readonly value: string; readonly isRefused: boolean } } = {
  "settings.encapsulation": { value: "gue", isRefused: true },
  "settings.guePort": { value: "6081", isRefused: true },
  "settings.mssClamp": { value: "true", isRefused: true },
  "settings.tcpServerId": { value: "true", isRefused: true },
  "settings.flowTracking": { value: "transitions", isRefused: true },
  "settings.sharedFlowTable": { value: "true", isRefused: true },
  "settings.deny": { value: "[10.0.0.0/8]", isRefused: true },
  "settings.decap": { value: "{destinations: [10.0.0.0/8]}", isRefused: true },
  "settings.localAddress": { value: "{ipv4: 10.0.13.37}", isRefused: false },
  "capacity.serverIds": { value: "7", isRefused: false },
  "capacity.sourceRoutes": { value: "7", isRefused: false },
};

test("every warning of the status report is explained", () => {
  const codes = [...TEXT.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code);
  const file = readFileSync(join(ROOT, "schemas/status-report.schema.json"), "utf8");
  const schema = JSON.parse(file) as {
    properties: { warnings: { items: { properties: { code: { enum: string[] } } } } };
  };
  const known = schema.properties.warnings.items.properties.code.enum;
  expect(known.length).toBeGreaterThan(5);
  for (const code of known) expect(codes).toContain(code);
});

async function effectOf([key, value]: readonly [string, string]): Promise<string> {
  const before = configFrom(BASE);
  const controlled = await openControlled(before);
  await change(controlled, before);
  try {
    const { actions } = planFor(controlled, configFrom({ ...BASE, [key]: value }));
    if (actions.some(({ kind }) => kind === "replace-program")) return "program";
    return actions.length === 0 ? "nothing" : "maps";
  } catch (error) {
    if (error instanceof PlanError && error.code === "capacity-changed") return "new maps";
    throw error;
  }
}

function configFrom(keys: { readonly [key: string]: string }): ReturnType<typeof configOf> {
  const part = (prefix: string): string =>
    Object.entries(keys)
      .filter(([key]) => key.startsWith(`${prefix}.`))
      .map(([key, value]) => `${key.slice(prefix.length + 1)}: ${value}`)
      .join(", ");
  return configOf(`settings: {${part("settings")}}\ncapacity: {${part("capacity")}}\nvips: ${keys.vips}\n`);
}
