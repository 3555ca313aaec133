/** Backends come and go while connections to them are in use: who is drained keeps his, and who is down loses them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { BalancedNetwork, reasonsSince } from "./harness/balanced-network.ts";
import { type BackendChoice, ENCAPSULATIONS, edgeConfig } from "./harness/edge-config.ts";
import { HTTP_PORTS, TCP_ECHO_PORTS, UDP_ECHO_PORTS } from "./harness/edge-network.ts";
import type { EchoReport } from "./programs/echo-load.ts";

const MIB = 1 << 20;
const LEAVING = "backend0";

/** One of each family of clients: their flows are in different tables. */
const [OVER_IPV4, OVER_IPV6] = ENCAPSULATIONS;

describe.skipIf(lacks("draining with real connections", namespaces)).each([OVER_IPV4, OVER_IPV6])(
  "three backends, $encapsulation",
  ({ vip, variant }) => {
    let edge: BalancedNetwork;
    beforeAll(async () => {
      edge = await BalancedNetwork.create({ backends: 3 });
    });
    afterAll(() => edge?.close());
    beforeEach(() => change({}));

    const echo = { host: vip, chunkBytes: 1000, pauseMs: 5 };
    const tcp = { ...echo, port: TCP_ECHO_PORTS[variant], seed: 1 };
    const udp = { ...echo, port: UDP_ECHO_PORTS[variant], seed: 2 };

    /** Attaches again with another choice for the backend that leaves; null: without it. */
    function change(choice: BackendChoice | null): void {
      edge.lamna.attach(edgeConfig(edge.network.backends, ({ name }) => (name === LEAVING ? choice : {})));
    }

    test("a backend that is drained keeps its connections, gets no new ones, and can be removed once they have ended", async () => {
      const { client } = edge.network;
      const leaving = edge.network.backend(0);
      const { failed } = await leaving.server.report();
      const old = await client.open("tcp", { ...tcp, count: 40 });
      const oldFlows = await client.open("udp", { ...udp, count: 40 });
      expect(connectionsTo(LEAVING, old.opened)).toBeGreaterThan(0);
      expect(connectionsTo(LEAVING, oldFlows.opened)).toBeGreaterThan(0);
      await Promise.all([old.advance(3), oldFlows.advance(3)]);

      change({ state: "draining" });

      const young = await client.open("tcp", { ...tcp, count: 40 });
      expect(connectionsTo(LEAVING, young.opened)).toBe(0);
      await Promise.all([old.advance(10), oldFlows.advance(10), young.advance(10)]);
      const ended = await old.close();
      expectUnbroken(ended);
      expect(ended.map(({ backend }) => backend)).toEqual(old.opened.map(({ backend }) => backend));
      expectUnbroken(await oldFlows.close());

      change(null);

      const { vips } = edge.lamna.status();
      const inRing = vips.flatMap(({ backends }) => backends.filter(({ ringShare }) => ringShare > 0));
      const addresses = inRing.map(({ address }) => address);
      expect(addresses).not.toContain(leaving.ipv4);
      expect(addresses).not.toContain(leaving.ipv6);
      await young.advance(10);
      expectUnbroken(await young.close());
      expect((await leaving.server.report()).failed).toBe(failed);
    });

    test("transfers go on while their backend is drained", async () => {
      const target = { host: vip, port: HTTP_PORTS[variant], count: 20, seed: 3 };
      const before = edge.lamna.status();
      const newFlows = (): number | undefined => reasonsSince(before, edge.lamna.status()).flow_new;
      const transfers = edge.network.client.transfer({
        ...target,
        uploadBytes: 8 * MIB,
        downloadBytes: 2 * MIB,
      });
      // Under way: most have their flow. One whose port an earlier one had is none that is new.
      await expect.poll(newFlows, { timeout: 30_000 }).toBeGreaterThan(15);

      change({ state: "draining" });

      const reports = await transfers;
      for (const report of reports) {
        expect(report).toMatchObject({ isUploadWhole: true, isDownloadWhole: true, error: null });
      }
      expect(reports.filter(({ backend }) => backend === LEAVING)).not.toEqual([]);
    });

    test("the connections of a backend that is down are reset, and no others", async () => {
      const { client } = edge.network;
      const load = await client.open("tcp", { ...tcp, count: 40 });
      const flows = await client.open("udp", { ...udp, count: 40 });
      await Promise.all([load.advance(5), flows.advance(5)]);

      change({ state: "down" });

      await Promise.all([load.advance(20), flows.advance(20)]);
      for (const report of await load.close()) {
        // Another backend gets the middle of a connection that it knows nothing of.
        if (report.backend === LEAVING) expect(report.error).toContain("ECONNRESET");
        else expect(report.error).toBeNull();
      }
      const before = flows.opened.map(({ backend }) => backend);
      const after = await flows.close();
      for (const [index, report] of after.entries()) {
        expect(report).toMatchObject({ lost: 0, error: null, moves: before[index] === LEAVING ? 1 : 0 });
      }
      expect(connectionsTo(LEAVING, after)).toBe(0);
    });

    test("a backend whose weight changes, or that is added, takes no connection from another", async () => {
      const { client, backends } = edge.network;
      change(null);
      const load = await client.open("tcp", { ...tcp, count: 40 });
      const flows = await client.open("udp", { ...udp, count: 40 });
      expect(connectionsTo(LEAVING, [...load.opened, ...flows.opened])).toBe(0);
      for (const weight of [1, 50, 2, 0, 7]) {
        change({ weight });
        await Promise.all([load.advance(3), flows.advance(3)]);
      }
      const young = await client.open("tcp", { ...tcp, count: 40 });
      expect(connectionsTo(LEAVING, young.opened)).toBeGreaterThan(40 / backends.length);
      for (const each of [load, flows, young]) expectUnbroken(await each.close());
    });
  },
);

function connectionsTo(backend: string, reports: readonly EchoReport[]): number {
  return reports.filter((report) => report.backend === backend).length;
}

function expectUnbroken(reports: readonly EchoReport[]): void {
  for (const report of reports) expect(report).toMatchObject({ lost: 0, moves: 0, error: null });
}
