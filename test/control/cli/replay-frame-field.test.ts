import { expect, test } from "vitest";
import { frameFieldAt, outerDestination } from "../../../control/cli/replay-frame-field.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

const ETHERNET = "020000000001 020000000002";
const IPV4 = (protocol: string): string => `45000028 00010000 40${protocol}1234 c0a80101 0ac80101`;
const IPV6 = (next: string): string =>
  `60000000 0014${next}40 20010db8000000000000000000000001 20010db8000000000000000000000002`;
const TCP = "7a690050 00000001 00000002 50120200 abcd0000";
const UDP = "7a690050 0008abcd";

const tcpOverIpv4 = bytes(`${ETHERNET} 0800 ${IPV4("06")} ${TCP}`);
const tagged = bytes(`${ETHERNET} 88a8 0064 8100 0065 86dd ${IPV6("11")} ${UDP}`);
const tunnel = bytes(`${ETHERNET} 86dd ${IPV6("04")} ${IPV4("11")} ${UDP}`);
const icmpv6 = bytes(`${ETHERNET} 86dd ${IPV6("3a")} 01000000 00000000`);

test.for([
  { frame: tcpOverIpv4, offset: 0, name: "Ethernet destination", value: "02:00:00:00:00:01" },
  { frame: tcpOverIpv4, offset: 11, name: "Ethernet source", value: "02:00:00:00:00:02" },
  { frame: tcpOverIpv4, offset: 13, name: "Ethernet type", value: "0x0800" },
  { frame: tcpOverIpv4, offset: 15, name: "IPv4 type of service", value: "0x00" },
  { frame: tcpOverIpv4, offset: 24, name: "IPv4 header checksum", value: "0x1234" },
  { frame: tcpOverIpv4, offset: 33, name: "IPv4 destination", value: "10.200.1.1" },
  { frame: tcpOverIpv4, offset: 34, name: "TCP source port", value: "31337" },
  { frame: tcpOverIpv4, offset: 41, name: "TCP sequence number", value: "1" },
  { frame: tcpOverIpv4, offset: 47, name: "TCP flags", value: "SYN+ACK" },
  { frame: tagged, offset: 15, name: "VLAN priority and id", value: "0x0064" },
  { frame: tagged, offset: 21, name: "VLAN type", value: "0x86dd" },
  { frame: tagged, offset: 61, name: "IPv6 destination", value: "2001:db8::2" },
  { frame: tagged, offset: 68, name: "UDP checksum", value: "0xabcd" },
  { frame: tunnel, offset: 22, name: "outer IPv6 source", value: "2001:db8::1" },
  { frame: tunnel, offset: 66, name: "inner IPv4 source", value: "192.168.1.1" },
  { frame: tunnel, offset: 76, name: "inner UDP destination port", value: "80" },
  { frame: icmpv6, offset: 54, name: "ICMPv6 type", value: "1" },
])("offset $offset is the $name", ({ frame, offset, name, value }) => {
  const field = frameFieldAt(frame, offset);
  expect(field?.name).toBe(name);
  expect(field?.format(frame)).toBe(value);
});

test.for([
  { name: "payload", frame: tcpOverIpv4, offset: 54 },
  { name: "a frame that is neither IPv4 nor IPv6", frame: bytes(`${ETHERNET} 0806 0001`), offset: 15 },
  {
    name: "a protocol that is not known here",
    frame: bytes(`${ETHERNET} 0800 ${IPV4("2f")} 00000000`),
    offset: 35,
  },
])("$name has no field", ({ frame, offset }) => {
  expect(frameFieldAt(frame, offset)).toBeUndefined();
});

test.for([
  { name: "an encapsulated packet", frame: tunnel, to: "2001:db8::2" },
  { name: "one cut in the outer destination", frame: tunnel.slice(0, 53), to: undefined },
  { name: "one that is not encapsulated", frame: tcpOverIpv4, to: undefined },
  { name: "no packet at all", frame: Uint8Array.of(), to: undefined },
])("the outer destination of $name is $to", ({ frame, to }) => {
  expect(outerDestination(frame)).toBe(to);
});

test("a checksum says how far it covers", () => {
  expect(frameFieldAt(tcpOverIpv4, 24)).toMatchObject({ end: 26, coveredEnd: 34 });
  expect(frameFieldAt(tcpOverIpv4, 50)).toMatchObject({ end: 52, coveredEnd: 54 });
  expect(frameFieldAt(tcpOverIpv4, 33)?.coveredEnd).toBeUndefined();
});

test("no frame and no offset is too odd", () => {
  for (let size = 0; size <= tunnel.length; size++) {
    for (let offset = 0; offset <= size; offset++) frameFieldAt(tunnel.slice(0, size), offset);
  }
  // Headers that say they hold one another, without end.
  const endless = bytes(`${ETHERNET} 0800 ${IPV4("04").repeat(100)}`);
  expect(frameFieldAt(endless, endless.length - 1)).toBeUndefined();
});
