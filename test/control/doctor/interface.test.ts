/** Facts of an interface in, findings out. */
import { describe, expect, test } from "vitest";
import { judgeHeadroom } from "../../../control/doctor/headroom.ts";
import { judgeNextHop } from "../../../control/doctor/next-hop.ts";
import { judgeOffloads } from "../../../control/doctor/offloads.ts";
import { judgeQueues } from "../../../control/doctor/queues.ts";
import { judgeRouting } from "../../../control/doctor/routing.ts";
import {
  judgeBuffers,
  judgeInstance,
  judgeLink,
  judgeNativeXdp,
  judgeOccupants,
} from "../../../control/doctor/xdp.ts";
import type { InterfaceFacts } from "../../../dataplane/kernel/interface-facts.ts";
import type { PinnedFacts } from "../../../dataplane/kernel/pinned-facts.ts";
import {
  type ConfigParts,
  config,
  driverFacts,
  features,
  interfaceFacts,
  interfaceInfo,
  pinnedFacts,
  ROUTER_MAC,
  shown,
} from "./facts.ts";

const CPUS = [0, 1, 2, 3];

test("an interface as it should be gives nothing to do", () => {
  const facts = interfaceFacts();
  const findings = [
    judgeLink(facts),
    judgeNativeXdp(facts, [6, 12]),
    judgeOccupants(facts, pinnedFacts()),
    judgeInstance(pinnedFacts()),
    ...judgeBuffers(facts),
    ...judgeQueues(facts, CPUS, config()),
    ...judgeOffloads(facts),
    ...judgeHeadroom(facts, config()),
    ...judgeNextHop(facts, config()),
    judgeRouting(facts),
  ];
  expect(shown(findings)).toEqual([
    "ok link: up, 02:00:00:00:00:01",
    "ok native XDP: driver ice has it",
    "ok XDP programs: none",
    "ok instance: none at /sys/fs/bpf/lamna",
    "ok queues: 4 receive queues for 4 CPUs",
    "ok interrupts: 4 receive interrupts on 4 CPUs",
    "ok RSS: 4 queues in a table of 128, hash toeplitz",
    "ok offloads: LRO and hardware GRO are off; GRO is on, which native XDP runs before",
    "ok MTU: 1600, room for 1500 + 20 bytes of outer header",
    "ok next hop: 10.0.0.254 at 02:00:00:00:00:fe (reachable), by a route",
    "ok routing: rp_filter (0) and ip_forward do not matter: what is forwarded never reaches the host's stack",
  ]);
});

test.for<{ name: string; change: object; expected: RegExp }>([
  { name: "down", change: { isUp: false }, expected: /^problem link: down -> ip link set e0 up$/ },
  { name: "without a carrier", change: { hasCarrier: false }, expected: /^problem link: .*carrier/ },
  { name: "without a MAC", change: { mac: undefined }, expected: /^problem link: no Ethernet/ },
])("a link that is $name", ({ change, expected }) => {
  expect(shown([judgeLink(interfaceFacts({ info: interfaceInfo(change) }))])).toEqual([
    expect.stringMatching(expected),
  ]);
});

test.for<{ name: string; change: Partial<InterfaceFacts>; version?: [number, number]; expected: RegExp }>([
  {
    name: "a driver that says it has none",
    change: { xdpFeatures: { isNative: false, isRedirectTarget: false, hasFrags: false, canOffload: false } },
    expected: /^warning native XDP: driver ice has none -> "lamna attach --mode generic"/,
  },
  {
    name: "by the list, where the kernel does not say",
    change: { xdpFeatures: undefined },
    expected: /^ok native XDP: driver ice has it since Linux 5\.5$/,
  },
  {
    name: "a kernel before the driver had it",
    change: {
      xdpFeatures: undefined,
      driver: driverFacts({ driver: { driver: "igc", bus: "" } }),
    },
    version: [5, 10],
    expected: /^warning native XDP: driver igc has it only since Linux 5\.13/,
  },
  {
    name: "a driver that nobody knows",
    change: { xdpFeatures: undefined, driver: driverFacts({ driver: { driver: "odd", bus: "" } }) },
    expected: /^unknown native XDP: driver odd/,
  },
  {
    name: "a VLAN",
    change: { info: interfaceInfo({ kind: "vlan" }) },
    expected: /^warning native XDP: .*interface below/,
  },
])("native XDP: $name", ({ change, version = [6, 12], expected }) => {
  expect(shown([judgeNativeXdp(interfaceFacts(change), version)])).toEqual([expect.stringMatching(expected)]);
});

test("an MTU beyond one buffer is a matter of the driver", () => {
  const info = interfaceInfo({ mtu: 9000 });
  const xdpFeatures = { isNative: true, isRedirectTarget: true, hasFrags: true, canOffload: false };
  expect(shown(judgeBuffers(interfaceFacts({ info })))).toEqual([
    expect.stringMatching(/^warning buffers: .*9000.* -> ip link set e0 mtu 3498/),
  ]);
  expect(judgeBuffers(interfaceFacts({ info, xdpFeatures }))[0]?.state).toBe("ok");
});

function hopThrough(egress: string): InterfaceFacts["nextHop"] {
  const { nextHop } = interfaceFacts();
  if (!nextHop.isResolved) throw new Error("unreachable");
  return { isResolved: true, hop: { ...nextHop.hop, egress } };
}

const PROGRAM = { mode: "native", programId: 7, name: "xdp_dispatcher" } as const;

test.for<{
  name: string;
  programs: InterfaceFacts["xdpPrograms"];
  pinned: Partial<PinnedFacts>;
  expected: RegExp;
}>([
  {
    name: "somebody else's",
    programs: [PROGRAM],
    pinned: {},
    expected:
      /^problem XDP programs: program 7 \("xdp_dispatcher"\) in native mode.*ip link set dev e0 xdp off/,
  },
  {
    name: "one without a name",
    programs: [{ ...PROGRAM, name: undefined }],
    pinned: {},
    expected: /^problem XDP programs: program 7 in native mode, not/,
  },
  {
    name: "ours",
    programs: [PROGRAM],
    pinned: { state: "there", interfaces: ["e0"] },
    expected: /^ok XDP programs: program 7 \("xdp_dispatcher"\) in native mode, by \/sys\/fs\/bpf\/lamna$/,
  },
  {
    name: "nobody knows whose",
    programs: [PROGRAM],
    pinned: { state: "unreadable" },
    expected: /^unknown XDP programs/,
  },
  {
    name: "ours, which somebody took away",
    programs: [],
    pinned: { state: "there", interfaces: ["e0"] },
    expected: /^problem XDP programs: none, though.* -> lamna attach e0$/,
  },
])("programs on the interface: $name", ({ programs, pinned, expected }) => {
  const finding = judgeOccupants(interfaceFacts({ xdpPrograms: programs }), pinnedFacts(pinned));
  expect(shown([finding])).toEqual([expect.stringMatching(expected)]);
});

test.for<{ change: Partial<PinnedFacts>; expected: string }>([
  {
    change: { state: "there", interfaces: ["e0", "e1"] },
    expected: "ok instance: at /sys/fs/bpf/lamna, on e0 and e1",
  },
  { change: { state: "there" }, expected: "ok instance: at /sys/fs/bpf/lamna, on no interface" },
  {
    change: { state: "unreadable" },
    expected: "unknown instance: /sys/fs/bpf/lamna is there, and not readable -> run as root to see",
  },
])("an instance that is $change.state", ({ change, expected }) => {
  expect(shown([judgeInstance(pinnedFacts(change))])).toEqual([expected]);
});

describe("queues", () => {
  const channels = (receive: number, receiveMax: number, isCombined = true) => ({
    driver: driverFacts({ channels: { receive, receiveMax, isCombined } }),
  });

  test.for<{ name: string; change: Partial<InterfaceFacts>; parts?: ConfigParts; expected: RegExp }>([
    {
      name: "fewer than CPUs, and more to be had",
      change: channels(2, 3),
      expected: /^warning queues: 2 receive queues for 4 CPUs.* -> ethtool -L e0 combined 3$/,
    },
    {
      name: "receive-only ones",
      change: channels(1, 8, false),
      expected: /^warning queues: 1 receive queue for.* -> ethtool -L e0 rx 4$/,
    },
    { name: "all that the device has", change: channels(2, 2), expected: /^ok queues: .*as many as/ },
    {
      name: "only one to be had",
      change: channels(1, 1),
      expected: /^warning queues: 1 receive queue.*device/,
    },
    {
      name: "a driver that does not say",
      change: { driver: driverFacts({ channels: undefined }) },
      expected: /^ok queues: 4 receive queues/,
    },
    {
      name: "interrupts that all go to one CPU",
      change: { interrupts: [40, 41, 42].map((irq) => ({ irq, name: `q${irq}`, cpus: [0] })) },
      expected:
        /^warning interrupts: q40, q41 and q42 all go to CPU 0 -> .*\/proc\/irq\/40\/smp_affinity_list/,
    },
    {
      name: "more interrupts than CPUs",
      change: {
        interrupts: [0, 1, 2, 3, 4, 5, 6, 7].map((each) => ({
          irq: each,
          name: `q${each}`,
          cpus: [each % 4],
        })),
      },
      expected: /^ok interrupts: 8 receive interrupts on 4 CPUs$/,
    },
    {
      name: "interrupts that may go anywhere",
      change: { interrupts: [40, 41].map((irq) => ({ irq, name: `q${irq}`, cpus: [0, 1, 2, 3] })) },
      expected: /^ok interrupts: 2 receive interrupts on 4 CPUs$/,
    },
    {
      name: "interrupts whose CPUs cannot be read",
      change: { interrupts: [{ irq: 40, name: "q", cpus: undefined }] },
      expected: /^unknown interrupts/,
    },
    {
      name: "a device without interrupts to be seen",
      change: { interrupts: [] },
      expected: /^unknown interrupts/,
    },
    {
      name: "an indirection table that leaves queues out",
      change: { driver: driverFacts({ rss: { tableSize: 128, queues: [0, 1], hash: undefined } }) },
      expected: /^warning RSS: 2 queues in a table of 128: 2 queues get no packets -> ethtool -X e0 equal 4$/,
    },
    {
      name: "UDP hashed without ports",
      change: {
        driver: driverFacts({
          rssFields: { tcp4HasPorts: true, udp4HasPorts: false, tcp6HasPorts: true, udp6HasPorts: false },
        }),
      },
      parts: { vips: [{ address: "10.100.0.1", protocol: "udp", backends: ["10.0.0.1"] }] },
      expected: /^warning RSS hash: udp4 without ports.* -> ethtool -N e0 rx-flow-hash udp4 sdfn$/,
    },
  ])("$name", ({ change, parts, expected }) => {
    const findings = judgeQueues(interfaceFacts(change), CPUS, config(parts));
    expect(shown(findings)).toContainEqual(expect.stringMatching(expected));
  });

  test("UDP without ports is no matter where no VIP has UDP", () => {
    const driver = driverFacts({
      rssFields: { tcp4HasPorts: true, udp4HasPorts: false, tcp6HasPorts: undefined, udp6HasPorts: false },
    });
    const findings = judgeQueues(interfaceFacts({ driver }), CPUS, config());
    expect(findings.map(({ check }) => check)).not.toContain("RSS hash");
  });

  test("virtual devices have no interrupts, and nobody misses them", () => {
    const facts = interfaceFacts({ info: interfaceInfo({ kind: "veth" }), interrupts: [] });
    expect(judgeQueues(facts, CPUS, undefined).map(({ check }) => check)).not.toContain("interrupts");
  });
});

test.for<{
  name: string;
  states: Parameters<typeof features>[0];
  change?: Partial<InterfaceFacts>;
  expected: RegExp;
}>([
  { name: "LRO", states: { "rx-lro": "on" }, expected: /^problem LRO: on.* -> ethtool -K e0 lro off$/ },
  { name: "LRO that stays", states: { "rx-lro": "on fixed" }, expected: /^problem LRO: .*another device$/ },
  {
    name: "hardware GRO",
    states: { "rx-gro-hw": "on" },
    expected: /^warning hardware GRO: .* -> ethtool -K e0 rx-gro-hw off$/,
  },
  {
    name: "GRO with generic XDP",
    states: { "rx-gro": "on" },
    change: {
      info: interfaceInfo({
        xdp: { mode: "generic", programId: 7, programs: [{ mode: "generic", programId: 7 }] },
      }),
    },
    expected: /^warning GRO: .* -> ethtool -K e0 gro off$/,
  },
  {
    name: "VLAN tags taken off where packets may have some",
    states: { "rx-vlan-hw-parse": "on" },
    change: { vlans: ["e0.5"] },
    expected: /^warning VLAN offload: on, with e0\.5 here.*should there be any -> ethtool -K e0 rxvlan off$/,
  },
  {
    name: "VLAN tags taken off where packets have them",
    states: { "rx-vlan-hw-parse": "on" },
    change: { vlans: ["e0.5"], nextHop: hopThrough("e0.5") },
    expected: /^problem VLAN offload: on, with e0\.5 here.* back without -> ethtool -K e0 rxvlan off$/,
  },
  {
    name: "VLAN tags taken off for good",
    states: { "rx-vlan-hw-parse": "on fixed" },
    change: { vlans: ["e0.5"], nextHop: hopThrough("e0.5") },
    expected: /^problem VLAN offload: .* -> the driver does not let/,
  },
  {
    name: "VLAN tags taken off where there is no VLAN",
    states: { "rx-vlan-hw-parse": "on" },
    expected: /^ok offloads: .*VLAN tags are stripped/,
  },
  { name: "a driver that does not say", states: {}, expected: /^unknown offloads/ },
])("offloads: $name", ({ states, change, expected }) => {
  const facts = interfaceFacts({ driver: driverFacts({ features: features(states) }), ...change });
  expect(shown(judgeOffloads(facts))).toEqual([expect.stringMatching(expected)]);
});

test.for<{ name: string; mtu: number; mtuMax?: number; parts?: ConfigParts | "none"; expected: RegExp }>([
  {
    name: "an ordinary MTU, clients told by ICMP",
    mtu: 1500,
    expected:
      /^warning MTU: 1500, too little for 1500 \+ 20 .*told 1480 by ICMP.* -> raise the MTU to 1520 .*"ip link set e0 mtu 1520".*advmss 1440"/,
  },
  {
    name: "an ordinary MTU, and packets dropped",
    mtu: 1500,
    parts: { settings: ["tooBig: drop"] },
    expected: /^problem MTU: 1500.*tooBig: drop.*or set tooBig: icmp$/,
  },
  {
    name: "IPv6 backends of IPv6 clients",
    mtu: 1520,
    parts: { vips: [{ address: "fd64::1", backends: ["fd00::1", "10.0.0.1"] }] },
    expected: /^warning MTU: 1520, too little for 1500 \+ 40 .*told 1480 .* 1540 .*advmss 1420/,
  },
  {
    name: "clients of both families",
    mtu: 1500,
    parts: {
      vips: [
        { address: "fd64::1", backends: ["fd00::1"] },
        { address: "10.100.0.1", backends: ["10.0.0.1"] },
      ],
    },
    expected: /advmss 1420 \(IPv4\) and 1400 \(IPv6\)/,
  },
  { name: "just enough", mtu: 1520, expected: /^ok MTU: 1520/ },
  {
    name: "frames that are limited anyway",
    mtu: 1500,
    parts: { settings: ["maxFrameBytes: 1494"] },
    expected: /^ok MTU: 1500, room for 1480 \+ 20/,
  },
  {
    name: "a limit that is beyond the link's",
    mtu: 1500,
    parts: { settings: ["mtu: 1600"] },
    expected: /^problem MTU: settings.mtu is 1600, and e0 carries 1500: .*raise the MTU to 1600/,
  },
  {
    name: "a limit that is below the link's",
    mtu: 9000,
    parts: { settings: ["mtu: 1500"] },
    expected: /^warning MTU: 1500, too little/,
  },
  {
    name: "no limit on a link that has one",
    mtu: 1500,
    parts: { settings: ["mtu: 0"] },
    expected: /^problem MTU: 1500.*settings.mtu 0/,
  },
  {
    name: "a device that carries no more",
    mtu: 1500,
    mtuMax: 1500,
    expected: /use a device that carries 1520 bytes \(e0: at most 1500\)/,
  },
  {
    name: "without a config",
    mtu: 1530,
    parts: "none",
    expected: /^ok MTU: 1530, .*; IPv6 backends take 20 more$/,
  },
])("MTU: $name", ({ mtu, mtuMax, parts, expected }) => {
  const info = interfaceInfo({ mtu, ...(mtuMax === undefined ? {} : { mtuMax }) });
  const { nextHop } = interfaceFacts();
  if (!nextHop.isResolved) throw new Error("unreachable");
  const facts = interfaceFacts({ info, nextHop: { isResolved: true, hop: { ...nextHop.hop, mtu } } });
  expect(shown(judgeHeadroom(facts, parts === "none" ? undefined : config(parts)))).toEqual([
    expect.stringMatching(expected),
  ]);
});

test("the least MTU of interface and route counts", () => {
  const { nextHop } = interfaceFacts();
  if (!nextHop.isResolved) throw new Error("unreachable");
  const facts = interfaceFacts({ nextHop: { isResolved: true, hop: { ...nextHop.hop, mtu: 1400 } } });
  expect(shown(judgeHeadroom(facts, config()))).toEqual([expect.stringMatching(/^warning MTU: 1400/)]);
});

describe("next hop", () => {
  const mac = Array.from(ROUTER_MAC, (byte) => byte.toString(16).padStart(2, "0")).join(":");
  const failed = (isUnknown: boolean): Partial<InterfaceFacts> => ({
    nextHop: { isResolved: false, why: "no route", remedy: "add one", isUnknown },
  });

  test.for<{
    name: string;
    change?: Partial<InterfaceFacts>;
    parts?: ConfigParts | "none";
    expected: RegExp;
  }>([
    {
      name: "as configured",
      parts: { settings: [`gatewayMac: "${mac}"`] },
      expected: /^ok next hop: .*as settings.gatewayMac says$/,
    },
    {
      name: "configured otherwise",
      parts: { settings: ['gatewayMac: "02:00:00:00:00:11"'] },
      expected:
        /^warning next hop: settings.gatewayMac says 02:00:00:00:00:11, and the host's tables 10\.0\.0\.254/,
    },
    {
      name: "not found, and needed",
      change: failed(false),
      expected: /^problem next hop: no route -> add one$/,
    },
    {
      name: "not found, without a config",
      change: failed(false),
      parts: "none",
      expected: /^warning next hop: no route -> add one$/,
    },
    {
      name: "not to be asked for",
      change: failed(true),
      expected: /^unknown next hop: no route -> add one$/,
    },
    {
      name: "not found, and configured",
      change: failed(false),
      parts: { settings: [`gatewayMac: "${mac}"`] },
      expected:
        /^ok next hop: 02:00:00:00:00:fe by settings.gatewayMac, which nothing here confirms \(no route\)$/,
    },
  ])("$name", ({ change, parts, expected }) => {
    const findings = judgeNextHop(interfaceFacts(change), parts === "none" ? undefined : config(parts));
    expect(shown(findings)).toEqual([expect.stringMatching(expected)]);
  });

  test("what is odd about it is a warning each", () => {
    const { nextHop } = interfaceFacts();
    if (!nextHop.isResolved) throw new Error("unreachable");
    const facts = interfaceFacts({
      nextHop: { isResolved: true, hop: { ...nextHop.hop, warnings: ["10.9.9.9: no route"] } },
    });
    expect(shown(judgeNextHop(facts, config()))).toEqual([
      expect.stringMatching(/^ok next hop/),
      expect.stringMatching(/^warning next hop: 10\.9\.9\.9: no route -> /),
    ]);
  });
});
