/**
 * Changes to what runs, with packets coming in all the while: every packet meets a program, whichever; and none is lost to a change, to a new
 * version, or to a process that was killed in the middle.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { AttachReport } from "../../../control/cli/attach-report.ts";
import type { StatusReport } from "../../../control/model/status-report.ts";
import { readInterface } from "../../../dataplane/kernel/links.ts";
import { seededRandom } from "../../../dataplane/vm/random.ts";
import { bpffs, lacks, libbpf as libbpfNeed, namespaces, root } from "../../needs.ts";
import { buildCli, ROOT } from "./built-cli.ts";
import { CAPACITY, InstanceHarness } from "./instance-harness.ts";

const isSkipped = lacks("changes by lamna attach", root, libbpfNeed, bpffs, namespaces);
const main = isSkipped ? "" : buildCli();
/** Of those with many rounds, each of which starts processes. */
const LONG_MS = 300_000;
const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);

describe.skipIf(isSkipped)(`changes by lamna attach (SEED=${seed})`, () => {
  const lamna = new InstanceHarness("change", main);
  const { pinDirectory } = lamna;
  const senders: Sender[] = [];
  afterEach(async () => {
    for (const sender of senders.splice(0)) await sender.stop();
    lamna.clear();
  });

  /** UDP, so that every datagram is a packet and nothing is sent again. */
  function configText(backends: readonly string[], settings = ""): string {
    const list = backends.map((address) => `{address: ${address}}`).join(", ");
    return `version: 1\n${CAPACITY}settings: {gatewayMac: "02:00:00:00:00:01"${settings}}\nvips:\n  - {name: dns, address: 10.200.1.1, port: 53, protocol: udp, backends: [${list}]}\n`;
  }

  const A = configText(["10.0.0.1", "10.0.0.2"]);
  const B = configText(["10.0.0.2", "10.0.0.3"], ", scope: all");

  /** Forwarding by generic mode: XDP_TX in native mode asks something of the other end. */
  function hostWithTraffic(text: string): { readonly host: string; readonly sender: Sender } {
    const host = lamna.addHost();
    lamna.spaces.ip(`${host}g`, "route", "add", "10.200.1.0/24", "via", "10.9.0.1");
    // The first packet must not wait for an answer that comes by way of the program.
    const mac = lamna.spaces.inside(host, () => Buffer.from(readInterface("e0").mac!).toString("hex"));
    const lladdr = mac.match(/../g)!.join(":");
    lamna.spaces.ip(
      `${host}g`,
      "neigh",
      "replace",
      "10.9.0.1",
      "lladdr",
      lladdr,
      "dev",
      "p-e0",
      "nud",
      "permanent",
    );
    attach(host, text, "--mode", "generic");
    const sender = new Sender(lamna.spaces.path(`${host}g`));
    senders.push(sender);
    return { host, sender };
  }

  function attach(host: string, text: string, ...args: readonly string[]): AttachReport {
    return lamna.json<AttachReport>(host, "attach", "e0", "--config", lamna.config(text), ...args);
  }

  /** That every datagram that was sent went to a backend; what else came by is ARP and the like. */
  function expectNoneLost(host: string, sent: number): void {
    const { verdicts, reasons, vips } = lamna.json<StatusReport>(host, "status");
    expect(sent).toBeGreaterThan(100);
    expect({ tx: verdicts.tx, drop: verdicts.drop, notVip: reasons.not_vip }).toEqual({
      tx: sent,
      drop: 0,
      notVip: 0,
    });
    expect(vips).toHaveLength(1);
  }

  function expectTidy(): void {
    expect(readdirSync(pinDirectory).sort()).toEqual(["links", "maps", "object", "program"]);
    expect(existsSync(join(pinDirectory, "next"))).toBe(false);
  }

  test("backends and options change back and forth without a packet lost", async () => {
    const { host, sender } = hostWithTraffic(A);
    for (const text of [B, A, B, A]) {
      expect(attach(host, text)).toMatchObject({ change: "changed", isProgramReplaced: true });
    }
    expectNoneLost(host, await sender.stop());
    expectTidy();
  });

  test(
    "killed at any moment, it leaves what was or what is to be, and the next attach completes it",
    async () => {
      const { host, sender } = hostWithTraffic(A);
      const random = seededRandom(seed);
      const configs = [lamna.config(A), lamna.config(B)];
      let kills = 0;
      for (let round = 0; round < 24; round++) {
        const config = configs[(round + 1) % 2]!;
        const delayMs = 100 + (random() % 900);
        if (await lamna.runAndKill(host, delayMs, "attach", "e0", "--config", config)) kills++;
        const found = lamna.spaces.inside(host, () => readInterface("e0").xdp);
        expect(found, `round ${round}: after ${delayMs} ms`).toMatchObject({ mode: "generic" });
        // A reader sees an instance that is whole, whatever was left undone.
        expect(lamna.json<StatusReport>(host, "status").interfaces).toHaveLength(1);
      }
      expect(kills).toBeGreaterThan(0);
      expect(attach(host, A).interfaces).toMatchObject([{ change: "kept" }]);
      expect(attach(host, A).actions).toEqual([]);
      expectNoneLost(host, await sender.stop());
      expectTidy();
      const { warnings } = lamna.json<StatusReport>(host, "status");
      expect(warnings.map(({ code }) => code)).toEqual(["generic-mode"]);
    },
    LONG_MS,
  );

  test(
    "killed while it is attached first or taken away, nothing is left that the next command does not clear",
    async () => {
      const host = lamna.addHost();
      const random = seededRandom(seed + 1);
      const config = lamna.config(A);
      for (let round = 0; round < 10; round++) {
        const delayMs = 100 + (random() % 900);
        await lamna.runAndKill(host, delayMs, "attach", "e0", "--config", config);
        const xdp = lamna.spaces.inside(host, () => readInterface("e0").xdp);
        const hasInstance = existsSync(join(pinDirectory, "program"));
        if (hasInstance) expect(xdp, `round ${round}: after ${delayMs} ms`).toBeDefined();
        if (round % 2 === 0) expect(attach(host, A).interfaces).toHaveLength(1);
        else await lamna.runAndKill(host, 100 + (random() % 400), "detach");
        expect(lamna.run(host, "detach")).toMatchObject({ status: 0 });
        expect(lamna.spaces.inside(host, () => readInterface("e0").xdp)).toBeUndefined();
        expect(existsSync(pinDirectory)).toBe(false);
      }
    },
    LONG_MS,
  );

  test("a new version takes the place of the program over the same maps, and so does the old one again", async () => {
    const { host, sender } = hostWithTraffic(A);
    const other = otherVersion("newer", ["balancer.bpf.c", "balancer.bpf.d"]);
    const config = lamna.config(A);
    const before = lamna.json<StatusReport>(host, "status").program!;
    const upgraded = lamna.runVersion(other, host, "attach", "e0", "--config", config, "--json");
    expect(upgraded).toMatchObject({ status: 0, stderr: "" });
    const report = JSON.parse(upgraded.stdout) as AttachReport;
    expect(report).toMatchObject({ change: "changed", isProgramReplaced: true });
    expect(report.actions).toEqual([
      expect.stringMatching(/^replace the program: object [0-9a-f]{16} -> [0-9a-f]{16}$/),
    ]);

    const { program, warnings } = lamna.json<StatusReport>(host, "status");
    expect(program).toMatchObject({ isShippedObject: false });
    expect(program?.objectDigest).not.toBe(before.objectDigest);
    expect(warnings.map(({ code }) => code)).toContain("other-object");
    expect(attach(host, A)).toMatchObject({ isProgramReplaced: true });
    expect(lamna.json<StatusReport>(host, "status").program?.objectDigest).toBe(before.objectDigest);
    expectNoneLost(host, await sender.stop());
    expectTidy();
  });

  test("a version whose maps are others is refused with the map, unless new maps may be made", async () => {
    const { host, sender } = hostWithTraffic(A);
    const other = otherVersion("incompatible", ["new_flows_per_second", "old_flows_per_second"]);
    const config = lamna.config(A);
    const { status, stderr } = lamna.runVersion(other, host, "attach", "e0", "--config", config);
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        /map "settings" of the program that runs.*new_flows_per_second.*--new-maps/,
      ),
    });
    const sent = await sender.stop();
    expectNoneLost(host, sent);
    expect(lamna.runVersion(other, host, "attach", "e0", "--config", config, "--new-maps")).toMatchObject({
      status: 0,
      stderr: "",
    });
    const { program, warnings, packets } = lamna.json<StatusReport>(host, "status");
    expect(program).toMatchObject({ isShippedObject: false });
    expect(warnings).toContainEqual(
      expect.objectContaining({ message: expect.stringMatching(/this version cannot read/) }),
    );
    expect(packets).toBe(0);
  });

  /** The main.js of a version with another object: a copy of the compiled files, in a package of their own. */
  function otherVersion(name: string, [from, to]: readonly [string, string]): string {
    const folder = join(ROOT, "node_modules/.cache/lamna-test", `${process.pid}-${name}`);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    cpSync(join(dirname(main), "../.."), join(folder, "dist"), { recursive: true });
    writeFileSync(join(folder, "package.json"), '{"name": "lamna", "version": "0.0.1", "type": "module"}');
    const object = readFileSync(join(ROOT, "dataplane/xdp/balancer.bpf.o"), "latin1");
    expect(object).toContain(from);
    mkdirSync(join(folder, "dataplane/xdp"), { recursive: true });
    writeFileSync(join(folder, "dataplane/xdp/balancer.bpf.o"), object.replaceAll(from, to), "latin1");
    return join(folder, "dist/control/cli/main.js");
  }
});

/** Sends datagrams to the VIP, each from the next of some ports, until it is told to stop. */
class Sender {
  readonly #child: ChildProcessWithoutNullStreams;
  #output = "";
  #sent: number | undefined;

  constructor(namespace: string) {
    const script = `
      import { createSocket } from "node:dgram";
      import { setTimeout as sleep } from "node:timers/promises";
      const sockets = await Promise.all(Array.from({ length: 64 }, () => new Promise((resolve) => {
        const socket = createSocket("udp4");
        socket.bind(0, "10.9.0.2", () => resolve(socket));
      })));
      let sent = 0;
      let isOver = false;
      process.stdin.on("end", () => { isOver = true; }).resume();
      while (!isOver) {
        await new Promise((resolve, reject) => sockets[sent % 64].send("x", 53, "10.200.1.1", (error) => error ? reject(error) : resolve()));
        sent++;
        await sleep(1);
      }
      process.stdout.write(String(sent), () => process.exit());
    `;
    this.#child = spawn("nsenter", [
      `--net=${namespace}`,
      process.execPath,
      "--input-type=module",
      "-e",
      script,
    ]);
    this.#child.stdout.on("data", (chunk) => {
      this.#output += String(chunk);
    });
  }

  /** How many were sent. */
  async stop(): Promise<number> {
    if (this.#sent !== undefined) return this.#sent;
    const isOver = once(this.#child, "close");
    this.#child.stdin.end();
    await isOver;
    this.#sent = Number(this.#output);
    return this.#sent;
  }
}
