/**
 * Gateways and MTUs by interface: the steps of a change, and what packets of each interface see after every single operation on the
 * maps, also when one of them fails.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Config } from "../../../control/model/config.ts";
import { formatMac } from "../../../control/model/mac.ts";
import { formatAction } from "../../../control/plan/action.ts";
import { readActual } from "../../../control/plan/actual.ts";
import { applyPlan } from "../../../control/plan/apply.ts";
import type { InterfaceEntry } from "../../../control/plan/interface-table.ts";
import { type Plan, planChange } from "../../../control/plan/plan.ts";
import { PlanError } from "../../../control/plan/plan-error.ts";
import { type Dataplane, MapError } from "../../../dataplane/dataplane.ts";
import { interfaceEntry, settings as settingsCodec } from "../../../dataplane/xdp/generated/balancer.ts";
import { type Controlled, configOf, observed, openControlled } from "./harness.ts";

const CAPACITY = "capacity: {vips: 1, backends: 1, flowsPerCpu: 1}\n";
const GIVEN = configOf(`settings: {gatewayMac: "02:00:00:00:00:aa", mtu: 1400}\n${CAPACITY}vips: []`);
const OTHER = configOf(`settings: {gatewayMac: "02:00:00:00:00:bb"}\n${CAPACITY}vips: []`);
const LEFT_OUT = configOf(`settings: {}\n${CAPACITY}vips: []`);

const mac = (last: number): Uint8Array =>
  last === 0 ? new Uint8Array(6) : Uint8Array.of(2, 0, 0, 0, 1, last);
const entry = (ifindex: number, last: number, mtu = 1500): InterfaceEntry => ({
  ifindex,
  gatewayMac: mac(last),
  mtu,
});

interface State {
  readonly config: Config;
  readonly interfaces: readonly InterfaceEntry[];
}

function planState({ dataplane, loaded }: Controlled, state: State): Plan {
  return planChange({ ...state, actual: readActual(dataplane), loaded });
}

async function changeTo(controlled: Controlled, state: State): Promise<Plan> {
  const plan = planState(controlled, state);
  await applyPlan(plan, controlled.dataplane);
  return plan;
}

async function opened(state: State): Promise<Controlled> {
  const controlled = await openControlled(state.config);
  await changeTo(controlled, state);
  return controlled;
}

interface Hop {
  readonly mac: string;
  readonly mtu: number;
}

/** As the program looks it up (dataplane/xdp/interfaces.h), said once more. */
function seenHop(dataplane: Dataplane, ifindex: number): Hop {
  const settings = settingsCodec.read(dataplane.map("settings").read(0));
  const multiplier = settings.interfaceTable >> 32n;
  const slot = Number(((BigInt(ifindex) * multiplier) & 0xffff_ffffn) >> 24n);
  const index = Number(settings.interfaceTable & 0xffff_ffffn) + slot;
  const found = interfaceEntry.read(dataplane.map("interfaces").read(index));
  const { gatewayMac, mtu } = found.ifindex === ifindex ? found : settings;
  return { mac: formatMac(gatewayMac), mtu };
}

/** Worked out from what was asked for alone. */
function expectedHop({ config, interfaces }: State, ifindex: number): Hop {
  const own = interfaces.find((candidate) => candidate.ifindex === ifindex);
  const gatewayMac = own?.gatewayMac ?? config.settings.gatewayMac ?? mac(0);
  const mtu = own?.mtu ?? config.settings.mtu ?? 1500;
  const isKnown = gatewayMac.some((byte) => byte !== 0);
  return { mac: formatMac(gatewayMac), mtu: isKnown ? mtu : 0 };
}

describe("the steps", () => {
  test("a first interface needs no grace period, and is there before the settings lose their gateway", async () => {
    const controlled = await opened({ config: GIVEN, interfaces: [] });
    const plan = await changeTo(controlled, { config: LEFT_OUT, interfaces: [entry(3, 1)] });
    expect(plan.actions.map(formatAction)).toEqual([
      "write 1 interface into the table at entry 256: ifindex 3 to 02:00:00:00:01:01, mtu 1500",
      "publish the table of interfaces at entry 256, multiplier 0x9e3779b1",
      "change settings: gateway MAC 02:00:00:00:00:aa -> 00:00:00:00:00:00, mtu 1400 -> 0",
    ]);
    // While there is no gateway the mtu is 0: it goes first.
    const words = plan.actions.flatMap((action) =>
      action.kind === "write-settings" ? [...action.words.keys()] : [],
    );
    expect(words).toEqual([settingsCodec.offsets.mtu, settingsCodec.offsets.gatewayMac]);
  });

  test("a second interface takes the other copy, which may have been in use", async () => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [entry(3, 1)] });
    const plan = await changeTo(controlled, {
      config: LEFT_OUT,
      interfaces: [entry(3, 1), entry(4, 2, 9000)],
    });
    expect(plan.actions.map(({ kind }) => kind)).toEqual([
      "grace-period",
      "write-interfaces",
      "publish-interfaces",
    ]);
  });

  test("a gateway and an mtu change in place, each by one store", async () => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [entry(3, 1), entry(4, 2)] });
    const plan = await changeTo(controlled, {
      config: LEFT_OUT,
      interfaces: [entry(3, 7), entry(4, 2, 9000)],
    });
    expect(plan.actions.map(formatAction)).toEqual([
      "change interface 3: gateway MAC 02:00:00:00:01:01 -> 02:00:00:00:01:07",
      "change interface 4: mtu 1500 -> 9000",
    ]);
    expect(plan.actions.map((action) => action.kind === "change-interface" && action.words.size)).toEqual([
      1, 1,
    ]);
  });

  test("a gateway that is not known any more takes its mtu along, which goes first and comes back last", async () => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [entry(3, 1)] });
    const offsetsOf = ({ actions }: Plan): number[] =>
      actions.flatMap((action) => (action.kind === "change-interface" ? [...action.words.keys()] : []));
    expect(offsetsOf(await changeTo(controlled, { config: LEFT_OUT, interfaces: [entry(3, 0)] }))).toEqual([
      8, 0,
    ]);
    expect(offsetsOf(await changeTo(controlled, { config: LEFT_OUT, interfaces: [entry(3, 1)] }))).toEqual([
      0, 8,
    ]);
  });

  test("an interface that is gone is forgotten, after the settings that hold for it now", async () => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [entry(3, 1), entry(4, 2)] });
    const plan = await changeTo(controlled, { config: GIVEN, interfaces: [entry(3, 1)] });
    expect(plan.actions.map(formatAction)).toEqual([
      "change settings: gateway MAC 00:00:00:00:00:00 -> 02:00:00:00:00:aa, mtu 0 -> 1400",
      "forget interface 4",
    ]);
  });

  test("interfaces that nobody speaks of stay as they are", async () => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [entry(3, 1)] });
    const { dataplane, loaded } = controlled;
    expect(planChange({ config: LEFT_OUT, actual: readActual(dataplane), loaded }).actions).toEqual([]);
  });
});

describe("what is refused", () => {
  test("more interfaces than an instance takes", async () => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [] });
    const interfaces = Array.from({ length: 17 }, (_, index) => entry(index + 1, 1));
    expect(() => planState(controlled, { config: LEFT_OUT, interfaces })).toThrow(
      expect.objectContaining({ code: "over-capacity", resource: "interfaces", wanted: 17, available: 16 }),
    );
    expect(() => planState(controlled, { config: LEFT_OUT, interfaces })).toThrow(PlanError);
    expect(planState(controlled, { config: LEFT_OUT, interfaces: interfaces.slice(1) }).actions).not.toEqual(
      [],
    );
  });

  test.for([
    { name: "ifindex 0", interfaces: [entry(0, 1)], message: /^ifindex 0, / },
    { name: "an ifindex twice", interfaces: [entry(2, 1), entry(2, 2)], message: /^ifindex 2, / },
    { name: "an ifindex that is no number", interfaces: [entry(Number.NaN, 2)], message: /^ifindex NaN, / },
    {
      name: "a group MAC",
      interfaces: [{ ...entry(2, 1), gatewayMac: Uint8Array.of(1, 0, 0, 0, 0, 1) }],
      message: /^interface 2: gateway MAC 01:00:00:00:00:01, /,
    },
    {
      name: "half a MAC",
      interfaces: [{ ...entry(2, 1), gatewayMac: Uint8Array.of(2, 0, 0) }],
      message: /^interface 2: gateway MAC 02:00:00, /,
    },
    { name: "a negative mtu", interfaces: [entry(2, 1, -1)], message: /^interface 2: mtu -1, / },
  ])("$name", async ({ interfaces, message }) => {
    const controlled = await opened({ config: LEFT_OUT, interfaces: [] });
    const attempt = () => planState(controlled, { config: LEFT_OUT, interfaces });
    expect(attempt).toThrow(RangeError);
    expect(attempt).toThrow(message);
  });
});

/** Few, so that the same come and go; 3 and 259 and 515 share a slot under many multipliers. */
const IFINDEXES = [1, 2, 3, 259, 515, 2 ** 31 - 1];
const anyState: fc.Arbitrary<State> = fc.record({
  config: fc.constantFrom(GIVEN, OTHER, LEFT_OUT),
  interfaces: fc
    .uniqueArray(
      fc.record({
        ifindex: fc.constantFrom(...IFINDEXES),
        last: fc.constantFrom(0, 1, 2, 3),
        mtu: fc.constantFrom(0, 1500, 9000),
      }),
      { selector: ({ ifindex }) => ifindex, maxLength: 6 },
    )
    .map((some) => some.map(({ ifindex, last, mtu }) => entry(ifindex, last, mtu))),
});

test("whatever changes and fails, each interface sees its gateway of before or of after, and never none with an mtu", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyState, { minLength: 2, maxLength: 6 }),
      fc.array(fc.record({ at: fc.nat(8), isAfter: fc.boolean() }), { maxLength: 8 }),
      async (states, faults) => {
        const controlled = await openControlled(GIVEN);
        let before: State = { config: GIVEN, interfaces: [] };
        await changeTo(controlled, before);
        const left = [...faults];
        for (const state of [...states, { config: GIVEN, interfaces: [] }]) {
          await changeDespiteFaults(controlled, { before, state, left });
          for (const ifindex of IFINDEXES)
            expect(seenHop(controlled.dataplane, ifindex)).toEqual(expectedHop(state, ifindex));
          expect(planState(controlled, state).actions).toEqual([]);
          before = state;
        }
      },
    ),
    { numRuns: 60 },
  );
});

/** Plans and applies until nothing fails, and looks at what packets see after each operation. */
async function changeDespiteFaults(
  controlled: Controlled,
  change: { before: State; state: State; left: { readonly at: number; readonly isAfter: boolean }[] },
): Promise<void> {
  const { before, state, left } = change;
  const { dataplane } = controlled;
  const firstLive = (): number =>
    Number(settingsCodec.read(dataplane.map("settings").read(0)).interfaceTable & 0xffff_ffffn);
  const fail = (index: number, isAfter: boolean): void => {
    if (left[0]?.at !== index || left[0].isAfter !== isAfter) return;
    left.shift();
    throw new MapError("io", "any", "made to fail");
  };
  for (;;) {
    // Where packets that are still under way may look.
    const inUse = new Set([firstLive(), before.interfaces.length > 0 ? 256 - firstLive() : firstLive()]);
    const watched = observed(dataplane, {
      before: ({ index, overwrites }) => {
        fail(index, false);
        if (overwrites?.map === "interfaces") expect(inUse).not.toContain(overwrites.index);
      },
      after: ({ index, what }) => {
        if (what === "grace period") {
          inUse.clear();
          inUse.add(firstLive());
        }
        inUse.add(firstLive());
        for (const ifindex of IFINDEXES) expectBetween(dataplane, { before, state, ifindex });
        fail(index, true);
      },
    });
    try {
      return await applyPlan(planState(controlled, state), watched);
    } catch (error) {
      if (!((error as Error).cause instanceof MapError)) throw error;
    }
  }
}

function expectBetween(
  dataplane: Dataplane,
  { before, state, ifindex }: { readonly before: State; readonly state: State; readonly ifindex: number },
): void {
  const hop = seenHop(dataplane, ifindex);
  const [old, next] = [expectedHop(before, ifindex), expectedHop(state, ifindex)];
  expect([old.mac, next.mac], `gateway of ${ifindex}`).toContain(hop.mac);
  const isKnownThroughout = ![old.mac, next.mac].includes(formatMac(mac(0)));
  expect(isKnownThroughout ? [old.mtu, next.mtu] : [old.mtu, next.mtu, 0], `mtu of ${ifindex}`).toContain(
    hop.mtu,
  );
  if (hop.mac === formatMac(mac(0))) expect(hop.mtu, `mtu of ${ifindex} without a gateway`).toBe(0);
}
