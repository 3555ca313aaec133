/** The balancer on several RX queues, whose flows are several CPUs', and on two interfaces, which share their flows. */
import { availableParallelism } from "node:os";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { BalancedNetwork, reasonsSince } from "./harness/balanced-network.ts";
import type { Load } from "./harness/client.ts";
import { edgeConfig } from "./harness/edge-config.ts";
import {
  HTTP_PORTS,
  SECOND_VIP4,
  SECOND_VIP6,
  TCP_ECHO_PORTS,
  UDP_ECHO_PORTS,
  VIP4,
  VIP6,
} from "./harness/edge-network.ts";

const MIB = 1 << 20;
const CPUS = availableParallelism();
/** A multiple, so that queue and CPU, which both go by the flow's hash, go together: a queue is one CPU's, as on a NIC. */
const QUEUES = 2 * CPUS;
const isSkipped = lacks("several queues and interfaces with real connections", namespaces);

describe.skipIf(isSkipped).each([{ mode: "native" }, { mode: "generic" }] as const)(
  `${QUEUES} RX queues in $mode mode`,
  ({ mode }) => {
    let edge: BalancedNetwork;
    beforeAll(async () => {
      edge = await BalancedNetwork.create({ backends: 3, queues: QUEUES, mode });
    });
    afterAll(() => edge?.close());

    test("flows land on every CPU, and each CPU knows its own also when backends change", async () => {
      const { client, backends, balancer } = edge.network;
      // The first packets wait for the balancer's address, and are then sent by whichever CPU learns it.
      for (const load of await openLoads(edge, [VIP4, VIP6], 1)) await load.close();
      const before = edge.lamna.status();
      const loads = await openLoads(edge, [VIP4, VIP6], 25);
      await Promise.all(loads.map((load) => load.advance(5)));
      const opened = edge.lamna.status();
      // One CPU's each. Fewer, should one come to a port that was used before.
      const { flow_new = 0 } = reasonsSince(before, opened);
      expect(flow_new).toBeLessThanOrEqual(100);
      expect(flow_new).toBeGreaterThan(90);
      const busy = opened.packetsByCpu.filter((count, cpu) => count - before.packetsByCpu[cpu]! > 100);
      expect(busy).toHaveLength(CPUS);
      if (mode === "native") {
        const queues = balancer.xdpPacketsByQueue("e0");
        expect(queues).toHaveLength(QUEUES);
        for (const packets of queues) expect(packets).toBeGreaterThan(0);
      }

      edge.lamna.attach(
        edgeConfig(backends, ({ name }) => (name === "backend0" ? { state: "draining" } : {})),
        { mode },
      );
      await Promise.all(loads.map((load) => load.advance(10)));
      for (const load of loads) expectUnbroken(load, await load.close());

      const target = { host: VIP4, port: HTTP_PORTS[0], count: 16, seed: 4 };
      for (const report of await client.transfer({
        ...target,
        uploadBytes: 4 * MIB,
        downloadBytes: 4 * MIB,
      })) {
        expect(report).toMatchObject({ isUploadWhole: true, isDownloadWhole: true, error: null });
      }
    });
  },
);

describe.skipIf(isSkipped)("two interfaces, of one instance", () => {
  let edge: BalancedNetwork;
  beforeAll(async () => {
    edge = await BalancedNetwork.create({ backends: 3, hasSecondInterface: true, interfaces: ["e0", "e1"] });
  });
  afterAll(() => edge?.close());

  beforeEach(() => {
    edge.lamna.attach(edgeConfig(edge.network.backends), { interfaces: ["e0", "e1"] });
    routeSecondVips(1);
  });

  function routeSecondVips(interfaceIndex: number): void {
    for (const vip of [SECOND_VIP4, SECOND_VIP6]) edge.network.routeVip(vip, interfaceIndex);
  }

  test("each forwards by its own next hop", async () => {
    const { client, balancer } = edge.network;
    const { interfaces } = edge.lamna.status();
    expect(interfaces.map(({ name, state, gatewayMac }) => ({ name, state, gatewayMac }))).toEqual([
      { name: "e0", state: "attached", gatewayMac: "02:00:00:00:02:01" },
      { name: "e1", state: "attached", gatewayMac: "02:00:00:00:03:01" },
    ]);
    for (const { interfaceName, vips } of [
      { interfaceName: "e0", vips: [VIP4, VIP6] },
      { interfaceName: "e1", vips: [SECOND_VIP4, SECOND_VIP6] },
    ]) {
      const sentBefore = balancer.statistics(interfaceName).txBytes;
      for (const host of vips) {
        const target = {
          host,
          port: HTTP_PORTS[0],
          count: 4,
          uploadBytes: 4 * MIB,
          downloadBytes: 4 * MIB,
          seed: 5,
        };
        for (const report of await client.transfer(target)) {
          expect(report).toMatchObject({ isUploadWhole: true, isDownloadWhole: true, error: null });
        }
      }
      expect(balancer.statistics(interfaceName).txBytes - sentBefore).toBeGreaterThan(2 * 4 * 4 * MIB);
    }
  });

  test("connections move from one to the other, which is then detached, and break neither then nor when it is back", async () => {
    const { backends } = edge.network;
    const loads = await openLoads(edge, [SECOND_VIP4, SECOND_VIP6], 20);
    await Promise.all(loads.map((load) => load.advance(5)));
    // New flows would go elsewhere now: only those that are remembered stay where they are.
    edge.lamna.attach(
      edgeConfig(backends, ({ name }) => (name === "backend0" ? { state: "draining" } : {})),
      { interfaces: ["e0", "e1"] },
    );
    const before = edge.lamna.status();

    routeSecondVips(0);
    await Promise.all(loads.map((load) => load.advance(5)));
    edge.lamna.detach("e1");
    expect(edge.lamna.status().interfaces.map(({ name }) => name)).toEqual(["e0"]);
    await Promise.all(loads.map((load) => load.advance(5)));
    edge.lamna.attach(
      edgeConfig(backends, ({ name }) => (name === "backend0" ? { state: "draining" } : {})),
      { interfaces: ["e1"] },
    );
    expect(edge.lamna.status().interfaces.map(({ name }) => name)).toEqual(["e0", "e1"]);
    routeSecondVips(1);
    await Promise.all(loads.map((load) => load.advance(5)));

    const reasons = reasonsSince(before, edge.lamna.status());
    expect(reasons).not.toHaveProperty("flow_new");
    for (const load of loads) expectUnbroken(load, await load.close());
  });
});

/** Connections and flows to each of the VIPs. */
function openLoads(edge: BalancedNetwork, vips: readonly string[], count: number): Promise<Load[]> {
  const target = { count, chunkBytes: 800, pauseMs: 5, seed: 6 };
  const { client } = edge.network;
  return Promise.all(
    vips.flatMap((host) => [
      client.open("tcp", { ...target, host, port: TCP_ECHO_PORTS[0] }),
      client.open("udp", { ...target, host, port: UDP_ECHO_PORTS[0] }),
    ]),
  );
}

function expectUnbroken({ opened }: Load, reports: Awaited<ReturnType<Load["close"]>>): void {
  const outcomes = reports.map(({ backend, lost, moves, error }) => ({ backend, lost, moves, error }));
  expect(outcomes).toEqual(opened.map(({ backend }) => ({ backend, lost: 0, moves: 0, error: null })));
}
