/**
 * Random sequences of configurations, with flows, and with operations that fail. After every single operation on the maps packets
 * must find each VIP as it was or as it is to be, and no flow may resolve to a backend or VIP it was not made for.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { formatIpAddress, parseIpAddress } from "../../../control/model/address.ts";
import type { Backend, Config, Vip, VipFlag } from "../../../control/model/config.ts";
import { liveTable, liveVips, readActual } from "../../../control/plan/actual.ts";
import { desiredVips } from "../../../control/plan/desired.ts";
import { listFlows } from "../../../control/plan/flow-table.ts";
import { backendsOf } from "../../../control/plan/ring-slots.ts";
import { formatVipKey, portsMask, type VipKey, vipFlags, vipKey } from "../../../control/plan/vip-entry.ts";
import { buildRing } from "../../../control/ring/maglev.ts";
import { type Dataplane, MapError } from "../../../dataplane/dataplane.ts";
import { putFlow } from "./flows.ts";
import {
  backendAddress,
  type Controlled,
  change,
  configOf,
  describeOwners,
  lookupExact,
  type Operation,
  observed,
  openControlled,
  planFor,
  seenVip,
} from "./harness.ts";

const BASE = configOf("capacity: {vips: 7, backends: 12, flowsPerCpu: 256}\nvips: []");

/** Few keys and few addresses, so that the same come and go and ids run out. */
const KEYS = [
  { address: "10.200.1.1", port: 80, protocol: "tcp" },
  { address: "10.200.1.1", port: 443, protocol: "tcp" },
  { address: "10.200.1.1", port: 0, protocol: "udp" },
  { address: "10.200.1.2", port: 0, protocol: "tcp" },
  { address: "2001:db8::1", port: 53, protocol: "udp" },
  { address: "2001:db8::1", port: 53, protocol: "tcp" },
  { address: "2001:db8::2", port: 443, protocol: "udp" },
] as const;
const ADDRESSES = ["10.0.0.1", "10.0.0.2", "fc00::1", "fc00::2"];
/** More addresses than there are ids, so that ids have to be used again. */
const LATER_ADDRESSES = Array.from({ length: 30 }, (_, index) => `10.0.1.${index + 1}`);

const anyBackends: fc.Arbitrary<readonly Backend[]> = fc
  .tuple(
    fc.subarray(ADDRESSES, { maxLength: 3 }),
    fc.subarray(LATER_ADDRESSES, { maxLength: 2 }),
    fc.array(
      fc.record({
        weight: fc.constantFrom(0, 1, 1, 2, 5),
        state: fc.constantFrom("active", "active", "draining", "down"),
        katranDown: fc.boolean(),
      }),
      { minLength: 5, maxLength: 5 },
    ),
  )
  .map(([some, later, facts]) =>
    [...some, ...later].map((text, index) => {
      const { weight, state, katranDown } = facts[index]!;
      return {
        address: parseIpAddress(text),
        weight,
        state,
        katranDown: state === "down" && katranDown,
      } as Backend;
    }),
  );

const anyVip = (key: (typeof KEYS)[number]): fc.Arbitrary<Vip> =>
  fc
    .tuple(
      anyBackends,
      fc.subarray<VipFlag>(
        ["hash-no-source-port", "bypass-flow-table", "hash-destination-port", "hash-both-ports"],
        { maxLength: 1 },
      ),
      fc.constantFrom("v1" as const, "v2" as const),
    )
    .map(([backends, flags, maglev]) => ({
      ...key,
      name: undefined,
      address: parseIpAddress(key.address),
      backends,
      flags,
      maglev,
    }));

const anyConfig: fc.Arbitrary<Config> = fc
  .tuple(fc.subarray([...KEYS], { maxLength: 7 }), fc.integer({ min: 0, max: 3 }))
  .chain(([keys, mtu]) =>
    fc
      .tuple(...keys.map(anyVip))
      .map((vips) => ({ ...BASE, settings: { ...BASE.settings, mtu: 1500 + mtu }, vips })),
  )
  .filter(
    (config) =>
      new Set(config.vips.flatMap((vip) => vip.backends.map(({ address }) => String(address.bytes)))).size <=
      6,
  );

const KEY_LIST: readonly VipKey[] = KEYS.map((key) =>
  vipKey({ ...key, address: parseIpAddress(key.address) } as Vip),
);

/** What packets find of a VIP when `config` is in force: worked out from the configuration alone. */
function expectedView(config: Config, key: VipKey): string {
  const vip = config.vips.find((candidate) => formatVipKey(vipKey(candidate)) === formatVipKey(key));
  if (vip === undefined) return "none";
  const takesFlows = vip.backends.filter(
    ({ state, katranDown }) => state === "active" || (state === "down" && katranDown),
  );
  const backends = takesFlows.map(({ address, weight }) => ({ address: address.bytes, weight }));
  const ring = buildRing({ algorithm: vip.maglev, backends });
  const flags = vipFlags(vip.flags);
  const owners =
    ring === undefined
      ? "no backends"
      : describeOwners(ring, (position) => formatIpAddress(takesFlows[position]!.address));
  return `flags ${flags} mask ${portsMask({ port: vip.port, flags })} ${owners}`;
}

/** The lowest port among the VIPs of an address and protocol (of every protocol where it is 0), or "none". */
function lowestPort(config: Config, key: VipKey, protocol: number): string {
  const ports = config.vips
    .map(vipKey)
    .filter((other) => formatIpAddress(other.address) === formatIpAddress(key.address))
    .filter((other) => protocol === 0 || other.protocol === protocol)
    .map(({ port }) => port);
  return ports.length === 0 ? "none" : String(Math.min(...ports));
}

function seenLowestPort(dataplane: Dataplane, key: VipKey, protocol: number): string {
  const id = lookupExact(dataplane, { ...key, port: 0, protocol });
  if (id === 0) return "none";
  return String(liveVips(readActualCheaply(dataplane)).find((vip) => vip.id === id)?.key.port);
}

function readActualCheaply(dataplane: Dataplane): {
  settings: Uint8Array;
  vipBuckets: Uint8Array;
  vips: Uint8Array;
} {
  const whole = (name: string): Uint8Array => {
    const map = dataplane.map(name);
    return map.withView(0, map.maxEntries, (bytes) => bytes.slice());
  };
  return { settings: whole("settings"), vipBuckets: whole("vip_buckets"), vips: whole("vips") };
}

/** Looks at the maps as packets do. `before` and `after` are what may be in force for each VIP. */
class Watch {
  readonly #dataplane: Dataplane;
  readonly #flows = new Map<string, { vip: string; backend: string }>();
  #nextSource = 1;
  /** "map index" of what packets could reach at some time since the last grace period. */
  readonly #inUse = new Set<string>();

  constructor(dataplane: Dataplane) {
    this.#dataplane = dataplane;
  }

  /** Everything is as `before` or as `after` has it, each VIP by itself. */
  expectOneOf(
    views: readonly { readonly views: readonly string[]; readonly config: Config }[],
    where: string,
  ): void {
    KEY_LIST.forEach((key, index) => {
      const seen = seenVip(this.#dataplane, key);
      expect(
        views.map((view) => view.views[index]),
        `${where}: ${formatVipKey(key)}`,
      ).toContain(seen);
      for (const protocol of [0, key.protocol]) {
        const port = seenLowestPort(this.#dataplane, key, protocol === 0 ? 0 : protocol | 0x80);
        // In waves some VIPs of an address may be old and some new, so any port of either is right then.
        const ports = views.flatMap(({ config }) => [
          lowestPort(config, key, protocol),
          ...config.vips.map((vip) => String(vip.port)),
        ]);
        expect(ports, `${where}: lowest port of ${formatVipKey(key)}`).toContain(port);
      }
    });
    this.expectFlowsMeanWhatTheyDid(where);
  }

  expectExactly(config: Config): void {
    KEY_LIST.forEach((key) => {
      expect(seenVip(this.#dataplane, key)).toBe(expectedView(config, key));
      expect(seenLowestPort(this.#dataplane, key, 0)).toBe(lowestPort(config, key, 0));
      expect(seenLowestPort(this.#dataplane, key, key.protocol | 0x80)).toBe(
        lowestPort(config, key, key.protocol),
      );
    });
  }

  /** A flow as a packet in flight would add it: of a VIP as it is now, to one of its backends. */
  addFlow(choice: number): void {
    const vips = liveVips(readActualCheaply(this.#dataplane)).filter(({ ring }) => ring !== 0);
    const vip = vips[choice % Math.max(1, vips.length)];
    if (vip === undefined || [...listFlows(this.#dataplane)].length > 100) return;
    const word = this.#dataplane
      .map("rings")
      .withView(
        vip.ring,
        1,
        (bytes) => new Uint32Array(bytes.buffer, bytes.byteOffset, 65537)[choice % 65537]!,
      );
    const n = this.#nextSource++;
    const source = parseIpAddress(
      choice % 2 === 0 ? `198.51.${n >> 8}.${n & 255}` : `2001:db8:1::${n.toString(16)}`,
    );
    const backend = word & 0xffff;
    putFlow(this.#dataplane, { cpu: choice % 2, source, flowVip: vip.flowVip, backend });
    this.#flows.set(formatIpAddress(source), {
      vip: formatVipKey(vip.key),
      backend: backendAddress(this.#dataplane, backend),
    });
  }

  expectFlowsMeanWhatTheyDid(where: string): void {
    const live = new Map(
      liveVips(readActualCheaply(this.#dataplane)).map((vip) => [vip.flowVip, formatVipKey(vip.key)]),
    );
    for (const { source, flowVip, backend } of listFlows(this.#dataplane)) {
      const made = this.#flows.get(formatIpAddress(source))!;
      const vip = live.get(flowVip);
      if (vip !== undefined) expect(vip, `${where}: VIP of a flow`).toBe(made.vip);
      if (vip !== undefined)
        expect(backendAddress(this.#dataplane, backend), `${where}: backend of a flow`).toBe(made.backend);
    }
  }

  /** Flows that `config` keeps are there, and no others. */
  expectFlowsOf(config: Config, flowsBefore: ReadonlySet<string>): void {
    const kept = new Set(
      desiredVips(config).flatMap(({ keyText, members }) =>
        members.filter(({ keepsFlows }) => keepsFlows).map(({ addressText }) => `${keyText} ${addressText}`),
      ),
    );
    const left = new Set([...listFlows(this.#dataplane)].map(({ source }) => formatIpAddress(source)));
    for (const [source, { vip, backend }] of this.#flows) {
      const isKept = kept.has(`${vip} ${backend}`);
      if (!isKept) expect(left.has(source), `a flow of ${vip} to ${backend}`).toBe(false);
      else if (flowsBefore.has(source)) expect(left.has(source), `a flow of ${vip} to ${backend}`).toBe(true);
    }
  }

  /** Nothing that a packet in flight may be using is written over. Single stores and clearing of flows are meant to be seen. */
  expectUnused({ what, overwrites }: Operation): void {
    this.#noteUse();
    if (overwrites === undefined) return;
    const { map, index, count } = overwrites;
    if (!["vip_buckets", "vips", "rings", "backends"].includes(map)) return;
    // The sweep looks at the whole map of VIPs, but only reads.
    if (map === "vips" && count > 1) return;
    for (let at = index; at < index + count; at++) {
      expect(this.#inUse.has(`${map} ${at}`), `${what}: ${map} ${at} may be in use`).toBe(false);
    }
  }

  /** Only what packets can reach from now on is in use. */
  graceIsOver(): void {
    this.#inUse.clear();
    this.#noteUse();
  }

  #noteUse(): void {
    const maps = readActualCheaply(this.#dataplane);
    const { firstBucket } = liveTable(maps);
    const bucketCount = this.#dataplane.map("vip_buckets").maxEntries / 2;
    for (let at = 0; at < bucketCount; at++) this.#inUse.add(`vip_buckets ${firstBucket + at}`);
    for (const { id, ring } of liveVips(maps)) {
      this.#inUse.add(`vips ${id}`);
      if (ring === 0) continue;
      this.#inUse.add(`rings ${ring}`);
      for (const backend of this.#ringBackends(ring)) this.#inUse.add(`backends ${backend}`);
    }
    for (const { backend } of listFlows(this.#dataplane)) this.#inUse.add(`backends ${backend}`);
  }

  #ringBackends(ring: number): ReadonlySet<number> {
    return this.#dataplane
      .map("rings")
      .withView(ring, 1, (bytes) =>
        backendsOf(new Uint32Array(bytes.buffer, bytes.byteOffset, 65537).slice()),
      );
  }

  flows(): Set<string> {
    return new Set([...listFlows(this.#dataplane)].map(({ source }) => formatIpAddress(source)));
  }
}

const viewsOf = (config: Config): { views: string[]; config: Config } => ({
  views: KEY_LIST.map((key) => expectedView(config, key)),
  config,
});

/** Applies until it succeeds; `fault` throws where an operation is to fail. */
async function changeDespiteFaults(
  controlled: Controlled,
  config: Config,
  {
    watch,
    before,
    fault,
  }: { watch: Watch; before: Config; fault: (index: number, isAfter: boolean) => void },
): Promise<number> {
  const allowed = [viewsOf(before), viewsOf(config)];
  let failures = 0;
  for (;;) {
    const dataplane = observed(controlled.dataplane, {
      before: (operation) => {
        watch.expectUnused(operation);
        fault(operation.index, false);
      },
      after: ({ index, what }) => {
        if (what === "grace period") watch.graceIsOver();
        watch.expectOneOf(allowed, `after ${what}`);
        fault(index, true);
      },
    });
    try {
      await change(controlled, config, dataplane);
      return failures;
    } catch (error) {
      if (!((error as Error).cause instanceof MapError)) throw error;
      failures++;
    }
  }
}

const afterwards = { timeout: 240_000 };

test(
  "packets find each VIP old or new at every step, and everything new at the end",
  afterwards,
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyConfig, { minLength: 3, maxLength: 6 }),
        fc.array(fc.nat(1_000_000), { minLength: 6, maxLength: 6 }),
        async (configs, choices) => {
          const controlled = await openControlled(BASE);
          const watch = new Watch(controlled.dataplane);
          let before = BASE;
          for (const config of [...configs, { ...BASE, vips: [] }]) {
            for (const choice of choices) watch.addFlow(choice);
            const flows = watch.flows();
            await changeDespiteFaults(controlled, config, { watch, before, fault: () => {} });
            watch.expectExactly(config);
            watch.expectFlowsOf(config, flows);
            expect(planFor(controlled, config).actions).toEqual([]);
            before = config;
          }
          expect(watch.flows()).toEqual(new Set());
          expect(liveVips(readActual(controlled.dataplane))).toEqual([]);
        },
      ),
      { numRuns: 20 },
    );
  },
);

test("whatever fails in between, planning again ends at the same", afterwards, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyConfig, { minLength: 2, maxLength: 4 }),
      fc.array(fc.record({ at: fc.nat(40), isAfter: fc.boolean() }), { minLength: 3, maxLength: 12 }),
      fc.nat(1_000_000),
      async (configs, faults, choice) => {
        const controlled = await openControlled(BASE);
        const watch = new Watch(controlled.dataplane);
        let before = BASE;
        const left = [...faults];
        for (const config of [...configs, { ...BASE, vips: [] }]) {
          for (let offset = 0; offset < 4; offset++) watch.addFlow(choice + offset);
          const flows = watch.flows();
          await changeDespiteFaults(controlled, config, {
            watch,
            before,
            fault: (index, isAfter) => {
              if (left[0]?.at !== index || left[0].isAfter !== isAfter) return;
              left.shift();
              throw new MapError("io", "any", "made to fail");
            },
          });
          watch.expectExactly(config);
          watch.expectFlowsOf(config, flows);
          expect(planFor(controlled, config).actions).toEqual([]);
          before = config;
        }
        expect(watch.flows()).toEqual(new Set());
      },
    ),
    { numRuns: 20 },
  );
});

test("what a wave replaced is used again only after a grace period, though there is nothing to forget", async () => {
  const backend = (text: string, weight: number): Backend => ({
    address: parseIpAddress(text),
    weight,
    state: "active",
    katranDown: false,
  });
  const config = (...addresses: string[]): Config => ({
    ...BASE,
    vips: KEYS.map((key, index) => ({
      ...key,
      name: undefined,
      address: parseIpAddress(key.address),
      flags: [],
      maglev: "v2" as const,
      backends: addresses.map((address, position) => backend(address, 1 + index + position)),
    })),
  });
  const controlled = await openControlled(BASE);
  const watch = new Watch(controlled.dataplane);
  const small = config("10.0.0.1", "10.0.0.2");
  const large = config("10.0.0.1", "10.0.0.2", "10.0.0.3");
  await changeDespiteFaults(controlled, small, { watch, before: BASE, fault: () => {} });
  const kinds = planFor(controlled, large).actions.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === "grace-period").length).toBe(2);
  expect(kinds).not.toContain("forget-flows");
  await changeDespiteFaults(controlled, large, { watch, before: small, fault: () => {} });
  watch.expectExactly(large);
});

test("ids that go round and round never mean something else while packets or flows may use them", async () => {
  const controlled = await openControlled(BASE);
  const watch = new Watch(controlled.dataplane);
  const flags: readonly VipFlag[][] = [[], ["hash-no-source-port"], ["bypass-flow-table"]];
  let before = BASE;
  // Four VIPs of seven and four new backends a round: the 11 ids of VIPs and the 12 of backends are soon used up.
  for (let round = 0; round < 14; round++) {
    const vips = Array.from({ length: 4 }, (_, index): Vip => {
      const key = KEYS[(round + index) % KEYS.length]!;
      const address = (position: number): string => `10.0.${round + position}.${index + 1}`;
      return {
        ...key,
        name: undefined,
        address: parseIpAddress(key.address),
        flags: flags[round % 3]!,
        maglev: "v2",
        backends: [0, 1].map((position) => ({
          address: parseIpAddress(address(position)),
          weight: 1,
          state: "active",
          katranDown: false,
        })),
      };
    });
    const config = { ...BASE, vips };
    for (let flow = 0; flow < 8; flow++) watch.addFlow(flow * 7919);
    const flows = watch.flows();
    await changeDespiteFaults(controlled, config, { watch, before, fault: () => {} });
    watch.expectExactly(config);
    watch.expectFlowsOf(config, flows);
    before = config;
  }
});
