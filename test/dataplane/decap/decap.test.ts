/** The program for XDP, byte by byte: what comes out of its capsule, and what is left alone, dropped or counted as what. */
import { expect, test } from "vitest";
import {
  destinationOptions,
  ethernet,
  fragmentHeader,
  hopByHop,
  icmp,
  ipv4,
  ipv6,
  pattern,
  raw,
  routing,
  tcp,
  udp,
} from "../../packets/frame.ts";
import { Decapsulator } from "./decapsulator.ts";
import {
  ecnCases,
  gue,
  INNER_IPV4,
  INNER_IPV6,
  inIpv4,
  inIpv6,
  inIpv6Fragment,
  ipInIp,
  KINDS,
  TAGS,
  VIP_IPV4,
  VIP_IPV6,
} from "./frames.ts";

const VIPS = [VIP_IPV4, VIP_IPV6];

test.for(KINDS)("$reason comes out as it was", async ({ reason, packet, inner }) => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  for (const { name, tags } of TAGS) {
    const run = decapsulator.run(ethernet({ tags }, packet));
    expect(run, name).toEqual({ verdict: "pass", reason, frame: ethernet({ tags }, inner) });
  }
});

test("what pads a frame stays behind the packet", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  const small = ipv4({ source: "192.0.2.7", destination: VIP_IPV4 }, raw(253, pattern(1)));
  const { frame } = decapsulator.run(ethernet({ padToBytes: 60 }, inIpv4(ipInIp(small))));
  expect(frame).toEqual(ethernet({ padToBytes: 40 }, small));
});

test("fragments and options inside are the stack's business", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  const odd = ipv4(
    {
      source: "192.0.2.7",
      destination: VIP_IPV4,
      fragmentOffsetBytes: 1480,
      moreFragments: true,
      options: new Uint8Array(8).fill(1),
    },
    raw(17, pattern(40)),
  );
  const run = decapsulator.run(ethernet({}, inIpv4(ipInIp(odd))));
  expect(run).toEqual({ verdict: "pass", reason: "ipv4_in_ipv4", frame: ethernet({}, odd) });
});

test("only one layer is taken off", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  const twice = ipv4({ source: "192.0.2.7", destination: VIP_IPV4 }, ipInIp(INNER_IPV4));
  const { frame } = decapsulator.run(ethernet({}, inIpv4(ipInIp(twice))));
  expect(frame).toEqual(ethernet({}, twice));
});

test("destination options around it, as Linux writes them, go with the header", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  const limit = new Uint8Array([4, 1, 4, 1, 1, 0]);
  for (const layer of [ipInIp(INNER_IPV6), gue(INNER_IPV6)]) {
    const run = decapsulator.run(ethernet({}, inIpv6(destinationOptions(layer, limit))));
    expect(run).toMatchObject({ verdict: "pass", frame: ethernet({}, INNER_IPV6) });
  }
});

test("a checksum of GUE is not looked at", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  const run = decapsulator.run(ethernet({}, inIpv6(gue(INNER_IPV4, { checksum: 0x1234 }))));
  expect(run).toEqual({ verdict: "pass", reason: "gue_ipv4_in_ipv6", frame: ethernet({}, INNER_IPV4) });
});

test.for(ecnCases())("ECN: $name", async ({ frame, expected }) => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  const run = decapsulator.run(frame);
  if (expected === undefined) expect(run).toEqual({ verdict: "drop", reason: "congested", frame });
  else expect(run).toMatchObject({ verdict: "pass", frame: expected });
});

const inner4 = ipInIp(INNER_IPV4);
const inner6 = ipInIp(INNER_IPV6);
const longer = (packet: Uint8Array, bytes: number): Uint8Array => {
  const result = new Uint8Array(packet.length + bytes);
  result.set(packet);
  return result;
};
/** Frames that stay as they are, whatever --drop-others says. */
const UNTOUCHED: readonly { readonly name: string; readonly reason: string; readonly packet: Uint8Array }[] =
  [
    { name: "TCP", reason: "not_encapsulated", packet: INNER_IPV4 },
    { name: "TCP over IPv6", reason: "not_encapsulated", packet: INNER_IPV6 },
    { name: "ICMP", reason: "not_encapsulated", packet: inIpv4(icmp({ type: 8 })) },
    {
      name: "UDP to another port",
      reason: "not_encapsulated",
      packet: inIpv4(gue(INNER_IPV4, { port: 6081 })),
    },
    {
      name: "a later fragment of UDP",
      reason: "not_encapsulated",
      packet: inIpv4(gue(INNER_IPV4), { fragmentOffsetBytes: 8 }),
    },
    {
      name: "a later fragment of UDP over IPv6",
      reason: "not_encapsulated",
      packet: inIpv6(fragmentHeader(gue(INNER_IPV4), { offsetBytes: 8 })),
    },
    {
      name: "more extension headers than a tunnel writes",
      reason: "not_encapsulated",
      packet: inIpv6(destinationOptions(destinationOptions(destinationOptions(destinationOptions(inner6))))),
    },
    { name: "a UDP header cut short", reason: "malformed_outer", packet: inIpv4(raw(17, pattern(7))) },
    {
      name: "a UDP length that is too small",
      reason: "malformed_outer",
      packet: inIpv4(udp({ sourcePort: 1, targetPort: 6080, lengthBytes: 60 }, INNER_IPV4)),
    },
    {
      name: "a total length shorter than the header",
      reason: "malformed_outer",
      packet: inIpv4(inner4, { totalLengthBytes: 19 }),
    },
    {
      name: "an extension header beyond the packet",
      reason: "malformed_outer",
      packet: inIpv6(raw(60, new Uint8Array([41, 1, 0, 0, 0, 0, 0, 0]))),
    },
    { name: "a first fragment", reason: "outer_fragment", packet: inIpv4(inner4, { moreFragments: true }) },
    {
      name: "a later fragment",
      reason: "outer_fragment",
      packet: inIpv4(inner4, { fragmentOffsetBytes: 8 }),
    },
    {
      name: "a first fragment of GUE",
      reason: "outer_fragment",
      packet: inIpv4(gue(INNER_IPV4), { moreFragments: true }),
    },
    {
      name: "a first fragment of IPv6",
      reason: "outer_fragment",
      packet: inIpv6Fragment(INNER_IPV6, 0, true),
    },
    {
      name: "a later fragment of IPv6",
      reason: "outer_fragment",
      packet: inIpv6Fragment(INNER_IPV4, 8, false),
    },
    {
      name: "an atomic fragment",
      reason: "outer_fragment",
      packet: inIpv6(destinationOptions(fragmentHeader(inner6))),
    },
    {
      name: "IPv4 options",
      reason: "outer_options",
      packet: inIpv4(inner4, { options: new Uint8Array(4).fill(1) }),
    },
    { name: "hop-by-hop options", reason: "outer_options", packet: inIpv6(hopByHop(inner6)) },
    { name: "a routing header", reason: "outer_options", packet: inIpv6(routing(inner4)) },
  ];

test.for(UNTOUCHED)("$name is left to the stack: $reason", async ({ reason, packet }) => {
  for (const dropOthers of [false, true]) {
    const decapsulator = await Decapsulator.open({ vips: VIPS, dropOthers });
    const frame = ethernet({}, packet);
    expect(decapsulator.run(frame)).toEqual({ verdict: "pass", reason, frame });
  }
});

test("a frame that is not IP is left to the stack", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS, dropOthers: true });
  const frame = ethernet({ etherType: 0x0806 }, pattern(28));
  expect(decapsulator.run(frame)).toEqual({ verdict: "pass", reason: "not_encapsulated", frame });
});

test("GUE is left to the stack when there is no port for it", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS, guePort: 0 });
  for (const port of [0, 6080]) {
    const frame = ethernet({}, inIpv4(gue(INNER_IPV4, { port })));
    expect(decapsulator.run(frame)).toEqual({ verdict: "pass", reason: "not_encapsulated", frame });
  }
});

test("GUE has the port it is given", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS, guePort: 9886 });
  const run = decapsulator.run(ethernet({}, inIpv4(gue(INNER_IPV4, { port: 9886 }))));
  expect(run.reason).toBe("gue_ipv4_in_ipv4");
});

/** Encapsulated, and not accepted with the VIPs and this source. */
const SOURCES = ["172.16.0.0/16", "100::/64"];
const OTHERS: typeof UNTOUCHED = [
  {
    name: "another destination",
    reason: "not_vip",
    packet: inIpv4(ipInIp(ipv4({ source: "192.0.2.7", destination: "203.0.113.11" }, raw(253, pattern(9))))),
  },
  {
    name: "another destination of IPv6",
    reason: "not_vip",
    packet: inIpv4(ipInIp(ipv6({ source: "2001:db8::7", destination: "::cb00:710a" }, raw(253, pattern(9))))),
  },
  {
    name: "a VIP's first bytes as an IPv6 address",
    reason: "not_vip",
    packet: inIpv4(ipInIp(ipv6({ source: "2001:db8::7", destination: "cb00:710a::" }, raw(253, pattern(9))))),
  },
  { name: "another source", reason: "source_refused", packet: inIpv4(inner6, { source: "172.17.0.1" }) },
  {
    name: "another source of IPv6",
    reason: "source_refused",
    packet: inIpv6(inner4, { source: "100:0:0:1::" }),
  },
  {
    name: "a source's first bytes as an IPv6 address",
    reason: "source_refused",
    packet: inIpv6(inner4, { source: "ac10:1::" }),
  },
  {
    name: "another source of GUE",
    reason: "source_refused",
    packet: inIpv4(gue(INNER_IPV4), { source: "10.0.0.9" }),
  },
  { name: "nothing inside", reason: "malformed_inner", packet: inIpv4(raw(4, new Uint8Array())) },
  { name: "a header cut short", reason: "malformed_inner", packet: inIpv6(raw(41, pattern(39).fill(0x60))) },
  {
    name: "IPv6 where IPv4 is said to be",
    reason: "malformed_inner",
    packet: inIpv4(raw(4, INNER_IPV6)),
  },
  {
    name: "IPv4 where IPv6 is said to be",
    reason: "malformed_inner",
    packet: inIpv6(raw(41, INNER_IPV4)),
  },
  {
    name: "GUE of variant 0",
    reason: "malformed_inner",
    packet: inIpv4(gue(new Uint8Array([0, 4, 0, 0, ...INNER_IPV4]))),
  },
  {
    name: "a header length that is too small",
    reason: "malformed_inner",
    packet: inIpv4(
      raw(
        4,
        Uint8Array.from(INNER_IPV4, (byte, index) => (index === 0 ? 0x44 : byte)),
      ),
    ),
  },
  {
    name: "less inside than around it",
    reason: "malformed_inner",
    packet: inIpv4(raw(4, longer(INNER_IPV4, 1))),
  },
  {
    name: "more inside than around it",
    reason: "malformed_inner",
    packet: inIpv6(raw(41, INNER_IPV6.subarray(0, -1))),
  },
];

test.for(OTHERS)("not accepted: $name, $reason", async ({ reason, packet }) => {
  const frame = ethernet({}, packet);
  const lenient = await Decapsulator.open({ vips: VIPS, sources: SOURCES });
  expect(lenient.run(frame)).toEqual({ verdict: "pass", reason, frame });
  const strict = await Decapsulator.open({ vips: VIPS, sources: SOURCES, dropOthers: true });
  expect(strict.run(frame)).toEqual({ verdict: "drop", reason: `${reason}_dropped`, frame });
});

test("sources alone are enough, and then any destination is accepted", async () => {
  const decapsulator = await Decapsulator.open({ sources: SOURCES });
  const elsewhere = ipv4(
    { source: "192.0.2.7", destination: "203.0.113.99" },
    tcp({ sourcePort: 1, targetPort: 2 }),
  );
  expect(decapsulator.run(ethernet({}, inIpv4(ipInIp(elsewhere))))).toMatchObject({
    reason: "ipv4_in_ipv4",
    frame: ethernet({}, elsewhere),
  });
  const refused = decapsulator.run(ethernet({}, inIpv4(ipInIp(elsewhere), { source: "10.0.0.1" })));
  expect(refused.reason).toBe("source_refused");
});

test("a VIP's packets are counted by the length inside", async () => {
  const decapsulator = await Decapsulator.open({ vips: VIPS });
  for (const { packet } of KINDS) decapsulator.run(ethernet({ padToBytes: 1000 }, packet));
  expect(decapsulator.traffic(VIP_IPV4)).toEqual({ packets: 4n, bytes: BigInt(4 * INNER_IPV4.length) });
  expect(decapsulator.traffic(VIP_IPV6)).toEqual({ packets: 4n, bytes: BigInt(4 * INNER_IPV6.length) });
});
