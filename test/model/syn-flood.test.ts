/** What only a table that is really full shows: the model knows no lines, so this asks the program alone. */
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { parseConfig } from "../../control/model/config-file.ts";
import { ethernet, ipv4, ipv6, tcp } from "../packets/frame.ts";
import { Random } from "../packets/random.ts";
import { TCP_ACK, TCP_SYN } from "../packets/tcp.ts";
import { Program } from "./program.ts";

const FLOWS_PER_CPU = 256;
const FLOOD_PACKETS = 20_000;

const CONFIG = parseConfig(
  stringify({
    version: 1,
    capacity: { vips: 4, backends: 8, flowsPerCpu: FLOWS_PER_CPU },
    settings: { gatewayMac: "00:00:de:ad:be:af", newFlowsPerSecondPerCpu: 0 },
    vips: ["10.200.1.1", "fc00:1::1"].map((address) => ({
      address,
      port: 80,
      protocol: "tcp",
      backends: [{ address: "10.0.0.1" }, { address: "10.0.0.2" }, { address: "fc00::3" }],
    })),
  }),
  { file: "test.yaml" },
);

function segment(family: 4 | 6, host: number, flags: number): Uint8Array {
  const layer = tcp({ sourcePort: 1024 + (host % 60000), targetPort: 80, flags });
  return family === 4
    ? ethernet({}, ipv4({ source: `198.18.${host >> 8}.${host & 255}`, destination: "10.200.1.1" }, layer))
    : ethernet({}, ipv6({ source: `2001:db8::${host.toString(16)}`, destination: "fc00:1::1" }, layer));
}

test.for<{ family: 4 | 6 }>([{ family: 4 }, { family: 6 }])(
  "a SYN flood over IPv$family takes no place of an established connection",
  { timeout: 60_000 },
  async ({ family }) => {
    const program = await Program.open(CONFIG);
    const connections = Array.from({ length: 100 }, (_, index) => index);
    const send = (host: number, flags: number, timeMs: number) => {
      const { reasons, frame } = program.run(segment(family, host, flags), BigInt(timeMs) * 1_000_000n);
      return { reason: reasons.join(), outer: frame.slice(14, 54).join() };
    };
    const established = connections.filter((host) => {
      send(host, TCP_SYN, 1000);
      return send(host, TCP_ACK, 1001).reason === "flow_hit";
    });
    // A few find their line full of others' established connections.
    expect(established.length).toBeGreaterThan(80);
    const before = established.map((host) => send(host, TCP_ACK, 1002));
    expect(new Set(before.map(({ reason }) => reason))).toEqual(new Set(["flow_hit"]));

    const random = new Random(1);
    const flood = new Map<string, number>();
    for (let packet = 0; packet < FLOOD_PACKETS; packet++) {
      const { reason } = send(1000 + random.integer(0, 30_000), TCP_SYN, 1003 + (packet >> 4));
      flood.set(reason, (flood.get(reason) ?? 0) + 1);
    }
    expect([...flood.keys()].sort()).toEqual(["flow_new", "flow_table_full"]);
    expect(established.map((host) => send(host, TCP_ACK, 4000))).toEqual(before);
  },
);
