/** `lamna replay --engine kernel`, on the running kernel: the same packets, reports and files as the interpreter's. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type ReplayReport, replayReportSchema } from "../../../control/model/replay-report.ts";
import { decodeCapture, encodePcapng } from "../../../dataplane/capture/capture-contents.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { buildCli, type CliRun, ROOT, runCli } from "./built-cli.ts";

const main = buildCli();
const scratch = mkdtempSync(join(tmpdir(), "lamna-replay-kernel-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const fixture = (name: string, file: string): string => join(ROOT, "pcap-fixtures", name, file);
const argumentsOf = (name: string): string[] => [
  "--config",
  fixture(name, "config.yaml"),
  "--in",
  fixture(name, "in.pcapng"),
];

function replay(...args: readonly string[]): CliRun {
  return runCli(main, ["replay", ...args]);
}

function replayJson(...args: readonly string[]): ReplayReport {
  const { status, stdout, stderr } = replay(...args, "--json");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return replayReportSchema.parse(JSON.parse(stdout));
}

describe.skipIf(lacks("replay on the kernel", root, libbpf))("on the running kernel", () => {
  test.for(["edge-mix", "syn-flood", "fragments-in-order", "rate-limit"])(
    "%s gives the report and the bytes of the interpreter, and again the same",
    (name) => {
      const runs = (["interpreter", "kernel", "kernel"] as const).map((engine, i) => {
        const out = join(scratch, `${name}-${i}.pcapng`);
        const report = replayJson(...argumentsOf(name), "--engine", engine, "--out", out);
        expect(report.engine).toBe(engine);
        return { report: { ...report, engine: "", nsPerPacket: 0 }, bytes: readFileSync(out) };
      });
      const [interpreter, ...kernels] = runs;
      for (const kernel of kernels) {
        expect(kernel.report).toEqual(interpreter!.report);
        expect(kernel.bytes.equals(interpreter!.bytes)).toBe(true);
      }
    },
  );

  test("what is expected of the interpreter is expected of the kernel", () => {
    const args = argumentsOf("tcp-connection");
    const { status, stdout } = replay(
      ...args,
      "--engine",
      "kernel",
      "--expect",
      fixture("tcp-connection", "out.pcapng"),
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/kernel: /);
    expect(stdout).toMatch(/packets as in .*out\.pcapng \(bytes and verdicts compared\)/);
  });

  test("frames that the kernel does not run are counted, written as they were, and not compared", async () => {
    const config = join(scratch, "config.yaml");
    writeFileSync(config, readFileSync(fixture("not-a-vip", "config.yaml")));
    const passed = Buffer.from(`ffffffffffff0200000000020806${"00".repeat(46)}`, "hex");
    const frames = [
      new Uint8Array(13),
      passed,
      new Uint8Array(3520),
      new Uint8Array(3521),
      new Uint8Array(0),
      passed,
    ];
    const capture = join(scratch, "odd.pcapng");
    writeFileSync(
      capture,
      encodePcapng({ packets: frames.map((bytes, i) => ({ timeNs: BigInt(i) * 1_000_000_000n, bytes })) }),
    );
    const out = join(scratch, "odd-out.pcapng");
    const args = ["--config", config, "--in", capture, "--engine", "kernel"];
    const report = replayJson(...args, "--out", out);
    expect(report).toMatchObject({
      packets: 3,
      notComparable: { tooShort: 2, tooLong: 1 },
      verdicts: { pass: 3 },
    });
    const { packets } = await decodeCapture(out);
    expect(packets.map(({ bytes, verdict, id }) => [bytes.length, verdict, id])).toEqual([
      [13, undefined, 0n],
      [60, 2n, 1n],
      [3520, 2n, 2n],
      [3521, undefined, 3n],
      [0, undefined, 4n],
      [60, 2n, 5n],
    ]);

    const expectation = join(scratch, "odd-expect.pcapng");
    const other = new Uint8Array(13).fill(7);
    writeFileSync(
      expectation,
      encodePcapng({
        packets: [other, ...frames.slice(1)].map((bytes, i) => ({ timeNs: BigInt(i), bytes, verdict: 2 })),
      }),
    );
    const { status, stdout } = replay(...args, "--expect", expectation);
    expect(status).toBe(0);
    expect(stdout).toMatch("2 more not comparable: under 14 bytes");
    expect(stdout).toMatch("1 more not comparable: longer than the page");
    expect(stdout).toMatch("(bytes and verdicts compared; 3 not comparable, as they did not run)");
  });
});

test("without the privileges it is said what is missing, and exits with 2", () => {
  const isRoot = process.getuid?.() === 0;
  const command = [process.execPath, main, "replay", ...argumentsOf("tcp-connection"), "--engine", "kernel"];
  // Root without capabilities is nobody for the kernel, and can still read its files.
  const dropped = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", ...command];
  const [program, ...args] = isRoot ? dropped : command;
  const { status, stdout, stderr } = spawnSync(program!, args, { encoding: "utf8" });
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(/^lamna: .*(CAP_BPF|libbpf|Linux)/s);
  expect(stderr).not.toMatch(/^\s+at /m);
});
