/** The program is replaced, and its maps are changed, while connections are in use: none is lost, and not a datagram. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { BalancedNetwork, reasonsSince } from "./harness/balanced-network.ts";
import type { Load } from "./harness/client.ts";
import { ENCAPSULATIONS, edgeConfig } from "./harness/edge-config.ts";
import { HTTP_PORTS, TCP_ECHO_PORTS, UDP_ECHO_PORTS } from "./harness/edge-network.ts";
import type { EchoReport } from "./programs/echo-load.ts";

const MIB = 1 << 20;

describe
  .skipIf(lacks("program upgrades with real connections", namespaces))
  .each([{ mode: "native" }, { mode: "generic" }] as const)("in $mode mode", ({ mode }) => {
  let edge: BalancedNetwork;
  let loads: Load[] = [];
  beforeAll(async () => {
    edge = await BalancedNetwork.create({ backends: 3, mode });
  });
  afterAll(() => edge?.close());

  /** Connections and flows by every encapsulation. */
  async function openLoads(): Promise<void> {
    const { client } = edge.network;
    const target = { count: 8, chunkBytes: 1000, pauseMs: 5, seed: 1 };
    loads = [];
    for (const { vip: host, variant } of ENCAPSULATIONS) {
      loads.push(await client.open("tcp", { ...target, host, port: TCP_ECHO_PORTS[variant] }));
      loads.push(await client.open("udp", { ...target, host, port: UDP_ECHO_PORTS[variant] }));
    }
  }

  async function closeLoads(): Promise<void> {
    for (const load of loads.splice(0)) {
      const reports = await load.close();
      const expected = load.opened.map(({ backend }) => ({ backend, lost: 0, moves: 0, error: null }));
      expect(reports.map(outcome)).toEqual(expected);
    }
  }

  const advance = (echoes: number) => Promise.all(loads.map((load) => load.advance(echoes)));
  const attach = (settings: Readonly<Record<string, string | number>>) =>
    edge.lamna.attach(edgeConfig(edge.network.backends, undefined, settings), { mode });

  test("a program is replaced under load, and knows the flows of the one before", async () => {
    await openLoads();
    await advance(3);
    const before = edge.lamna.status();
    await replaceProgramOften();
    const after = edge.lamna.status();
    expect(reasonsSince(before, after)).not.toHaveProperty("flow_new");
    expect(after.packets).toBeGreaterThan(before.packets);
    await closeLoads();
  });

  // Not along with the datagrams above: so much at a time overruns a veth interface's queue, which TCP makes up for.
  test("a program is replaced during transfers, which come whole", async () => {
    const { packets } = edge.lamna.status();
    const transfers = ENCAPSULATIONS.map(({ vip, variant }) =>
      edge.network.client.transfer({
        host: vip,
        port: HTTP_PORTS[variant],
        count: 4,
        uploadBytes: 16 * MIB,
        downloadBytes: 4 * MIB,
        seed: 2,
      }),
    );
    await expect.poll(() => edge.lamna.status().packets, { timeout: 30_000 }).toBeGreaterThan(packets + 1000);
    await replaceProgramOften();
    for (const report of (await Promise.all(transfers)).flat()) {
      expect(report).toMatchObject({ isUploadWhole: true, isDownloadWhole: true, error: null });
    }
  });

  /** By a setting that is in .rodata, forth and back. */
  async function replaceProgramOften(): Promise<void> {
    const programs = [edge.lamna.status().program?.id];
    for (const fragments of ["drop", "balance"]) {
      attach({ fragments });
      const { program, interfaces } = edge.lamna.status();
      expect(programs).not.toContain(program?.id);
      programs.push(program?.id);
      expect(interfaces).toMatchObject([{ state: "attached", mode, programId: program?.id }]);
      await advance(3);
    }
  }

  test("settings and backends change under load without another program", async () => {
    await openLoads();
    await advance(3);
    const before = edge.lamna.status();
    for (const udpIdleSeconds of [40, 50]) {
      attach({ udpIdleSeconds });
      await advance(3);
    }
    for (const weight of [3, 1]) {
      edge.lamna.attach(
        edgeConfig(edge.network.backends, ({ name }) => ({ weight: name === "backend1" ? weight : 1 })),
        { mode },
      );
      await advance(3);
    }
    expect(edge.lamna.status().program?.id).toBe(before.program?.id);
    expect(reasonsSince(before, edge.lamna.status())).not.toHaveProperty("flow_new");
    await closeLoads();
  });
});

function outcome({ backend, lost, moves, error }: EchoReport) {
  return { backend, lost, moves, error };
}
