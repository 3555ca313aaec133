import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import type { VipFlag } from "../../../control/model/config.ts";
import { addressOfBackend, encodeBackend } from "../../../control/plan/backend-entry.ts";
import { decodeVip, encodeVip, formatVipKey, portsMask, vipFlags } from "../../../control/plan/vip-entry.ts";
import { RING_SLOTS } from "../../../control/ring/maglev.ts";
import { backend, Layout } from "../../../dataplane/xdp/generated/balancer.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

test("rings have as many slots here as in the program", () => {
  expect(RING_SLOTS).toBe(Layout.RING_SLOTS);
});

describe("the template of a backend", () => {
  test("is an IPv4 header from 172.16.0.0 with everything zero that depends on the packet", () => {
    const bytes = encodeBackend(parseIpAddress("10.0.0.1"));
    expect(hex(bytes.subarray(0, 40))).toBe(`450000000000000040000000ac1000000a000001${"00".repeat(20)}`);
    // 0x0045 + 0x0040 + 0x10ac + 0x000a + 0x0100
    expect(backend.read(bytes).templateSum).toBe(0x123b);
    expect(backend.read(bytes).family).toBe(4);
  });

  test("has a sum with carries, not folded", () => {
    const bytes = encodeBackend(parseIpAddress("255.255.255.255"));
    expect(backend.read(bytes).templateSum).toBe(0x45 + 0x40 + 0x10ac + 0xffff + 0xffff);
  });

  test("is an IPv6 header from 100::", () => {
    const bytes = encodeBackend(parseIpAddress("fc00::1"));
    expect(hex(bytes.subarray(0, 40))).toBe(
      `6000000000000040${"0100000000000000"}${"00".repeat(8)}fc00000000000000${"00".repeat(7)}01`,
    );
    expect(backend.read(bytes).templateSum).toBe(0);
    expect(backend.read(bytes).family).toBe(6);
  });

  test.for(["10.0.0.1", "fc00::1"])("gives the address back: %s", (text) => {
    expect(addressOfBackend(backend.read(encodeBackend(parseIpAddress(text))))).toEqual(parseIpAddress(text));
  });

  test("a free entry has no address", () => {
    expect(addressOfBackend(backend.read(new Uint8Array(64)))).toBeUndefined();
  });
});

test.for<{ port: number; flags: VipFlag[]; mask: number }>([
  { port: 80, flags: [], mask: 0xffffffff },
  { port: 80, flags: ["hash-no-source-port"], mask: 0xffff0000 },
  { port: 0, flags: [], mask: 0x0000ffff },
  { port: 0, flags: ["hash-no-source-port"], mask: 0 },
  { port: 0, flags: ["hash-both-ports"], mask: 0xffffffff },
  { port: 0, flags: ["hash-destination-port"], mask: 0xffffffff },
  { port: 0, flags: ["hash-no-source-port", "hash-both-ports"], mask: 0xffff0000 },
  { port: 80, flags: ["bypass-flow-table"], mask: 0xffffffff },
])("port $port with $flags counts the ports $mask", ({ port, flags, mask }) => {
  expect(portsMask({ port, flags: vipFlags(flags) })).toBe(mask);
});

test.for(["10.200.1.1", "2001:db8::1"])("a VIP entry of %s says what it was made from", (text) => {
  const vip = {
    key: { address: parseIpAddress(text), port: 443, protocol: 17 },
    flags: 0x8a,
    ring: 7,
    flowVip: 513,
  };
  expect(decodeVip(encodeVip(vip))).toEqual({ ...vip, isIntact: true });
});

test.for([
  { name: "another ports_mask", at: 24 },
  { name: "bytes behind an IPv4 address", at: 9 },
  { name: "reserved bytes", at: 60 },
])("a VIP entry with $name is not intact", ({ at }) => {
  const key = { address: parseIpAddress("10.200.1.1"), port: 443, protocol: 17 };
  const bytes = encodeVip({ key, flags: 0, ring: 1, flowVip: 1 });
  bytes[at]! ^= 1;
  expect(decodeVip(bytes)?.isIntact).toBe(false);
});

test("an entry never written is no VIP", () => {
  expect(decodeVip(new Uint8Array(64))).toBeUndefined();
});

test.for([
  { address: "10.200.1.1", port: 80, protocol: 6, text: "tcp 10.200.1.1:80" },
  { address: "10.200.1.1", port: 0, protocol: 17, text: "udp 10.200.1.1:*" },
  { address: "2001:db8::1", port: 443, protocol: 6, text: "tcp [2001:db8::1]:443" },
])("a key is written as $text", ({ address, port, protocol, text }) => {
  expect(formatVipKey({ address: parseIpAddress(address), port, protocol })).toBe(text);
});
