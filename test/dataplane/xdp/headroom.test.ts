/**
 * Drivers leave 256 bytes before a frame, but a program that ran before may have used them. The kernel keeps 40 for itself.
 */
import { expect, test } from "vitest";
import { ethernet, ipv4, pattern, tcp } from "../../packets/frame.ts";
import { TCP_SYN } from "../../packets/tcp.ts";
import { Balancer } from "./balancer.ts";

const KEPT_BYTES = 40;
const CONFIG = `
version: 1
settings: {gatewayMac: "00:00:de:ad:be:af", localAddress: {ipv4: 10.0.13.37, ipv6: "fc00:2307::1337"}}
vips:
  - {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1, weight: 1}]}
  - {address: 10.200.1.2, port: 80, protocol: tcp, backends: [{address: "fc00::1", weight: 1}]}
`;

const frameTo = (destination: string, dataBytes = 0): Uint8Array =>
  ethernet(
    {},
    ipv4(
      { source: "192.0.2.1", destination },
      tcp({ sourcePort: 1, targetPort: 80, flags: TCP_SYN }, pattern(dataBytes)),
    ),
  );

test.for([
  { name: "an IPv4 outer header", frame: frameTo("10.200.1.1"), neededBytes: 20, reason: "flow_new" },
  { name: "an IPv6 outer header", frame: frameTo("10.200.1.2"), neededBytes: 40, reason: "flow_new" },
  {
    name: "the headers of a too-big reply",
    frame: frameTo("10.200.1.1", 1460),
    neededBytes: 28,
    reason: "too_big_reply",
  },
])("$name has just room, or the frame is dropped as it came", async ({ frame, neededBytes, reason }) => {
  const balancer = await Balancer.open(CONFIG);
  const tooLittle = balancer.run(frame, { headroomBytes: KEPT_BYTES + neededBytes - 1 });
  expect(tooLittle).toMatchObject({ verdict: "drop", reason: "no_headroom", frame });
  const enough = balancer.run(frame, { headroomBytes: KEPT_BYTES + neededBytes });
  expect(enough).toMatchObject({ verdict: "tx", reason });
});
