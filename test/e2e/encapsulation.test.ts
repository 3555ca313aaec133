/** Every encapsulation, in each mode of XDP at the balancer and each hook at the backends: real connections come through, whole. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { BalancedNetwork } from "./harness/balanced-network.ts";
import { ENCAPSULATIONS } from "./harness/edge-config.ts";
import { CLIENT, HTTP_PORTS, TCP_ECHO_PORTS, UDP_ECHO_PORTS } from "./harness/edge-network.ts";

const MIB = 1 << 20;

describe.skipIf(lacks("encapsulations with real connections", namespaces)).each([
  { mode: "native", hook: "xdp" },
  { mode: "native", hook: "tc" },
  { mode: "generic", hook: "xdp" },
  { mode: "generic", hook: "tc" },
] as const)("a balancer in $mode mode and backends that decapsulate by $hook", ({ mode, hook }) => {
  let edge: BalancedNetwork;
  beforeAll(async () => {
    edge = await BalancedNetwork.create({ backends: 2, mode, hook });
  });
  afterAll(() => edge?.close());

  test("the status says so", () => {
    const { interfaces, program } = edge.lamna.status();
    expect(interfaces).toMatchObject([{ name: "e0", state: "attached", mode }]);
    expect(program?.isShippedObject).toBe(true);
  });

  test.for(ENCAPSULATIONS)(
    "$encapsulation: large uploads and downloads come whole, and directly",
    async ({ vip, variant }) => {
      const sentBefore = edge.network.balancer.statistics("e0").txBytes;
      const target = { host: vip, port: HTTP_PORTS[variant], count: 4, seed: variant };
      const uploads = await edge.network.client.transfer({
        ...target,
        uploadBytes: 8 * MIB + 1,
        downloadBytes: 0,
      });
      const sentWithUploads = edge.network.balancer.statistics("e0").txBytes;
      const downloads = await edge.network.client.transfer({
        ...target,
        uploadBytes: 0,
        downloadBytes: 8 * MIB + 1,
      });
      const sentWithDownloads = edge.network.balancer.statistics("e0").txBytes;

      for (const report of [...uploads, ...downloads]) {
        expect(report).toEqual({
          backend: expect.stringMatching(/^backend[01]$/),
          remoteAddress: vip.includes(":") ? CLIENT.ipv6 : CLIENT.ipv4,
          localAddress: vip,
          isUploadWhole: true,
          isDownloadWhole: true,
          error: null,
        });
      }
      // Uploads pass through the balancer; of downloads it sees the acknowledgements alone.
      expect(sentWithUploads - sentBefore).toBeGreaterThan(4 * 8 * MIB);
      expect(sentWithDownloads - sentWithUploads).toBeLessThan(8 * MIB);

      const reasons = edge.reasonsSinceLast();
      expect(reasons.flow_new).toBe(8);
      expect(reasons.flow_hit).toBeGreaterThan((4 * 8 * MIB) / 1500);
      expectForwardedOnly(reasons);
    },
  );

  test.for(ENCAPSULATIONS)(
    "$encapsulation: many connections and flows reach every backend, and keep to theirs",
    async ({ vip, variant }) => {
      const target = { host: vip, count: 40, chunkBytes: 1400, pauseMs: 5, seed: 100 };
      const connections = await edge.network.client.open("tcp", { ...target, port: TCP_ECHO_PORTS[variant] });
      const flows = await edge.network.client.open("udp", { ...target, port: UDP_ECHO_PORTS[variant] });
      await Promise.all([connections.advance(10), flows.advance(10)]);
      for (const load of [connections, flows]) {
        const reports = await load.close();
        for (const report of reports) expect(report).toMatchObject({ lost: 0, moves: 0, error: null });
        expect(new Set(reports.map(({ backend }) => backend))).toEqual(new Set(["backend0", "backend1"]));
      }
      const reasons = edge.reasonsSinceLast();
      expect(reasons.flow_new).toBe(80);
      expectForwardedOnly(reasons);
    },
  );

  test.for(ENCAPSULATIONS)(
    "$encapsulation: datagrams in fragments come whole, at the backend of their flow",
    async ({ vip, variant }) => {
      const { client } = edge.network;
      const target = { host: vip, port: UDP_ECHO_PORTS[variant], count: 20, pauseMs: 5, seed: 200 };
      // A queue that waits for a neighbour's address has no room for so much.
      await (await client.open("udp", { ...target, chunkBytes: 10 })).close();
      const flows = await client.open("udp", { ...target, chunkBytes: 5000 });
      await flows.advance(5);
      const reports = await flows.close();
      for (const report of reports) expect(report).toMatchObject({ lost: 0, moves: 0, error: null });
      expect(new Set(reports.map(({ backend }) => backend)).size).toBe(2);
      // Each is three more than the first, which has the ports.
      const datagrams = reports.reduce((sum, { echoes }) => sum + echoes, 0);
      const { fragment_hit, ...reasons } = edge.reasonsSinceLast();
      expect({ fragment_hit, reasons }).toMatchObject({ fragment_hit: 3 * datagrams });
      expectForwardedOnly(reasons);
    },
  );
});

/** Everything for a VIP was forwarded; the rest is the host's own: neighbour discovery, and whatever else is not TCP or UDP to a VIP. */
function expectForwardedOnly(reasons: Readonly<Record<string, number>>): void {
  const { flow_new, flow_hit, not_ip, other_icmp, other_protocol, not_vip, ...rest } = reasons;
  expect(rest).toEqual({});
}
