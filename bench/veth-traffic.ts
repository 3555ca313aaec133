/** What the benchmarks over veth send to which balancer. */
import { ethernet, ipv4, ipv6, tcp } from "../test/packets/frame.ts";
import { FAR_MAC, NEAR_MAC } from "./veth-line.ts";
import { FRAME_BYTES } from "./veth-programs.ts";

export const BALANCER_CONFIG: string = `
version: 1
settings: {gatewayMac: "${NEAR_MAC}"}
vips:
  - {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}, {address: 10.0.0.2}, {address: 10.0.0.3}]}
  - {address: "2001:db8::1", port: 80, protocol: tcp, backends: [{address: "fd00::1"}, {address: "fd00::2"}]}
`;

/** Of an established connection. */
const SEGMENT = tcp({ sourcePort: 31337, targetPort: 80 });
const ETHERNET = { destination: FAR_MAC, source: NEAR_MAC, padToBytes: FRAME_BYTES };
export const IPV4_FRAME: Uint8Array = ethernet(
  ETHERNET,
  ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, SEGMENT),
);
export const IPV6_FRAME: Uint8Array = ethernet(
  ETHERNET,
  ipv6({ source: "2001:db8:1::1", destination: "2001:db8::1" }, SEGMENT),
);
