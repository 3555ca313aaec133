/**
 * The network of these tests without a balancer: plain routing carries connections to a backend, and the client's checks find what is
 * wrong. What fails here is no fault of Lamna's.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import {
  CLIENT,
  CLIENT_MTU,
  EdgeNetwork,
  HTTP_PORTS,
  TCP_ECHO_PORTS,
  UDP_ECHO_PORTS,
  VIP4,
} from "./harness/edge-network.ts";

const HOP_MTU = 1300;

describe.skipIf(lacks("connections in network namespaces", namespaces))(
  "the network without a balancer",
  () => {
    let network: EdgeNetwork;
    beforeAll(async () => {
      network = await EdgeNetwork.create({ backends: 1, hopMtu: HOP_MTU });
    });
    afterAll(() => network?.close());

    test.for(["ipv4", "ipv6"] as const)(
      "transfers over %s reach the backend and come back whole",
      async (family) => {
        const host = network.backend(0)[family];
        const target = {
          host,
          port: HTTP_PORTS[0],
          count: 2,
          uploadBytes: 1_000_003,
          downloadBytes: 2_000_003,
          seed: 1,
        };
        const reports = await network.client.transfer(target);
        expect(reports).toHaveLength(2);
        expect(network.backend(0).namespace.pathMtu(CLIENT[family])).toBe(HOP_MTU);
        network.backend(0).namespace.forgetPaths();
        expect(network.backend(0).namespace.pathMtu(CLIENT[family])).toBe(CLIENT_MTU);
        for (const report of reports) {
          expect(report).toEqual({
            backend: "backend0",
            remoteAddress: CLIENT[family],
            localAddress: host,
            isUploadWhole: true,
            isDownloadWhole: true,
            error: null,
          });
        }
      },
    );

    test.for([
      { protocol: "tcp", family: "ipv4", port: TCP_ECHO_PORTS[0] },
      { protocol: "tcp", family: "ipv6", port: TCP_ECHO_PORTS[1] },
      { protocol: "udp", family: "ipv4", port: UDP_ECHO_PORTS[0] },
      { protocol: "udp", family: "ipv6", port: UDP_ECHO_PORTS[1] },
    ] as const)(
      "a $protocol load over $family gets on, and ends in order",
      async ({ protocol, family, port }) => {
        const host = network.backend(0)[family];
        const load = await network.client.open(protocol, {
          host,
          port,
          count: 5,
          chunkBytes: 1000,
          pauseMs: 1,
          seed: 2,
        });
        expect(load.opened.map(({ backend, error }) => ({ backend, error }))).toEqual(
          Array.from({ length: 5 }, () => ({ backend: "backend0", error: null })),
        );
        await load.advance(20);
        for (const report of await load.close()) {
          expect(report).toMatchObject({ lost: 0, moves: 0, error: null });
          expect(report.echoes).toBeGreaterThanOrEqual(20);
        }
      },
    );

    test("a VIP without a balancer is not reached, and the client says so", async () => {
      // Nobody in the balancer's namespace takes the packets: it does not forward.
      const target = { host: VIP4, port: 9, count: 1, uploadBytes: 1, downloadBytes: 1, seed: 3 };
      network.router.ip(`route replace unreachable ${VIP4}/32`);
      const [report] = await network.client.transfer(target);
      network.routeVip(VIP4, 0);
      expect(report).toMatchObject({ isUploadWhole: false, isDownloadWhole: false });
      expect(report?.error).toMatch(/EHOSTUNREACH|ENETUNREACH/);
    });

    test("a load says why a connection failed", async () => {
      const host = network.backend(0).ipv4;
      const load = await network.client.open("tcp", {
        host,
        port: 9,
        count: 2,
        chunkBytes: 100,
        pauseMs: 1,
        seed: 4,
      });
      for (const { backend, error } of await load.close()) {
        expect(backend).toBeNull();
        expect(error).toContain("ECONNREFUSED");
      }
    });
  },
);
