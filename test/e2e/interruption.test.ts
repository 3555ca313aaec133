/**
 * The control process is killed in the middle of what it does, again and again: what is attached goes on forwarding, and the next
 * attach or detach brings about what it was asked for.
 */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { Random } from "../packets/random.ts";
import { BalancedNetwork } from "./harness/balanced-network.ts";
import type { Load } from "./harness/client.ts";
import { type BackendChoice, type EdgeConfig, ENCAPSULATIONS, edgeConfig } from "./harness/edge-config.ts";
import { type EdgeBackend, TCP_ECHO_PORTS, UDP_ECHO_PORTS } from "./harness/edge-network.ts";

const CHANGES_KILLED = 52;
const FIRST_ATTACHES_KILLED = 9;
/** Of an attach that is not killed, this part at least is over when one is: the part before starts Node. */
const EARLIEST = 0.4;
const LATEST = 1.1;
/** Only a test that fails anyway takes so long. */
const STUCK_MS = 300_000;

describe.skipIf(lacks("the control process killed", namespaces))("a control process that is killed", () => {
  let edge: BalancedNetwork;
  beforeEach(async () => {
    edge = await BalancedNetwork.create({ backends: 3 });
  });
  afterEach(() => edge?.close());

  test("leaves forwarding as it is or as it shall be, and the next attach completes the change", {
    timeout: STUCK_MS,
  }, async ({ annotate }) => {
    const random = await seeded(annotate);
    const loads = await openLoads();
    let wholeMs = await measure(() => attach(randomConfig(random)));
    let killed = 0;
    let attempts = 0;
    while (killed < CHANGES_KILLED) {
      attempts += 1;
      expect(attempts, `${killed} killed`).toBeLessThan(5 * CHANGES_KILLED);
      const delayMs = wholeMs * between(random, EARLIEST, LATEST);
      // How long one takes depends on what else the machine does: the estimate follows, so that all of it is met.
      if (await attachAndKill(randomConfig(random), delayMs)) {
        killed += 1;
        wholeMs *= 1.02;
      } else {
        wholeMs *= 0.9;
      }
      if (attempts % 10 === 0) await Promise.all(loads.map((load) => load.advance(1)));
    }
    await annotate(`${killed} killed, ${attempts - killed} completed before`);

    attach(
      edgeConfig(edge.network.backends, ({ name }) => (name === "backend2" ? { state: "draining" } : {})),
    );

    await expectStatusWithout("backend2");
    await Promise.all(loads.map((load) => load.advance(3)));
    const young = await openLoads();
    for (const { opened } of young) for (const { backend } of opened) expect(backend).not.toBe("backend2");
    for (const load of [...loads, ...young]) {
      for (const report of await load.close())
        expect(report).toMatchObject({ lost: 0, moves: 0, error: null });
    }
  });

  test("on its first attach is no obstacle to the next, nor is one killed while it detaches", {
    timeout: STUCK_MS,
  }, async ({ annotate }) => {
    const random = await seeded(annotate);
    edge.lamna.detach();
    const wholeMs = await measure(() => attach(plain()));
    const detachMs = await measure(async () => edge.lamna.detach());
    for (let count = 1; count <= FIRST_ATTACHES_KILLED; count++) {
      await attachAndKill(plain(), wholeMs * between(random, EARLIEST, LATEST));
      // Every other time the next attach meets what that left, otherwise a detach does.
      if (count % 2 === 0) {
        attach(plain());
        await expectConnections();
      }
      await kill(edge.lamna.startDetach(), detachMs * between(random, EARLIEST, LATEST));
      if (count % 3 === 0) edge.lamna.detach();
    }
    attach(plain());
    await expectConnections();
    expect(edge.network.balancer.hasXdpProgram("e0")).toBe(true);
    edge.lamna.detach();
    expect(existsSync(edge.lamna.pinDirectory)).toBe(false);
    expect(edge.network.balancer.hasXdpProgram("e0")).toBe(false);
  });

  const plain = () => edgeConfig(edge.network.backends);
  const attach = (config: EdgeConfig) => edge.lamna.attach(config);

  /** Connections and flows by every encapsulation. */
  async function openLoads(): Promise<Load[]> {
    const target = { count: 4, chunkBytes: 500, pauseMs: 10, seed: 1 };
    const { client } = edge.network;
    const opening = ENCAPSULATIONS.flatMap(({ vip: host, variant }) => [
      client.open("tcp", { ...target, host, port: TCP_ECHO_PORTS[variant] }),
      client.open("udp", { ...target, host, port: UDP_ECHO_PORTS[variant] }),
    ]);
    const loads = await Promise.all(opening);
    for (const { opened } of loads) for (const { error } of opened) expect(error).toBeNull();
    return loads;
  }

  async function expectConnections(): Promise<void> {
    for (const load of await openLoads()) {
      await load.advance(1);
      for (const report of await load.close()) expect(report).toMatchObject({ lost: 0, error: null });
    }
  }

  async function attachAndKill(config: EdgeConfig, delayMs: number): Promise<boolean> {
    return kill(edge.lamna.startAttach(config), delayMs);
  }

  async function expectStatusWithout(backend: string): Promise<void> {
    const { interfaces, warnings, vips } = edge.lamna.status();
    expect(interfaces).toMatchObject([{ name: "e0", state: "attached" }]);
    expect(warnings.map(({ code }) => code)).not.toContain("interrupted");
    expect(vips).toHaveLength(plain().vips.length);
    const { ipv4, ipv6 } = edge.network.backends.find(({ name }) => name === backend)!;
    for (const vip of vips) {
      const inRing = vip.backends.filter(({ ringShare }) => ringShare > 0).map(({ address }) => address);
      expect(inRing).toHaveLength(2);
      expect(inRing).not.toContain(ipv4);
      expect(inRing).not.toContain(ipv6);
    }
  }

  /** No backend is down in it, so that no connection may break. */
  function randomConfig(random: Random): EdgeConfig {
    const choices = new Map<string, BackendChoice>(
      edge.network.backends.map(({ name }) => [
        name,
        { weight: random.integer(0, 5), state: random.pick(["active", "active", "draining"] as const) },
      ]),
    );
    // The last two are in .rodata, so that the program is replaced.
    return edgeConfig(edge.network.backends, ({ name }: EdgeBackend) => choices.get(name) ?? {}, {
      udpIdleSeconds: random.integer(60, 100),
      fragments: random.pick(["drop", "balance"]),
      echoReply: random.pick(["any", "vip"]),
    });
  }
});

/** Whether it was killed, and had not ended before. */
async function kill(
  child: ReturnType<BalancedNetwork["lamna"]["startAttach"]>,
  delayMs: number,
): Promise<boolean> {
  const ended = once(child, "exit");
  await Promise.race([sleep(delayMs), ended]);
  child.kill("SIGKILL");
  const [, signal] = (await ended) as [number | null, NodeJS.Signals | null];
  return signal === "SIGKILL";
}

/** A random source; its seed is shown beside the test, and LAMNA_SEED gives it again. */
async function seeded(annotate: (message: string) => Promise<unknown>): Promise<Random> {
  const seed = Number(process.env.LAMNA_SEED ?? Math.trunc(Math.random() * 2 ** 32));
  await annotate(`LAMNA_SEED=${seed}`);
  return new Random(seed);
}

function between(random: Random, least: number, most: number): number {
  return least + random.unit() * (most - least);
}

/** How long something takes: to kill it in the middle, never to judge it. */
async function measure(run: () => unknown): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
