/**
 * Scripts of changes: scripts/NAME.yaml has a configuration a step, and scripts/NAME.golden what was planned for it and what the maps
 * held afterwards, one line an entry. `npx vitest run test/control/plan/scripts.test.ts -u` writes the golden files anew.
 *
 * `flows` of a step are put into the flow tables before its change. Every script ends with deleting everything.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { formatIpAddress, parseIpAddress } from "../../../control/model/address.ts";
import type { Config } from "../../../control/model/config.ts";
import { formatMac } from "../../../control/model/mac.ts";
import { formatAction } from "../../../control/plan/action.ts";
import { backendEntry, liveVips, readActual } from "../../../control/plan/actual.ts";
import { addressOfBackend } from "../../../control/plan/backend-entry.ts";
import { desiredVips } from "../../../control/plan/desired.ts";
import { listFlows } from "../../../control/plan/flow-table.ts";
import { backendsOf } from "../../../control/plan/ring-slots.ts";
import { formatVipKey } from "../../../control/plan/vip-entry.ts";
import { type Dataplane, MapError } from "../../../dataplane/dataplane.ts";
import { settings as settingsCodec } from "../../../dataplane/xdp/generated/balancer.ts";
import { putFlow } from "./flows.ts";
import {
  backendAddress,
  type Controlled,
  change,
  configOf,
  describeRing,
  observed,
  openControlled,
  planFor,
} from "./harness.ts";

const SCRIPTS = ["backends", "down", "vips", "waves"];

interface Step {
  readonly name: string;
  readonly flows: readonly { readonly vip: string; readonly backend: string }[];
  readonly config: Config;
  /** Of the step before. */
  readonly before: Config | undefined;
}

function readScript(name: string): Step[] {
  const text = readFileSync(join(import.meta.dirname, "scripts", `${name}.yaml`), "utf8");
  const documents = parseAllDocuments(text).map((document) => document.toJS());
  const { capacity } = documents[0];
  const end = { step: "everything is deleted", vips: [] };
  const configs = [...documents, end].map(({ step: _step, flows: _flows, ...config }) =>
    configOf(stringify({ ...config, capacity })),
  );
  return [...documents, end].map(({ step, flows = [] }, index) => ({
    name: step,
    flows,
    config: configs[index]!,
    before: configs[index - 1],
  }));
}

test.for(SCRIPTS)("%s: plans and maps are as written down", async (script) => {
  const lines: string[] = [];
  let controlled: Controlled | undefined;
  for (const step of readScript(script)) {
    controlled ??= await openControlled(step.config);
    putFlows(controlled, step);
    const plan = await change(controlled, step.config);
    lines.push(
      `== ${step.name}`,
      ...plan.actions.map(formatAction),
      "-- maps",
      ...dump(controlled.dataplane),
      "",
    );
    expect(planFor(controlled, step.config).actions).toEqual([]);
  }
  expect(liveState(controlled!.dataplane)).toEqual([]);
  await expect(lines.join("\n")).toMatchFileSnapshot(
    join(import.meta.dirname, "scripts", `${script}.golden`),
  );
});

test.for(SCRIPTS)("%s: ends at the same whichever operation fails", { timeout: 240_000 }, async (script) => {
  const steps = readScript(script);
  const controlled = await openControlled(steps[0]!.config);
  for (const step of steps) {
    putFlows(controlled, step);
    const start = { loaded: controlled.loaded, restore: saveMaps(controlled.dataplane) };
    let count = 0;
    await change(controlled, step.config, observed(controlled.dataplane, { after: () => count++ }));
    const expected = liveState(controlled.dataplane);
    for (let at = 0; at < count; at++) {
      controlled.loaded = start.loaded;
      start.restore();
      const fail = (index: number): void => {
        if (index === at) throw new MapError("io", "any", "made to fail");
      };
      // Every other operation fails after it has been done.
      const faulty = observed(
        controlled.dataplane,
        at % 2 === 0 ? { before: ({ index }) => fail(index) } : { after: ({ index }) => fail(index) },
      );
      await expect(change(controlled, step.config, faulty)).rejects.toThrow("made to fail");
      await change(controlled, step.config);
      expect(liveState(controlled.dataplane), `operation ${at} of "${step.name}"`).toEqual(expected);
    }
  }
});

/** Keeps what is in the maps; the result puts it back. */
function saveMaps(dataplane: Dataplane): () => void {
  const perCpu = ["flows_ipv4", "flows_ipv6", "fragments"].flatMap((name) =>
    Array.from({ length: dataplane.cpuCount }, (_, cpu) => dataplane.map(name).inner(cpu)),
  );
  const shared = ["settings", "vip_buckets", "vips", "rings", "backends"].map((name) => dataplane.map(name));
  const saved = [...shared, ...perCpu].map((map) => ({
    map,
    bytes: map.withView(0, map.maxEntries, (view) => view.slice()),
  }));
  return () => {
    for (const { map, bytes } of saved) map.withView(0, map.maxEntries, (view) => view.set(bytes));
  };
}

/** Of VIPs as the step before left them. */
function putFlows({ dataplane }: Controlled, { flows, before }: Step): void {
  const actual = readActual(dataplane);
  for (const [index, flow] of flows.entries()) {
    const wanted = desiredVips(before!).find(({ vip }) => vip.name === flow.vip)!;
    const vip = liveVips(actual).find(({ key }) => formatVipKey(key) === wanted.keyText)!;
    const backend = backendIds(dataplane).find((id) => backendAddress(dataplane, id) === flow.backend)!;
    const source = parseIpAddress(
      vip.key.address.family === 4 ? `192.0.2.${index + 1}` : `2001:db8:f::${index + 1}`,
    );
    putFlow(dataplane, { cpu: index % 2, source, flowVip: vip.flowVip, backend });
  }
}

function backendIds(dataplane: Dataplane): number[] {
  return Array.from({ length: dataplane.map("backends").maxEntries - 1 }, (_, index) => index + 1);
}

/** What the maps hold, with ids; what is not in use any more too. */
function dump(dataplane: Dataplane): string[] {
  const actual = readActual(dataplane);
  const settings = settingsCodec.read(actual.settings);
  const live = liveVips(actual);
  const rings = [...new Set(live.map(({ ring }) => ring))].filter((id) => id !== 0).sort((a, b) => a - b);
  const named = new Set(rings.flatMap((id) => [...backendsOf(actual.rings.get(id)!)]));
  return [
    `settings mac ${formatMac(settings.gatewayMac)}, frame ${settings.maxFrameBytes}, mtu ${settings.mtu}, udp idle ${settings.udpIdleTicks}, new flows ${settings.newFlowsPerSecond}`,
    ...live.map(
      ({ id, key, flags, ring, flowVip }) =>
        `vip ${id} ${formatVipKey(key)}, flags ${flags}, ring ${ring}, flows as ${flowVip}`,
    ),
    ...rings.map((id) => {
      const { owners, previous } = describeRing(dataplane, id);
      return `ring ${id} ${owners}${previous === "" ? "" : `; before: ${previous}`}`;
    }),
    ...backendIds(dataplane)
      .filter((id) => addressOfBackend(backendEntry(actual, id)) !== undefined)
      .map((id) => `backend ${id} ${backendAddress(dataplane, id)}${named.has(id) ? "" : ", in no ring"}`),
    ...[...listFlows(dataplane)].map(
      ({ cpu, source, flowVip, backend }) =>
        `flow cpu ${cpu} from ${formatIpAddress(source)} as ${flowVip} to backend ${backend}`,
    ),
  ];
}

/** What packets can see, without ids. */
function liveState(dataplane: Dataplane): string[] {
  const live = liveVips(readActual(dataplane));
  const keys = new Map(live.map(({ flowVip, key }) => [flowVip, formatVipKey(key)]));
  const vips = live.map(({ key, flags, ring }) => {
    const { owners, previous } = describeRing(dataplane, ring);
    return `${formatVipKey(key)} flags ${flags} ${owners}; before: ${previous}`;
  });
  const flows = [...listFlows(dataplane)].map(
    ({ source, flowVip, backend }) =>
      `${formatIpAddress(source)} of ${keys.get(flowVip)} to ${backendAddress(dataplane, backend)}`,
  );
  return [...vips.sort(), ...flows.sort()];
}
