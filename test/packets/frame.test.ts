import { expect, test } from "vitest";
import { ip } from "./address.ts";
import { foldSum, pseudoHeaderSum, sumWords } from "./checksum.ts";
import {
  destinationOptions,
  ethernet,
  fragmentsIpv4,
  fragmentsIpv6,
  hopByHop,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  type Layer,
  pattern,
  routing,
  tcp,
  udp,
} from "./frame.ts";

const V4 = { source: "192.0.2.1", destination: "198.51.100.2" };
const V6 = { source: "2001:db8::1", destination: "2001:db8::2" };

test("a frame is its headers one behind the other", () => {
  const frame = ethernet({}, ipv4(V4, udp({ sourcePort: 1, targetPort: 2 }, pattern(2))));
  const hex = Buffer.from(frame).toString("hex");
  expect(hex).toBe(
    "0200000000010200000000fe0800" + "4500001e0000000039119598c0000201c6336402" + "00010002000a139f0001",
  );
});

test.for<{ name: string; layer: Layer; protocol: number }>([
  { name: "TCP", layer: tcp({ sourcePort: 31337, targetPort: 80 }, pattern(5)), protocol: 6 },
  { name: "UDP", layer: udp({ sourcePort: 31337, targetPort: 53 }, pattern(8)), protocol: 17 },
])("the $name checksum covers the pseudo-header, behind extension headers too", ({ layer, protocol }) => {
  for (const [addresses, extensionBytes, packet] of [
    [V4, -20, ipv4(V4, layer)],
    [V6, 0, ipv6(V6, layer)],
    [V6, 24, ipv6(V6, hopByHop(routing(destinationOptions(layer))))],
  ] as const) {
    const transport = packet.subarray(40 + extensionBytes);
    const pseudo = pseudoHeaderSum({
      source: ip(addresses.source),
      destination: ip(addresses.destination),
      protocol,
      lengthBytes: transport.length,
    });
    expect(foldSum(sumWords(transport) + pseudo)).toBe(0xffff);
  }
});

test("ICMP's checksum covers the message, ICMPv6's the pseudo-header too", () => {
  const v4 = ipv4(V4, icmp({ type: 8, rest: 0x10001 }, pattern(11))).subarray(20);
  expect(foldSum(sumWords(v4))).toBe(0xffff);
  const v6 = ipv6(V6, icmpv6({ type: 128 }, pattern(4))).subarray(40);
  const pseudo = pseudoHeaderSum({
    source: ip(V6.source),
    destination: ip(V6.destination),
    protocol: 58,
    lengthBytes: 12,
  });
  expect(foldSum(sumWords(v6) + pseudo)).toBe(0xffff);
});

test("a UDP checksum that comes out as zero is sent as all ones", () => {
  // One data word chosen so that everything sums to all ones.
  const zero = udp({ sourcePort: 1, targetPort: 2 }, Uint8Array.of(0, 0));
  const needed = (ipv4(V4, zero)[26]! << 8) | ipv4(V4, zero)[27]!;
  const packet = ipv4(V4, udp({ sourcePort: 1, targetPort: 2 }, Uint8Array.of(needed >> 8, needed & 0xff)));
  expect([packet[26], packet[27]]).toEqual([0xff, 0xff]);
});

test("what is given is not computed", () => {
  const packet = ipv4(
    { ...V4, checksum: 0x1234, totalLengthBytes: 99, protocol: 50 },
    udp({ sourcePort: 1, targetPort: 2, checksum: 7, lengthBytes: 3 }),
  );
  expect(Buffer.from(packet).toString("hex")).toBe(
    "4500006300000000" + "39321234c0000201c6336402" + "0001000200030007",
  );
});

test("padding follows a short packet and is not part of it", () => {
  const frame = ethernet({ padToBytes: 60 }, ipv4(V4, udp({ sourcePort: 1, targetPort: 2 })));
  expect(frame.length).toBe(60);
  expect(frame[17]).toBe(28);
  expect(frame.subarray(42).every((byte) => byte === 0)).toBe(true);
});

test("IPv4 fragments carry the payload in order, each with a right header", () => {
  const whole = ipv4({ ...V4, id: 7 }, udp({ sourcePort: 1, targetPort: 2 }, pattern(40)));
  const fragments = fragmentsIpv4(whole, [16, 32]);
  expect(Buffer.concat(fragments.map((fragment) => fragment.subarray(20)))).toEqual(
    Buffer.from(whole.subarray(20)),
  );
  expect(fragments.map((fragment) => (fragment[6]! << 8) | fragment[7]!)).toEqual([0x2000, 0x2002, 0x0004]);
  for (const fragment of fragments) {
    expect(foldSum(sumWords(fragment.subarray(0, 20)))).toBe(0xffff);
    expect((fragment[2]! << 8) | fragment[3]!).toBe(fragment.length);
  }
});

test("IPv6 fragments carry everything behind the fixed header in order", () => {
  const whole = ipv6(V6, udp({ sourcePort: 1, targetPort: 2 }, pattern(40)));
  const fragments = fragmentsIpv6(whole, 0xcafe, [16]);
  expect(Buffer.concat(fragments.map((fragment) => fragment.subarray(48)))).toEqual(
    Buffer.from(whole.subarray(40)),
  );
  expect(fragments.map((fragment) => Buffer.from(fragment.subarray(40, 48)).toString("hex"))).toEqual([
    "110000010000cafe",
    "110000100000cafe",
  ]);
});
