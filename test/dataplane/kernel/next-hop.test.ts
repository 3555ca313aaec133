/** The next hop out of the running kernel's tables, over veth pairs. */
import { beforeAll, describe, expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import { formatIpBytes, formatMacBytes } from "../../../dataplane/kernel/ip-bytes.ts";
import { KernelError } from "../../../dataplane/kernel/kernel-error.ts";
import { readInterface } from "../../../dataplane/kernel/links.ts";
import { type NextHop, type NextHopOptions, resolveNextHop } from "../../../dataplane/kernel/next-hop.ts";
import { lacks, namespaces } from "../../needs.ts";
import { Namespaces } from "./namespaces.ts";

describe.skipIf(lacks("next hops over veth", namespaces))("next hops over veth", () => {
  const network = new Namespaces("hop");

  // balancer e0 --- router r0, and balancer p0 (a port of the bridge br0) --- router r1. r0 has two addresses, .1 and .3, with one MAC; .77
  // is a host with another, by a permanent entry.
  beforeAll(() => {
    network.add("lb", { hasIpv6: true });
    network.add("rt", { hasIpv6: true });
    network.ipLines(
      "lb",
      `link add e0 address 02:00:00:00:01:02 type veth peer name r0 address 02:00:00:00:01:01 netns @rt
       link add p0 address 02:00:00:00:02:02 type veth peer name r1 address 02:00:00:00:02:01 netns @rt
       link add br0 address 02:00:00:00:02:02 type bridge
       link set p0 master br0
       link set e0 up
       link set p0 up
       link set br0 up
       addr add 10.1.0.2/24 dev e0
       addr add fd01::2/64 dev e0 nodad
       addr add 10.2.0.2/24 dev br0
       link add silent type veth peer name silent-end
       link set silent up
       link set silent-end up
       addr add 10.3.0.2/24 dev silent`,
    );
    network.ipLines(
      "rt",
      `addr add 10.1.0.1/24 dev r0
       addr add 10.1.0.3/24 dev r0
       addr add fd01::1/64 dev r0 nodad
       addr add 10.2.0.1/24 dev r1
       link set r0 up
       link set r1 up`,
    );
    network.ipLines(
      "lb",
      `route add default via 10.1.0.1
       route add default via 10.2.0.1 dev br0 metric 50
       -6 route add default via fd01::1
       route add 10.20.0.0/16 via 10.1.0.3
       route add 10.21.0.0/16 via inet6 fd01::1 dev e0
       route add 10.22.0.0/16 nexthop via 10.1.0.1 nexthop via 10.1.0.3
       route add 10.23.0.0/16 via 10.1.0.77
       route add 10.24.0.0/16 via 10.1.0.1 mtu 1400
       route add blackhole 10.25.0.0/16
       route add 10.30.0.0/16 via 10.3.0.1
       neigh add 10.1.0.77 lladdr 02:00:00:00:00:77 dev e0 nud permanent`,
    );
    network.enter("lb");
  });

  test.for<{ name: string; device?: string; to: string[]; expected: object }>([
    {
      name: "no destination: the default route",
      to: [],
      expected: {
        address: "10.1.0.1",
        mac: "02:00:00:00:01:01",
        via: "default-route",
        egress: "e0",
        mtu: 1500,
      },
    },
    {
      name: "a destination behind a gateway",
      to: ["10.20.0.5"],
      expected: { address: "10.1.0.3", mac: "02:00:00:00:01:01", via: "route" },
    },
    {
      name: "a destination by the default route",
      to: ["192.0.2.7"],
      expected: { address: "10.1.0.1", via: "default-route" },
    },
    {
      name: "an IPv6 destination",
      to: ["2001:db8::1"],
      expected: { address: "fd01::1", mac: "02:00:00:00:01:01", via: "default-route" },
    },
    {
      name: "an IPv4 destination behind an IPv6 gateway",
      to: ["10.21.0.1"],
      expected: { address: "fd01::1", mac: "02:00:00:00:01:01", via: "route" },
    },
    {
      name: "a destination on link",
      to: ["10.1.0.1"],
      expected: { address: "10.1.0.1", mac: "02:00:00:00:01:01", via: "route" },
    },
    {
      name: "a route with two gateways of one MAC",
      to: ["10.22.0.1"],
      expected: { address: "10.1.0.1", mac: "02:00:00:00:01:01" },
    },
    {
      name: "destinations of both families behind one router's MAC",
      to: ["10.20.0.5", "2001:db8::1", "192.0.2.1"],
      expected: { address: "10.1.0.3", mac: "02:00:00:00:01:01", via: "route", warnings: [] },
    },
    {
      name: "a permanent entry",
      to: ["10.23.0.1"],
      expected: { address: "10.1.0.77", mac: "02:00:00:00:00:77", state: "permanent" },
    },
    { name: "a route with an MTU of its own", to: ["10.24.0.1"], expected: { mtu: 1400 } },
    {
      name: "a port of a bridge that has the routes",
      device: "p0",
      to: ["10.2.0.1"],
      expected: { address: "10.2.0.1", mac: "02:00:00:00:02:01", egress: "br0" },
    },
    {
      name: "the default route of a second interface",
      device: "p0",
      to: [],
      expected: { address: "10.2.0.1", egress: "br0", via: "default-route" },
    },
  ])("$name", async ({ device = "e0", to, expected }) => {
    const hop = await resolve(device, to);
    expect(shown(hop)).toMatchObject(expected);
    expect(hop.ifindex).toBe(readInterface(device).ifindex);
  });

  test("a backend that cannot be reached is warned of when others can", async () => {
    const { warnings } = await resolve("e0", ["10.20.0.5", "10.25.0.1", "10.1.0.2"]);
    expect(warnings).toEqual([
      expect.stringContaining("10.1.0.2: an address of this host"),
      expect.stringContaining("10.25.0.1: no route"),
    ]);
  });

  test.for<{
    name: string;
    device: string;
    to: string[];
    code: string;
    words: string[];
    options?: NextHopOptions;
  }>([
    {
      name: "an interface that is not there",
      device: "e9",
      to: [],
      code: "no-interface",
      words: ["e9", "ip link"],
    },
    {
      name: "the loopback interface",
      device: "lo",
      to: [],
      code: "not-found",
      words: ["no Ethernet addresses"],
    },
    {
      name: "a destination that no route leads to",
      device: "e0",
      to: ["10.25.0.1"],
      code: "not-found",
      words: ["10.25.0.1", "ip route add 10.25.0.1", "settings.gatewayMac"],
    },
    {
      name: "only addresses of this host",
      device: "e0",
      to: ["10.1.0.2", "127.0.0.1"],
      code: "not-found",
      words: ["10.1.0.2, 127.0.0.1"],
    },
    {
      name: "an interface without a default route",
      device: "silent",
      to: [],
      code: "not-found",
      words: ["no default route", "silent"],
    },
    {
      name: "next hops with different MACs",
      device: "e0",
      to: ["10.20.0.1", "10.23.0.1"],
      code: "not-found",
      words: ["10.1.0.3 at 02:00:00:00:01:01", "10.1.0.77 at 02:00:00:00:00:77", "one router"],
    },
    {
      name: "many backends on link",
      device: "e0",
      to: Array.from({ length: 100 }, (_, index) => `10.1.0.${100 + index}`),
      code: "not-found",
      words: ["100 different next hops", "router on this link"],
    },
    {
      name: "a gateway that is not asked",
      device: "silent",
      to: ["10.30.0.1"],
      code: "not-found",
      words: ["10.3.0.1", "none"],
      options: { canSolicit: false },
    },
    {
      name: "a gateway that does not answer in time",
      device: "silent",
      to: ["10.30.0.1"],
      code: "not-found",
      words: ["10.3.0.1", "incomplete", "ip neigh show dev silent"],
      options: { waitMs: 100 },
    },
    {
      name: "a gateway that never answers",
      device: "silent",
      to: ["10.30.0.1"],
      code: "not-found",
      words: ["10.3.0.1", "failed"],
      options: { waitMs: 10_000 },
    },
  ])("$name is an error", async ({ device, to, code, words, options }) => {
    const error = await resolve(device, to, options).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(KernelError);
    expect((error as KernelError).code).toBe(code);
    for (const word of words) expect((error as KernelError).message).toContain(word);
  });

  test("an interface without ARP, whose neighbours get its own MAC, is an error", async () => {
    network.ipLines(
      "rt",
      `link add mute type veth peer name mute-end
       link set mute arp off up
       link set mute-end up
       addr add 10.4.0.2/24 dev mute`,
    );
    network.enter("rt");
    try {
      await expect(resolve("mute", ["10.4.0.1"])).rejects.toThrow(/does not resolve addresses.*arp on/);
      network.ip("rt", "link", "set", "mute", "down");
      await expect(resolve("mute", ["10.4.0.1"])).rejects.toThrow(/is down; "ip link set mute up"/);
    } finally {
      network.enter("lb");
    }
  });

  function resolve(device: string, to: readonly string[], options?: NextHopOptions): Promise<NextHop> {
    return resolveNextHop(
      device,
      to.map((text) => parseIpAddress(text).bytes),
      options,
    );
  }
});

function shown(hop: NextHop): object {
  return { ...hop, mac: formatMacBytes(hop.mac), address: formatIpBytes(hop.address) };
}
