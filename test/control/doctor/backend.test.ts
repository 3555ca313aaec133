/** Facts of a backend host in, findings out. */
import { expect, test } from "vitest";
import { judgeBackend } from "../../../control/doctor/backend.ts";
import { parseIpAddress } from "../../../control/model/address.ts";
import type { BackendFacts } from "../../../dataplane/kernel/backend-facts.ts";
import { backendFacts, type ConfigParts, config, interfaceInfo, pinnedFacts, shown } from "./facts.ts";

const NO_PROGRAM = pinnedFacts({ directory: "/sys/fs/bpf/lamna-backend" });
const [LOOPBACK, E0] = backendFacts().interfaces as [
  BackendFacts["interfaces"][0],
  BackendFacts["interfaces"][0],
];
const TUNL0 = interfaceInfo({ name: "tunl0", ifindex: 3, kind: "ipip", mac: undefined, mtu: 1480 });
const SYSCTLS = { rpFilter: 0, arpIgnore: 0, arpAnnounce: 0 };

function findings(
  change: Partial<BackendFacts> = {},
  { vips = ["10.100.0.1"], parts }: { vips?: readonly string[]; parts?: ConfigParts } = {},
): string[] {
  const question = {
    vips: vips.map(parseIpAddress),
    config: parts === undefined ? undefined : config(parts),
  };
  return judgeBackend(backendFacts(change), question).flatMap((group) => shown(group.findings));
}

/** A host with tunnel devices and no program. */
function tunnels(...devices: BackendFacts["interfaces"]): Partial<BackendFacts> {
  return {
    decapsulation: NO_PROGRAM,
    interfaces: [LOOPBACK, E0, ...devices],
    sysctls: new Map([E0, ...devices].map(({ name }) => [name, SYSCTLS])),
  };
}

test("a backend as it should be gives nothing to do", () => {
  expect(findings({}, { parts: {} })).toEqual([
    "ok backend: this host is 10.0.0.1",
    "ok decapsulation: the program of /sys/fs/bpf/lamna-backend, on e0",
    "ok VIP: 10.100.0.1 on lo",
    "ok rp_filter: 0 on e0",
    "ok ARP: arp_ignore 0 and arp_announce 0 on e0; no VIP is of a subnet of e0",
    "ok MTU: IPv4 by e0 (1600): clients send 1500 bytes at most, 1520 with the outer header",
  ]);
});

test("a tunnel device does as well", () => {
  expect(findings(tunnels(TUNL0))).toEqual(
    expect.arrayContaining([
      "ok decapsulation: IPv4 in IPv4: tunnel device tunl0",
      "ok rp_filter: 0 on tunl0",
    ]),
  );
});

test.for<{
  name: string;
  change?: Partial<BackendFacts>;
  vips?: readonly string[];
  parts?: ConfigParts;
  expected: RegExp;
}>([
  {
    name: "nothing decapsulates",
    change: tunnels(),
    expected: /^problem decapsulation: IPv4 in IPv4: nothing takes.* -> "lamna backend attach.*modprobe ipip/,
  },
  {
    name: "a tunnel device that is down",
    change: tunnels({ ...TUNL0, isUp: false }),
    expected: /^problem decapsulation: .*tunl0 is down -> ip link set tunl0 up$/,
  },
  {
    name: "a tunnel device of one sender",
    change: tunnels({ ...TUNL0, name: "tun1", tunnelRemote: Uint8Array.of(10, 0, 0, 9) }),
    expected: /^problem decapsulation: .*tun1 takes packets of one sender only.*tunl0/,
  },
  {
    name: "IPv6 in IPv4, by the config",
    change: tunnels(TUNL0),
    vips: ["fd64::1"],
    parts: { vips: [{ address: "fd64::1", backends: ["10.0.0.1"] }] },
    expected: /^problem decapsulation: IPv6 in IPv4: .*modprobe sit; ip link set sit0 up/,
  },
  {
    name: "IPv4 in IPv6, by the config",
    change: tunnels(interfaceInfo({ name: "ip6tnl0", ifindex: 4, kind: "ip6tnl" })),
    parts: { vips: [{ address: "10.100.0.1", backends: ["fd00::1"] }] },
    expected: /^ok decapsulation: IPv4 in IPv6: tunnel device ip6tnl0$/,
  },
  {
    name: "tunnel devices, and no VIP to tell which are wanted",
    change: tunnels(TUNL0),
    vips: [],
    expected: /^ok decapsulation: tunnel devices tunl0$/,
  },
  {
    name: "no VIP named",
    vips: [],
    expected: /^unknown VIPs: none was named/,
  },
  {
    name: "a program that cannot be seen",
    change: { ...tunnels(), decapsulation: pinnedFacts({ directory: "/d", state: "unreadable" }) },
    expected: /^unknown decapsulation: \/d is there, and not readable/,
  },
  {
    name: "a program on another interface only",
    change: {
      ...tunnels(),
      decapsulation: pinnedFacts({ directory: "/d", state: "there", interfaces: ["e1"] }),
    },
    expected: /^problem decapsulation/,
  },
  {
    name: "no backend of the config is here",
    parts: { vips: [{ address: "10.100.0.1", backends: ["10.0.0.99"] }] },
    expected: /^warning backend: no backend of the config/,
  },
  {
    name: "a VIP that is no address of the host",
    vips: ["10.100.0.2"],
    expected: /^problem VIP: 10\.100\.0\.2 is no address.* -> ip addr add 10\.100\.0\.2\/32 dev lo$/,
  },
  {
    name: "an IPv6 VIP that is no address of the host",
    vips: ["fd64::2"],
    expected: /-> ip addr add fd64::2\/128 dev lo$/,
  },
  { name: "an IPv6 VIP", vips: ["fd64::1"], expected: /^ok VIP: fd64::1 on lo$/ },
  {
    name: "a VIP with its subnet",
    change: {
      addresses: [{ ifindex: 1, address: parseIpAddress("10.100.0.1").bytes, prefixLength: 24 }],
    },
    expected: /^warning VIP: 10\.100\.0\.1\/24 on lo/,
  },
  {
    name: "a VIP on an interface that others see",
    change: {
      addresses: [{ ifindex: 2, address: parseIpAddress("10.100.0.1").bytes, prefixLength: 32 }],
    },
    expected: /^warning VIP: 10\.100\.0\.1 is on e0, which tells others/,
  },
  {
    name: "strict reverse path filtering on a tunnel",
    change: {
      ...tunnels(TUNL0),
      sysctls: new Map([
        ["e0", SYSCTLS],
        ["tunl0", { ...SYSCTLS, rpFilter: 1 }],
      ]),
    },
    expected: /^problem rp_filter: 1 \(strict\) on tunl0.*net\.ipv4\.conf\.tunl0\.rp_filter=0/,
  },
  {
    name: "strict reverse path filtering where answers leave as well",
    change: { sysctls: new Map([["e0", { ...SYSCTLS, rpFilter: 1 }]]) },
    expected: /^ok rp_filter: 1 \(strict\) on e0, which answers leave by as well$/,
  },
  {
    name: "strict reverse path filtering where answers leave elsewhere",
    change: { sysctls: new Map([["e0", { ...SYSCTLS, rpFilter: 1 }]]), defaultRoutes: [] },
    expected: /^problem rp_filter: 1 \(strict\) on e0/,
  },
  {
    name: "loose reverse path filtering",
    change: { sysctls: new Map([["e0", { ...SYSCTLS, rpFilter: 2 }]]) },
    expected: /^ok rp_filter: 2 on e0$/,
  },
  {
    name: "ARP for a VIP of the link's subnet",
    change: {
      addresses: [
        { ifindex: 1, address: parseIpAddress("10.0.0.100").bytes, prefixLength: 32 },
        { ifindex: 2, address: parseIpAddress("10.0.0.1").bytes, prefixLength: 24 },
      ],
    },
    vips: ["10.0.0.100"],
    expected: /^problem ARP: .*10\.0\.0\.100 is here.*e0\.arp_ignore=1 net\.ipv4\.conf\.e0\.arp_announce=2$/,
  },
  {
    name: "ARP kept quiet",
    change: { sysctls: new Map([["e0", { rpFilter: 0, arpIgnore: 1, arpAnnounce: 2 }]]) },
    expected: /^ok ARP: arp_ignore 1 and arp_announce 2 on e0$/,
  },
  {
    name: "answers that have clients send too much",
    change: { interfaces: [LOOPBACK, { ...E0, mtu: 1500 }] },
    expected:
      /^warning MTU: IPv4 by e0 \(1500\): .*1520 with the outer header.*advmss 1440"\), or raise the MTU to 1520/,
  },
  {
    name: "answers that have IPv6 clients send too much",
    change: { interfaces: [LOOPBACK, { ...E0, mtu: 1500 }] },
    vips: ["fd64::1"],
    expected: /^warning MTU: IPv6 by e0 \(1500\): .*1540.*"ip -6 route change .*advmss 1400"/,
  },
  {
    name: "answers that ask for less",
    change: {
      interfaces: [LOOPBACK, { ...E0, mtu: 1500 }],
      defaultRoutes: backendFacts().defaultRoutes.map(({ interfaceName, route }) => ({
        interfaceName,
        route: { ...route, advmss: 1440 },
      })),
    },
    expected: /^ok MTU: IPv4 by e0 \(1500\): clients send 1480 bytes at most, 1500 with the outer header$/,
  },
])("$name", ({ change, vips, parts, expected }) => {
  const options = { ...(vips === undefined ? {} : { vips }), ...(parts === undefined ? {} : { parts }) };
  expect(findings(change, options)).toContainEqual(expect.stringMatching(expected));
});
