/**
 * How many instructions the program executes: the one measure of its speed that is the same on every machine. The limits
 * are a little above today's numbers. Who exceeds one has either found a good reason, and says it where he raises the limit, or
 * has made clang keep more values than there are registers.
 */
import { expect, test } from "vitest";
import { ethernet, icmp, ipv4, ipv6, tcp, udp } from "../../packets/frame.ts";
import { TCP_ACK, TCP_SYN } from "../../packets/tcp.ts";
import { Balancer } from "./balancer.ts";

const CONFIG = `
version: 1
settings: {gatewayMac: "00:00:de:ad:be:af", localAddress: {ipv4: 10.0.13.37, ipv6: "fc00:2307::1337"}}
vips:
  - {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1, weight: 1}]}
  - {address: 10.200.1.1, port: 443, protocol: udp, backends: [{address: 10.0.0.1, weight: 1}]}
  - {address: "fc00:1::1", port: 80, protocol: tcp, backends: [{address: "fc00::1", weight: 1}]}
`;

const tcp4 = (flags: number, targetPort = 80): Uint8Array =>
  ethernet(
    {},
    ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, tcp({ sourcePort: 31337, targetPort, flags })),
  );
const tcp6 = (flags: number): Uint8Array =>
  ethernet(
    {},
    ipv6(
      { source: "2001:db8::1", destination: "fc00:1::1" },
      tcp({ sourcePort: 31337, targetPort: 80, flags }),
    ),
  );
const udp4: Uint8Array = ethernet(
  {},
  ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, udp({ sourcePort: 31337, targetPort: 443 })),
);
const echo: Uint8Array = ethernet(
  {},
  ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, icmp({ type: 8 })),
);

test.for([
  {
    name: "a known IPv4 TCP flow",
    first: tcp4(TCP_SYN),
    frame: tcp4(TCP_ACK),
    reason: "flow_hit",
    limit: 540,
  },
  {
    name: "a known IPv6 TCP flow",
    first: tcp6(TCP_SYN),
    frame: tcp6(TCP_ACK),
    reason: "flow_hit",
    limit: 575,
  },
  { name: "a known IPv4 UDP flow", first: udp4, frame: udp4, reason: "flow_hit", limit: 540 },
  { name: "a new IPv4 TCP flow", frame: tcp4(TCP_SYN), reason: "flow_new", limit: 665 },
  { name: "a new IPv6 TCP flow", frame: tcp6(TCP_SYN), reason: "flow_new", limit: 810 },
  { name: "no VIP's port", frame: tcp4(TCP_ACK, 22), reason: "not_vip", limit: 230 },
  // Looks for its Ethernet header anew, lest the verifier know of it on all other ways too.
  { name: "an echo request", frame: echo, reason: "echo_reply", limit: 280 },
])("$name takes at most $limit instructions", async ({ first, frame, reason, limit }) => {
  const balancer = await Balancer.open(CONFIG);
  if (first !== undefined) balancer.run(first);
  const run = balancer.run(frame);
  expect(run.reason).toBe(reason);
  expect(run.instructionCount).toBeLessThanOrEqual(limit);
});
