import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import { formatAction } from "../../../control/plan/action.ts";
import { PlanError } from "../../../control/plan/plan-error.ts";
import { vipKey } from "../../../control/plan/vip-entry.ts";
import { flowSources, fragmentPairs, putFlow, putFragment } from "./flows.ts";
import { type Controlled, change, configOf, openControlled, planFor, seenVip } from "./harness.ts";

const CAPACITY = "capacity: {vips: 3, backends: 6, flowsPerCpu: 64}\n";
const web = (backends: string, more = ""): string =>
  `  - {name: web, address: 10.200.1.1, port: 80, protocol: tcp, backends: [${backends}]${more}}\n`;
const one = "{address: 10.0.0.1}";
const two = "{address: 10.0.0.2}";

async function opened(text: string): Promise<Controlled> {
  const config = configOf(text);
  const controlled = await openControlled(config);
  await change(controlled, config);
  return controlled;
}

test("the first programming needs no grace period and publishes last", async () => {
  const config = configOf(`${CAPACITY}vips:\n${web(`${one}, ${two}`)}`);
  const controlled = await openControlled(config);
  expect(planFor(controlled, config).actions.map(({ kind }) => kind)).toEqual([
    "write-settings",
    "write-backend",
    "write-backend",
    "build-ring",
    "write-vip",
    "write-buckets",
    "publish-table",
  ]);
});

test("planning the same again gives nothing to do", async () => {
  const text = `${CAPACITY}vips:\n${web(`${one}, ${two}`)}`;
  const controlled = await opened(text);
  expect(planFor(controlled, configOf(text)).actions).toEqual([]);
  expect(planFor(controlled, configOf(text)).vips).toEqual([
    { label: "web (tcp 10.200.1.1:80)", change: "none", movedSlots: 0 },
  ]);
});

test("a change of backends builds a free ring and switches to it by one store", async () => {
  const controlled = await opened(`${CAPACITY}vips:\n${web(one)}`);
  const plan = await change(controlled, configOf(`${CAPACITY}vips:\n${web(`${one}, ${two}`)}`));
  expect(plan.actions.map(({ kind }) => kind)).toEqual([
    "grace-period",
    "write-backend",
    "build-ring",
    "switch-ring",
  ]);
  expect(plan.vips[0]?.change).toBe("backends");
  expect(plan.vips[0]?.movedSlots).toBeGreaterThan(32000);
  expect(plan.vips[0]?.movedSlots).toBeLessThan(33500);
});

test("VIPs with equal backends share a ring", async () => {
  const controlled = await opened(
    `${CAPACITY}vips:\n${web(one)}  - {address: 10.200.1.2, port: 80, protocol: tcp, backends: [${one}]}\n`,
  );
  const actual = planFor(controlled, configOf(`${CAPACITY}vips: []`));
  expect(actual.vips.length).toBe(2);
  const rings = ["tcp 10.200.1.1:80", "tcp 10.200.1.2:80"].map(() => controlled.dataplane.map("vips"));
  expect(rings[0]!.read(1).slice(28, 32)).toEqual(rings[1]!.read(2).slice(28, 32));
});

describe("flows", () => {
  const client = parseIpAddress("192.0.2.1");
  const other = parseIpAddress("2001:db8::1");

  async function withFlows(): Promise<Controlled> {
    const controlled = await opened(`${CAPACITY}vips:\n${web(`${one}, ${two}`)}`);
    putFlow(controlled.dataplane, { cpu: 0, source: client, flowVip: 1, backend: 1 });
    putFlow(controlled.dataplane, { cpu: 1, source: other, flowVip: 1, backend: 2 });
    putFragment(controlled.dataplane, { cpu: 1, index: 7, vip: 1, backend: 1 });
    putFragment(controlled.dataplane, { cpu: 1, index: 9, vip: 1, backend: 2 });
    return controlled;
  }

  test.for([
    {
      name: "of a removed backend are forgotten",
      backends: two,
      sources: ["2001:db8::1"],
      fragments: ["1/2"],
    },
    {
      name: "of a draining backend stay",
      backends: `{address: 10.0.0.1, state: draining}, ${two}`,
      sources: ["192.0.2.1", "2001:db8::1"],
      fragments: ["1/1", "1/2"],
    },
    {
      name: "of a backend of weight 0 stay",
      backends: `{address: 10.0.0.1, weight: 0}, ${two}`,
      sources: ["192.0.2.1", "2001:db8::1"],
      fragments: ["1/1", "1/2"],
    },
    {
      name: "of a backend that is down are forgotten",
      backends: `{address: 10.0.0.1, state: down}, ${two}`,
      sources: ["2001:db8::1"],
      fragments: ["1/2"],
    },
    {
      name: "of a backend that is down as in Katran stay",
      backends: `{address: 10.0.0.1, state: down, katranDown: true}, ${two}`,
      sources: ["192.0.2.1", "2001:db8::1"],
      fragments: ["1/1", "1/2"],
    },
  ])("$name", async ({ backends, sources, fragments }) => {
    const controlled = await withFlows();
    const config = configOf(`${CAPACITY}vips:\n${web(backends)}`);
    await change(controlled, config);
    expect(flowSources(controlled.dataplane)).toEqual(sources);
    expect(fragmentPairs(controlled.dataplane)).toEqual(fragments);
    expect(planFor(controlled, config).actions).toEqual([]);
  });

  test("of a VIP that changes its flags stay, and it keeps its flow_vip", async () => {
    const controlled = await withFlows();
    const plan = await change(
      controlled,
      configOf(`${CAPACITY}vips:\n${web(`${one}, ${two}`, ", flags: [bypass-flow-table]")}`),
    );
    expect(plan.vips[0]?.change).toBe("replaced");
    expect(plan.names.vips[0]).toMatchObject({ id: 2, flowVip: 1 });
    expect(flowSources(controlled.dataplane)).toEqual(["192.0.2.1", "2001:db8::1"]);
    expect(fragmentPairs(controlled.dataplane)).toEqual(["1/1", "1/2"]);
  });

  test("of a VIP that is deleted are forgotten, and so are its fragments", async () => {
    const controlled = await withFlows();
    await change(controlled, configOf(`${CAPACITY}vips: []`));
    expect(flowSources(controlled.dataplane)).toEqual([]);
    expect(fragmentPairs(controlled.dataplane)).toEqual([]);
  });

  test("that a crash left behind are forgotten by the next plan", async () => {
    const text = `${CAPACITY}vips:\n${web(two)}`;
    const controlled = await opened(text);
    putFlow(controlled.dataplane, { cpu: 0, source: client, flowVip: 1, backend: 5 });
    putFlow(controlled.dataplane, { cpu: 0, source: client, flowVip: 77, backend: 1 });
    const plan = await change(controlled, configOf(text));
    expect(plan.actions.map(({ kind }) => kind)).toEqual(["grace-period", "forget-flows"]);
    expect(flowSources(controlled.dataplane)).toEqual([]);
  });
});

describe("a VIP without backends that take new flows", () => {
  test.for([
    "",
    "{address: 10.0.0.1, state: down}",
    "{address: 10.0.0.1, weight: 0}",
    "{address: 10.0.0.1, state: draining}",
  ])("has the empty ring: [%s]", async (backends) => {
    const config = configOf(`${CAPACITY}vips:\n${web(backends)}`);
    const controlled = await openControlled(config);
    await change(controlled, config);
    expect(seenVip(controlled.dataplane, vipKey(config.vips[0]!))).toBe(
      "flags 0 mask 4294967295 no backends",
    );
  });
});

describe("the program is replaced", () => {
  const anyPort = `${CAPACITY}vips:\n  - {address: 10.200.1.2, port: 0, protocol: udp, backends: [${one}]}\n`;

  test("before the first VIP of every port goes live", async () => {
    const controlled = await opened(`${CAPACITY}vips:\n${web(one)}`);
    const plan = await change(controlled, configOf(anyPort));
    expect(plan.actions.map(formatAction)[0]).toBe("replace the program: option_any_port_vips false -> true");
    expect(plan.loaded.options.get("option_any_port_vips")).toBe(true);
  });

  test("not just because no VIP of every port is left", async () => {
    const controlled = await opened(anyPort);
    const plan = await change(controlled, configOf(`${CAPACITY}vips:\n${web(one)}`));
    expect(plan.actions.map(({ kind }) => kind)).not.toContain("replace-program");
    expect(planFor(controlled, configOf(`${CAPACITY}vips:\n${web(one)}`)).actions).toEqual([]);
  });
});

describe("refused with a PlanError that says what and how many", () => {
  test("another capacity than the maps have", async () => {
    const controlled = await opened(`${CAPACITY}vips: []`);
    const plan = (): unknown =>
      planFor(controlled, configOf("capacity: {vips: 40, backends: 6, flowsPerCpu: 64}\nvips: []"));
    expect(plan).toThrow(PlanError);
    expect(plan).toThrow(/capacity\.vips 40 needs 45 entries of map "vips", which was loaded with 8/);
  });

  test("more new backends than there are ids while the old ones are in use", async () => {
    const six = (from: number): string =>
      Array.from({ length: 6 }, (_, index) => `{address: 10.0.0.${from + index}}`).join(", ");
    const controlled = await opened(`${CAPACITY}vips:\n${web(six(1))}`);
    const config = configOf(`${CAPACITY}vips:\n${web(six(11))}`);
    expect(() => planFor(controlled, config)).toThrow(
      expect.objectContaining({ code: "no-free-id", resource: "backends", available: 6 }),
    );
  });
});

test("a change that needs more rings and ids than are free goes in waves", async () => {
  const text = (count: number, backend: string, flags: string): string =>
    `capacity: {vips: 12, backends: 20, flowsPerCpu: 64}\nvips:\n${Array.from(
      { length: count },
      (_, index) =>
        `  - {address: 10.200.1.${index + 1}, port: 80, protocol: tcp, flags: [${flags}], backends: [{address: ${backend}}, {address: 10.9.0.${index + 1}}]}\n`,
    ).join("")}`;
  const controlled = await opened(text(12, "10.0.0.1", ""));
  const config = configOf(text(12, "10.0.0.2", "hash-no-source-port"));
  const plan = await change(controlled, config);
  // 12 VIPs, 4 spare ids and rings: three waves, each begun by a grace period.
  expect(plan.actions.filter(({ kind }) => kind === "publish-table").length).toBe(3);
  expect(planFor(controlled, config).actions).toEqual([]);
  for (const vip of config.vips)
    expect(seenVip(controlled.dataplane, vipKey(vip))).toMatch(/^flags 1 mask 4294901760 10\.0\.0\.2 x/);
});
