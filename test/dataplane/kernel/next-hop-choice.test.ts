/** Next hops out of tables of interfaces, routes and neighbours: also bonds, VLANs and VRFs, which a kernel may not have. */
import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import { formatIpBytes } from "../../../dataplane/kernel/ip-bytes.ts";
import type { InterfaceInfo } from "../../../dataplane/kernel/links.ts";
import type { NeighbourState } from "../../../dataplane/kernel/neighbours.ts";
import {
  chooseHop,
  egressCandidates,
  findHops,
  type Hop,
  hopsOf,
  type RouteLookup,
} from "../../../dataplane/kernel/next-hop-choice.ts";
import type { Route } from "../../../dataplane/kernel/routes.ts";
import { interfaceInfo } from "../../control/doctor/facts.ts";

const ip = (text: string): Uint8Array => parseIpAddress(text).bytes;
const mac = (last: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, 0, last);

const E0 = interfaceInfo({ name: "e0", ifindex: 2, mac: mac(1), mtu: 1500 });
const E1 = interfaceInfo({ name: "e1", ifindex: 3, mac: mac(2), mtu: 1500 });
const BOND0 = interfaceInfo({ name: "bond0", ifindex: 10, kind: "bond", mac: mac(1), mtu: 1500 });
const PORT = { ...E0, master: BOND0.ifindex, masterKind: "bond" };
const vlan = (id: number, on: InterfaceInfo, mtu = 1500): InterfaceInfo =>
  interfaceInfo({
    name: `${on.name}.${id}`,
    ifindex: 100 + id,
    kind: "vlan",
    lower: on.ifindex,
    vlanId: id,
    mtu,
  });

describe("what there is to send by", () => {
  test.for<{ name: string; attached: InterfaceInfo; all: InterfaceInfo[]; expected: string[] }>([
    { name: "the interface alone", attached: E0, all: [E0, E1], expected: ["e0"] },
    { name: "its bond", attached: PORT, all: [PORT, E1, BOND0], expected: ["e0", "bond0"] },
    {
      name: "VLANs on it and on its bond",
      attached: PORT,
      all: [PORT, BOND0, vlan(5, PORT), vlan(6, BOND0), vlan(7, E1), E1],
      expected: ["e0", "bond0", "e0.5", "bond0.6"],
    },
    {
      name: "a bond itself, with a VLAN",
      attached: BOND0,
      all: [PORT, BOND0, vlan(6, BOND0)],
      expected: ["bond0", "bond0.6"],
    },
    {
      name: "a bond that is a port of a bridge",
      attached: PORT,
      all: [PORT, { ...BOND0, master: 20 }, interfaceInfo({ name: "br0", ifindex: 20, kind: "bridge" })],
      expected: ["e0", "bond0", "br0"],
    },
    {
      name: "not a VRF, whose routes name the interface itself",
      attached: { ...E0, master: 30 },
      all: [{ ...E0, master: 30 }, interfaceInfo({ name: "vrf", ifindex: 30, kind: "vrf" })],
      expected: ["e0"],
    },
    {
      name: "a master in another namespace",
      attached: { ...E0, master: 99 },
      all: [{ ...E0, master: 99 }],
      expected: ["e0"],
    },
    {
      name: "masters that lead in a circle, which no kernel has",
      attached: { ...BOND0, master: BOND0.ifindex },
      all: [{ ...BOND0, master: BOND0.ifindex }],
      expected: ["bond0"],
    },
  ])("$name", ({ attached, all, expected }) => {
    expect(egressCandidates(attached, all).map(({ name }) => name)).toEqual(expected);
  });
});

function route(change: Partial<Route> & { readonly via?: string; readonly on?: number }): Route {
  const { via, on = 2, ...rest } = change;
  return {
    type: "unicast",
    family: 4,
    prefixLength: 24,
    table: 254,
    priority: 0,
    hops: [{ ifindex: on, gateway: via === undefined ? undefined : ip(via) }],
    mtu: undefined,
    advmss: undefined,
    ...rest,
  };
}

/** Routes by destination, and by the interface that they are asked through ("" for the host's own choice). */
function table(routes: Readonly<Record<string, Readonly<Record<string, Route>>>>): RouteLookup {
  return ({ destination, ifindex }) => routes[formatIpBytes(destination)]?.[ifindex ?? ""];
}

describe("hops", () => {
  const shown = (hops: readonly Hop[]) =>
    hops.map(({ egress, address, isOnLink, isDefault, mtu, destinations }) => ({
      egress: egress.name,
      address: formatIpBytes(address),
      isOnLink,
      isDefault,
      mtu,
      destinations: destinations.length,
    }));

  test("the host's own choice counts where it leaves by a candidate, or else the first candidate's route", async () => {
    const v5 = vlan(5, E0, 1400);
    const v6 = vlan(6, E0);
    const lookup = table({
      "10.0.0.1": { "": route({ via: "10.5.0.1", on: v5.ifindex }), 2: route({ via: "10.2.0.1" }) },
      "10.0.0.2": { "": route({ via: "10.9.0.1", on: 3 }), 2: route({ via: "10.2.0.1" }) },
      "10.0.0.3": { "": route({ via: "10.9.0.1", on: 3 }), 106: route({ via: "10.6.0.1", on: v6.ifindex }) },
    });
    const destinations = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(ip);
    expect(shown((await findHops(E0, [E0, v5, v6], destinations, lookup)).hops)).toEqual([
      { egress: "e0.5", address: "10.5.0.1", isOnLink: false, isDefault: false, mtu: 1400, destinations: 1 },
      { egress: "e0", address: "10.2.0.1", isOnLink: false, isDefault: false, mtu: 1500, destinations: 1 },
      { egress: "e0.6", address: "10.6.0.1", isOnLink: false, isDefault: false, mtu: 1500, destinations: 1 },
    ]);
  });

  test("destinations of one gateway are one hop, with the least MTU, by default only if all are", async () => {
    const lookup = table({
      "10.0.0.1": { "": route({ via: "10.2.0.1", prefixLength: 0 }) },
      "10.0.0.2": { "": route({ via: "10.2.0.1", mtu: 1300 }) },
    });
    expect(shown((await findHops(E0, [E0], ["10.0.0.1", "10.0.0.2"].map(ip), lookup)).hops)).toEqual([
      { egress: "e0", address: "10.2.0.1", isOnLink: false, isDefault: false, mtu: 1300, destinations: 2 },
    ]);
  });

  test("of a route with several gateways, those through the interface", async () => {
    const several = route({
      hops: [
        { ifindex: 2, gateway: ip("10.2.0.1") },
        { ifindex: 3, gateway: ip("10.3.0.1") },
        { ifindex: 2, gateway: ip("10.2.0.9") },
      ],
    });
    const { hops } = await findHops(E0, [E0], [ip("10.0.0.1")], table({ "10.0.0.1": { "": several } }));
    expect(shown(hops).map(({ address }) => address)).toEqual(["10.2.0.1", "10.2.0.9"]);
  });

  test("a blackhole leads nowhere", async () => {
    const lookup = table({ "10.0.0.1": { "": route({ type: "blackhole", hops: [] }) } });
    await expect(findHops(E0, [E0], [ip("10.0.0.1")], lookup)).rejects.toThrow(/no route to 10\.0\.0\.1/);
  });

  test("many destinations without a route are not all named", async () => {
    const destinations = Array.from({ length: 300 }, (_, index) => ip(`10.0.${index >> 8}.${index & 255}`));
    await expect(findHops(E0, [E0], destinations, () => undefined)).rejects.toThrow("10.0.0.2 and 297 more");
  });

  test("a default route on link, without a gateway, has no hop", () => {
    expect(hopsOf(route({ prefixLength: 0 }), E0, [E0], undefined)).toEqual([]);
  });
});

describe("one MAC for all", () => {
  const hop = (address: string, egress = E0, isOnLink = false): Hop => ({
    egress,
    address: ip(address),
    isOnLink,
    isDefault: false,
    destinations: [],
    mtu: 1500,
  });
  const resolved = (of: Hop, last: number | undefined, state: NeighbourState = "reachable") => ({
    hop: of,
    mac: last === undefined ? undefined : mac(last),
    state,
  });

  test("neighbours of one MAC agree, and the first is named", () => {
    const { chosen, warnings } = chooseHop(E0, [resolved(hop("10.2.0.1"), 9), resolved(hop("fd00::1"), 9)]);
    expect([formatIpBytes(chosen.hop.address), chosen.mac, warnings]).toEqual(["10.2.0.1", mac(9), []]);
  });

  test("one that does not answer is warned of, and the others' MAC holds", () => {
    const { chosen, warnings } = chooseHop(E0, [
      resolved(hop("10.2.0.1"), undefined, "failed"),
      resolved(hop("10.2.0.2"), 9, "stale"),
    ]);
    expect(chosen.mac).toEqual(mac(9));
    expect(warnings).toEqual([expect.stringMatching(/10\.2\.0\.1 .*failed.*02:00:00:00:00:09/)]);
  });

  test("a route through a VLAN is said to be one", () => {
    const { warnings } = chooseHop(E0, [resolved(hop("10.5.0.1", vlan(5, E0)), 9)]);
    expect(warnings).toEqual([expect.stringContaining('VLAN 5 ("e0.5")')]);
  });

  test.for([
    {
      name: "different gateways",
      of: [resolved(hop("10.2.0.1"), 8), resolved(hop("10.2.0.2"), 9)],
      words: /different next hops.*one router/,
    },
    {
      name: "backends on link",
      of: [resolved(hop("10.2.0.1", E0, true), 8), resolved(hop("10.2.0.2", E0, true), 9)],
      words: /different next hops.*a router on this link/,
    },
    {
      name: "nobody who answers",
      of: [resolved(hop("10.2.0.1"), undefined, "failed")],
      words: /10\.2\.0\.1.*failed/,
    },
    { name: "the interface's own MAC", of: [resolved(hop("10.2.0.1"), 1, "noarp")], words: /arp on/ },
    {
      name: "a MAC of a group",
      of: [{ hop: hop("10.2.0.1"), mac: Uint8Array.of(1, 0, 0x5e, 0, 0, 1), state: "permanent" as const }],
      words: /no MAC is known/,
    },
    {
      name: "a MAC of zeros",
      of: [{ hop: hop("10.2.0.1"), mac: new Uint8Array(6), state: "noarp" as const }],
      words: /does not resolve/,
    },
  ])("$name: an error with what to do", ({ of, words }) => {
    expect(() => chooseHop(E0, of)).toThrow(words);
    expect(() => chooseHop(E0, of)).toThrow(/settings\.gatewayMac/);
  });
});
