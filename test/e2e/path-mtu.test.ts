/**
 * Packets that are too big for the way. From a hop of small MTU between router and client, ICMP goes to where the large packet came
 * from: the VIP. The balancer has to find the backend that sent it, or the download never ends.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { BalancedNetwork } from "./harness/balanced-network.ts";
import { ENCAPSULATIONS } from "./harness/edge-config.ts";
import { CLIENT, CLIENT_MTU, HTTP_PORTS } from "./harness/edge-network.ts";

const MIB = 1 << 20;
const HOP_MTU = 1300;
/** That each backend gets one is as good as certain. */
const CONNECTIONS = 40;
const isSkipped = lacks("path MTU discovery with real connections", namespaces);

describe.skipIf(isSkipped)("a hop of small MTU on the way to the client", () => {
  let edge: BalancedNetwork;
  beforeAll(async () => {
    edge = await BalancedNetwork.create({ backends: 3, hopMtu: HOP_MTU });
  });
  afterAll(() => edge?.close());

  test.for(ENCAPSULATIONS)(
    "$encapsulation: each backend hears of it, and downloads complete",
    async ({ vip, variant }) => {
      const client = vip.includes(":") ? CLIENT.ipv6 : CLIENT.ipv4;
      const backends = edge.network.backends.map(({ namespace }) => namespace);
      // Also the client: knowing the path it would announce an MSS for it, and nothing would be too big.
      for (const host of [edge.network.clientHost, ...backends]) host.forgetPaths();
      expect(backends.map((backend) => backend.pathMtu(client))).toEqual(backends.map(() => CLIENT_MTU));
      const reports = await edge.network.client.transfer({
        host: vip,
        port: HTTP_PORTS[variant],
        count: CONNECTIONS,
        uploadBytes: 50_000,
        downloadBytes: MIB / 2,
        seed: 7,
      });
      for (const report of reports) {
        expect(report).toMatchObject({ isUploadWhole: true, isDownloadWhole: true, error: null });
      }
      expect(new Set(reports.map(({ backend }) => backend)).size).toBe(backends.length);
      // A backend learns the path's MTU only from errors about connections that it has itself.
      expect(backends.map((backend) => backend.pathMtu(client))).toEqual(backends.map(() => HOP_MTU));
      const reasons = edge.reasonsSinceLast();
      expect(reasons.icmp_error).toBeGreaterThanOrEqual(backends.length);
      expect(reasons.flow_new).toBe(CONNECTIONS);
    },
  );
});

describe.skipIf(isSkipped)("links without room for the outer header", () => {
  let edge: BalancedNetwork;
  beforeAll(async () => {
    edge = await BalancedNetwork.create({ backends: 2, fabricMtu: 1500 });
  });
  afterAll(() => edge?.close());

  test.for([
    { ...ENCAPSULATIONS[0], mtu: 1480 },
    { ...ENCAPSULATIONS[1], mtu: 1460 },
    { ...ENCAPSULATIONS[2], mtu: 1460 },
    { ...ENCAPSULATIONS[3], mtu: 1480 },
  ])(
    "$encapsulation: the client is told an MTU of $mtu, and uploads complete",
    async ({ vip, variant, mtu }) => {
      edge.network.clientHost.forgetPaths();
      const reports = await edge.network.client.transfer({
        host: vip,
        port: HTTP_PORTS[variant],
        count: 4,
        uploadBytes: 2 * MIB,
        downloadBytes: MIB,
        seed: 8,
      });
      for (const report of reports) {
        expect(report).toMatchObject({ isUploadWhole: true, isDownloadWhole: true, error: null });
      }
      expect(edge.network.clientHost.pathMtu(vip)).toBe(mtu);
      expect(edge.reasonsSinceLast().too_big_reply).toBeGreaterThan(0);
    },
  );
});
