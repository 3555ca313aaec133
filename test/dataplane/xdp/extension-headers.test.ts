/**
 * Long chains of IPv6 extension headers. How far one header may be behind another is bounded in the program by a mask, which must not cut what
 * is true. A frame of one page has no room for the longest chain there could be; the program asserts that the mask would do for it.
 */
import { expect, test } from "vitest";
import { destinationOptions, ethernet, icmpv6, ipv6, type Layer, tcp } from "../../packets/frame.ts";
import { TCP_SYN } from "../../packets/tcp.ts";
import { Balancer } from "./balancer.ts";

const CONFIG = `
version: 1
settings: {gatewayMac: "00:00:de:ad:be:af", maxFrameBytes: 9000, mtu: 9000}
vips: [{address: "fc00:1::1", port: 80, protocol: tcp, backends: [{address: "fc00::1"}]}]
`;
const CLIENT = "2001:db8::1";
const VIP = "fc00:1::1";

/** Extension headers of so many bytes each, before `payload`. */
function behind(headersBytes: readonly number[], payload: Layer): Layer {
  return headersBytes.reduceRight(
    (inner, sizeBytes) => destinationOptions(inner, new Uint8Array(sizeBytes - 2)),
    payload,
  );
}

const toVip = (headersBytes: readonly number[]): Uint8Array =>
  ipv6(
    { source: CLIENT, destination: VIP },
    behind(headersBytes, tcp({ sourcePort: 7, targetPort: 80, flags: TCP_SYN })),
  );
const fromVip = (headersBytes: readonly number[]): Uint8Array =>
  ipv6(
    { source: VIP, destination: CLIENT },
    behind(headersBytes, tcp({ sourcePort: 80, targetPort: 7, flags: TCP_SYN })),
  );
const tooBig = (headersBytes: readonly number[], quote: Uint8Array): Uint8Array =>
  ipv6({ source: "2001:db8::99", destination: VIP }, behind(headersBytes, icmpv6({ type: 2 }, quote)));

const SIX_LONG = [2048, 248, 248, 248, 248, 248];
const SIX = [264, 256, 264, 8, 16, 776];
const SEVEN = [...SIX, 8];

test.for([
  { name: "a SYN behind one long header", packet: toVip([2048]), reason: "flow_new" },
  { name: "a SYN behind six headers", packet: toVip(SIX_LONG), reason: "flow_new" },
  { name: "a SYN behind seven headers", packet: toVip(SEVEN), reason: "malformed_ipv6" },
  { name: "an error behind six headers", packet: tooBig(SIX_LONG, fromVip([])), reason: "icmp_error" },
  {
    name: "an error that quotes a SYN behind six",
    packet: tooBig([], fromVip(SIX_LONG)),
    reason: "icmp_error",
  },
  {
    name: "an error that quotes a SYN behind seven",
    packet: tooBig([], fromVip(SEVEN)),
    reason: "malformed_icmp",
  },
  { name: "both behind six", packet: tooBig(SIX, fromVip(SIX)), reason: "icmp_error" },
  { name: "an error behind seven", packet: tooBig(SEVEN, fromVip([])), reason: "malformed_ipv6" },
])("$name, after no VLAN tag, one and two: $reason", async ({ packet, reason }) => {
  const balancer = await Balancer.open(CONFIG);
  for (const tags of [0, 1, 2]) {
    const frame = ethernet({ tags: Array(tags).fill({ protocol: 0x8100, control: 5 }) }, packet);
    expect(balancer.run(frame).reason).toBe(reason);
  }
});
