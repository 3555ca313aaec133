/** Interfaces, addresses and drivers of a namespace of the test's own, as the kernel shows them; and what this kernel may not have, from bytes. */
import { spawn } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { listAddresses } from "../../../dataplane/kernel/addresses.ts";
import { readEthtool } from "../../../dataplane/kernel/ethtool.ts";
import { formatIpBytes, formatMacBytes } from "../../../dataplane/kernel/ip-bytes.ts";
import { decodeLink, listInterfaces, RTM_NEWLINK, readInterface } from "../../../dataplane/kernel/links.ts";
import { emitPayload, u32Attribute } from "../../../dataplane/kernel/netlink-message.ts";
import { readXdpFeatures } from "../../../dataplane/kernel/xdp-features.ts";
import { lacks, linuxSince, namespaces } from "../../needs.ts";
import { Namespaces } from "./namespaces.ts";

describe.skipIf(lacks("interfaces of a namespace", namespaces))("interfaces of a namespace", () => {
  const network = new Namespaces("links");

  beforeAll(() => {
    network.add("a", { hasIpv6: true });
    network.add("b");
    network.ipLines(
      "a",
      `link add e0 address 02:00:00:00:00:01 mtu 1600 numrxqueues 3 numtxqueues 2 type veth peer name far netns @b
       link add v0 type veth peer name v1
       link add br0 type bridge
       link set v0 master br0
       link set e0 up
       addr add 10.1.0.2/24 dev e0
       addr add fd01::2/64 dev e0 nodad
       addr add 10.100.0.1/32 dev lo`,
    );
    network.enter("a");
  });

  test("each is there, by ifindex", () => {
    const found = listInterfaces();
    expect(found.map(({ name }) => name).sort()).toEqual(["br0", "e0", "lo", "v0", "v1"]);
    expect(found.map(({ ifindex }) => ifindex)).toEqual(
      found.map(({ ifindex }) => ifindex).sort((a, b) => a - b),
    );
  });

  test("a veth whose other end is elsewhere", () => {
    const { mac, ...e0 } = readInterface("e0");
    expect(formatMacBytes(mac!)).toBe("02:00:00:00:00:01");
    expect(e0).toMatchObject({
      name: "e0",
      mtu: 1600,
      kind: "veth",
      master: undefined,
      lower: undefined,
      vlanId: undefined,
      isUp: true,
      hasCarrier: false,
      isLoopback: false,
      isNoArp: false,
      xdp: undefined,
      rxQueues: 3,
      txQueues: 2,
    });
  });

  test("a port of a bridge names it, and its other end", () => {
    const v0 = readInterface("v0");
    expect(v0).toMatchObject({ master: readInterface("br0").ifindex, masterKind: "bridge" });
    expect(v0.lower).toBe(readInterface("v1").ifindex);
    expect(readInterface("br0")).toMatchObject({ kind: "bridge", isUp: false });
    expect(readInterface("lo")).toMatchObject({ isLoopback: true, kind: undefined, isUp: true });
  });

  test.for(["e9", "", "a-name-of-sixteen", "a\0b"])("there is no interface %j", (name) => {
    expect(() => readInterface(name)).toThrow(expect.objectContaining({ code: "no-interface" }));
  });

  test("addresses with their prefixes", () => {
    const found = listAddresses().map(({ ifindex, address, prefixLength }) => ({
      ifindex,
      text: `${formatIpBytes(address)}/${prefixLength}`,
    }));
    const e0 = readInterface("e0").ifindex;
    expect(found).toContainEqual({ ifindex: e0, text: "10.1.0.2/24" });
    expect(found).toContainEqual({ ifindex: e0, text: "fd01::2/64" });
    expect(found).toContainEqual({ ifindex: 1, text: "10.100.0.1/32" });
  });

  test("what a veth's driver says", () => {
    const { driver, channels, features, rss, rssFields } = readEthtool("e0");
    expect(driver?.driver).toBe("veth");
    expect(channels).toEqual({ receive: 3, receiveMax: 3, isCombined: false });
    expect(rss).toBeUndefined();
    expect(rssFields.tcp4HasPorts).toBeUndefined();
    expect(features.get("rx-gro")).toEqual({ isOn: false, isFixed: false });
    expect(features.get("rx-lro")).toEqual({ isOn: false, isFixed: true });
    expect(features.get("rx-vlan-hw-parse")?.isOn).toBe(true);
  });

  test("a feature that is switched is seen so", () => {
    network.run("a", "ethtool", "-K", "v1", "gro", "on");
    expect(readEthtool("v1").features.get("rx-gro")).toEqual({ isOn: true, isFixed: false });
  });

  test("interfaces that come and go while they are listed leave the list whole", async () => {
    // Dumps that a change disturbs are begun again; each answer has what was there all the time, once.
    const batch = Array.from(
      { length: 150 },
      (_, index) => `link add x${index} type bridge\nlink del x${index}\n`,
    );
    const churn = spawn("ip", ["-batch", "-"], { stdio: ["pipe", "ignore", "inherit"] });
    churn.stdin.end(batch.join(""));
    const ended = new Promise<number | null>((resolve) => churn.once("close", resolve));
    let isEnded = false;
    void ended.then(() => {
      isEnded = true;
    });
    while (!isEnded) {
      const names = listInterfaces().map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(["br0", "e0", "lo", "v0", "v1"]));
      expect(new Set(names).size).toBe(names.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toBe(0);
  });

  test("a bridge has no rings, and says so by saying nothing", () => {
    expect(readEthtool("br0")).toMatchObject({
      driver: { driver: "bridge" },
      rings: undefined,
      rss: undefined,
    });
  });

  test("the driver of an interface that is not there cannot be asked", () => {
    expect(() => readEthtool("e9")).toThrow(expect.objectContaining({ code: "no-interface" }));
  });

  test.skipIf(lacks("XDP features by netlink", linuxSince(6, 3)))(
    "veth does native XDP, a bridge does not",
    () => {
      expect(readXdpFeatures(readInterface("e0").ifindex)).toMatchObject({
        isNative: true,
        canOffload: false,
      });
      expect(readXdpFeatures(readInterface("br0").ifindex)).toMatchObject({ isNative: false });
    },
  );
});

describe("interfaces from bytes", () => {
  // struct ifinfomsg of interface 7, up.
  const header = emitPayload(new Uint8Array(4), []);
  const link = (...attributes: [number, Uint8Array][]) => {
    const fixed = new Uint8Array(16);
    fixed.set(header);
    fixed.set(u32Attribute(7), 4);
    fixed.set(u32Attribute(0x1), 8);
    const name: [number, Uint8Array] = [3, new TextEncoder().encode("x\0")];
    const payload = emitPayload(fixed, [name, ...attributes]);
    return decodeLink({ type: RTM_NEWLINK, flags: 0, sequence: 1, port: 1, payload });
  };
  const nest = (...attributes: [number, Uint8Array][]) => emitPayload(new Uint8Array(0), attributes);
  const text = (value: string) => new TextEncoder().encode(`${value}\0`);

  test("a VLAN has its id and its parent", () => {
    const id = new Uint8Array(Uint16Array.of(42).buffer);
    expect(link([18, nest([1, text("vlan")], [2, nest([1, id])])], [5, u32Attribute(3)])).toMatchObject({
      kind: "vlan",
      vlanId: 42,
      lower: 3,
    });
  });

  test("a port of a bond has its master", () => {
    expect(link([10, u32Attribute(9)], [18, nest([4, text("bond")])])).toMatchObject({
      master: 9,
      masterKind: "bond",
      kind: undefined,
    });
  });

  test.for([
    { name: "none", attached: 0, ids: [], xdp: undefined },
    {
      name: "native",
      attached: 1,
      ids: [
        [4, 11],
        [5, 11],
      ],
      xdp: { mode: "native", programId: 11 },
    },
    {
      name: "generic",
      attached: 2,
      ids: [
        [4, 12],
        [6, 12],
      ],
      xdp: { mode: "generic", programId: 12 },
    },
    {
      name: "of a kernel that names only one id",
      attached: 3,
      ids: [[4, 13]],
      xdp: { mode: "offload", programId: 13 },
    },
    {
      name: "native and offload",
      attached: 4,
      ids: [
        [5, 14],
        [7, 15],
      ],
      xdp: {
        mode: "multiple",
        programId: 14,
        programs: [
          { mode: "native", programId: 14 },
          { mode: "offload", programId: 15 },
        ],
      },
    },
  ])("XDP: $name", ({ attached, ids, xdp }) => {
    const attributes = ids.map(([type, id]): [number, Uint8Array] => [type!, u32Attribute(id!)]);
    const found = link([43, nest([2, Uint8Array.of(attached)], ...attributes)])?.xdp;
    if (xdp === undefined) expect(found).toBeUndefined();
    else expect(found).toMatchObject(xdp);
  });

  test("what a bridge tells of its ports is no interface", () => {
    const fixed = new Uint8Array(16);
    fixed[0] = 7;
    const payload = emitPayload(fixed, [[3, text("x")]]);
    expect(decodeLink({ type: RTM_NEWLINK, flags: 0, sequence: 1, port: 1, payload })).toBeUndefined();
  });
});
