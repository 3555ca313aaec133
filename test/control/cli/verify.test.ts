/** `lamna verify`: as users run it on the running kernel, and what it says of differences, which the kernel gives none of. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { describeFailure } from "../../../control/cli/exit.ts";
import type { ProgrammedDataplane } from "../../../control/cli/programmed-dataplane.ts";
import { openProgrammedSimulator } from "../../../control/cli/replay-simulator.ts";
import { openReference, Verification } from "../../../control/cli/verification.ts";
import { verifyCommand } from "../../../control/cli/verify.ts";
import { buildVerifyReport } from "../../../control/cli/verify-report.ts";
import { VerifyRun } from "../../../control/cli/verify-run.ts";
import { describeVerification } from "../../../control/cli/verify-text.ts";
import { readConfig } from "../../../control/model/config-file.ts";
import { type VerifyReport, verifyReportSchema } from "../../../control/model/verify-report.ts";
import { encodePcapng } from "../../../dataplane/capture/capture-contents.ts";
import { openCapture } from "../../../dataplane/capture/capture-reader.ts";
import { balancerObject } from "../../model/program.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { type JsonSchema, violations } from "../model/json-schema.ts";
import { buildCli, type CliRun, ROOT, runCli } from "./built-cli.ts";

const main = buildCli();
const PUBLISHED = JSON.parse(
  readFileSync(join(ROOT, "schemas/verify-report.schema.json"), "utf8"),
) as JsonSchema;
const scratch = mkdtempSync(join(tmpdir(), "lamna-verify-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const fixture = (name: string, file: string): string => join(ROOT, "pcap-fixtures", name, file);
const argumentsOf = (name: string): string[] => [
  fixture(name, "in.pcapng"),
  "--config",
  fixture(name, "config.yaml"),
];

function verify(args: readonly string[], input?: Uint8Array): CliRun {
  return runCli(main, ["verify", ...args], input === undefined ? {} : { input });
}

describe.skipIf(lacks("verify on the kernel", root, libbpf))("on the running kernel", () => {
  test.for(["edge-mix", "syn-flood", "fragments-told-apart", "too-big-others"])("%s is alike", (name) => {
    const { status, stdout, stderr } = verify(argumentsOf(name));
    expect(stdout).toMatch("interpreter and kernel are alike");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("the JSON report is by its schema, and counts what the kernel does not run", () => {
    const capture = join(scratch, "odd.pcapng");
    const frames = [new Uint8Array(13), new Uint8Array(60), new Uint8Array(4000), new Uint8Array(14)];
    writeFileSync(
      capture,
      encodePcapng({ packets: frames.map((bytes, i) => ({ timeNs: BigInt(i), bytes })) }),
    );
    const config = fixture("not-a-vip", "config.yaml");
    const { status, stdout } = verify([capture, "--config", config, "--json"]);
    expect(status).toBe(0);
    expect(verifyReportSchema.parse(JSON.parse(stdout))).toEqual({
      packets: 2,
      notComparable: { tooShort: 1, tooLong: 1 },
      engines: ["interpreter", "kernel"],
      isAlike: true,
      isComplete: true,
      differences: [],
    } satisfies VerifyReport);
  });

  test("a capture comes from standard input as well", () => {
    const input = readFileSync(fixture("udp-idle", "in.pcapng"));
    const { status, stdout } = verify(["-", "--config", fixture("udp-idle", "config.yaml")], input);
    expect(stdout).toMatch("are alike");
    expect(status).toBe(0);
  });

  test("a capture that is cut is compared as far as it goes, and exits with 2", () => {
    const whole = readFileSync(fixture("edge-mix", "in.pcapng"));
    const capture = join(scratch, "cut.pcapng");
    writeFileSync(capture, whole.subarray(0, 100_001));
    const { status, stdout, stderr } = verify([
      capture,
      "--config",
      fixture("edge-mix", "config.yaml"),
      "--json",
    ]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/cut\.pcapng/);
    const report = verifyReportSchema.parse(JSON.parse(stdout));
    expect(report).toMatchObject({ isAlike: true, isComplete: false });
    expect(report.packets).toBeGreaterThan(100);
  });
});

/** The edge mix through the interpreter and one that changes what `distort` says. */
async function reportOf(
  findingsMax: number,
  distort: (engine: ProgrammedDataplane, run: { time: bigint }) => Partial<{ code: number; byte22: number }>,
): Promise<VerifyReport> {
  const name = "tcp-connection";
  const config = readConfig(fixture(name, "config.yaml"));
  const reference = await openReference(config, balancerObject(), { queue: 0, cpuCount: 1 });
  const other = await openProgrammedSimulator(config, balancerObject(), { queues: 1, onlyQueue: 0 });
  const process = other.process.bind(other);
  other.process = (frame, time) => {
    const { queue, code, frame: after } = process(frame, time);
    const change = distort(other, { time });
    const bytes = after.map((byte, i) => (i === 22 ? (change.byte22 ?? byte) : byte));
    return { queue, code: change.code ?? code, frame: bytes };
  };
  const reader = await openCapture(fixture(name, "in.pcapng"));
  const run = new VerifyRun({
    reader,
    verification: new Verification(reference, [other], balancerObject()),
    findingsMax,
    onProgress: () => {},
  });
  await run.run();
  const report = buildVerifyReport(run, {
    engines: ["interpreter", "kernel"],
    naming: {
      names: reference.programmed.names,
      cpuCount: 1,
      entriesOf: (map) => reference.programmed.dataplane.map(map).maxEntries,
    },
  });
  await reader.close();
  await reference.programmed.close();
  await other.close();
  expect(violations(PUBLISHED, report)).toEqual([]);
  return verifyReportSchema.parse(report);
}

function textOf(report: VerifyReport): string {
  const facts = { configName: "config.yaml", captureName: "in.pcapng", captureFormat: "pcapng", bytes: 1 };
  const style = { width: 100, hasUnicode: false, paint: (_style: string, text: string) => text };
  return describeVerification(facts, report, style).join("\n");
}

describe("a difference is told", () => {
  /** The fixtures' packets are a millisecond apart, from 2026 on. */
  const START_NS = 1_767_225_600_000_000_000n;
  const at = (packet: number): bigint => START_NS + BigInt(packet) * 1_000_000n;

  test("of verdict and bytes, with its field and the trace", async () => {
    const report = await reportOf(1, (_, { time }) => (time === at(2) ? { code: 1, byte22: 9 } : {}));
    expect(report).toMatchObject({ isAlike: false, isComplete: false });
    expect(report.differences).toHaveLength(1);
    expect(report.differences[0]).toMatchObject({
      when: "packet",
      packet: 2,
      sinceStartNs: 2_000_000,
      verdict: { expected: 3, found: 1 },
      bytes: { offset: 22, field: "outer IPv4 time to live" },
      maps: [],
    });
    const text = textOf(report);
    expect(text).toMatch("packet 2 (frame 3 in Wireshark), 2.00 ms into the capture");
    expect(text).toMatch("verdict drop (1), expected tx (3)");
    expect(text).toMatch("first different byte at offset 22: outer IPv4 time to live 9, expected 64");
    expect(text).toMatch(/balancer\.bpf\.c:\d+ /);
    expect(text).toMatch(/r\d=0x[0-9a-f]+/);
    expect(text).toMatch(/stores to .*frame\[/);
    expect(text).toMatch("interpreter and kernel are not alike: 1 difference; the rest of the capture");
  });

  test("of counters, flows and limits, in words", async () => {
    const report = await reportOf(10, ({ dataplane }, { time }) => {
      if (time === at(1)) {
        dataplane.map("reason_counters").store32(0, 0, 5);
        dataplane.map("vip_counters").store32(1, 8, 7);
        dataplane.map("backend_counters").store32(2, 0, 6);
        dataplane.map("cpu_states").store32(0, 8, 4);
      }
      if (time === at(2)) {
        const flows = dataplane.map("flows_ipv4").inner(0);
        const index =
          flows.withView(0, flows.maxEntries, (bytes) => bytes.findIndex((byte) => byte !== 0)) >> 6;
        const line = new DataView(flows.read(index).buffer);
        const entry = [0, 16, 32, 48].find((offset) => line.getUint16(offset + 8, true) !== 0)!;
        const backend = (line.getUint16(entry + 10, true) % 3) + 1;
        flows.store32(index, entry + 8, (backend << 16) | line.getUint16(entry + 8, true));
      }
      return {};
    });
    expect(report.differences.map(({ packet }) => packet)).toEqual([1, 2]);
    const text = textOf(report);
    expect(text).toMatch(
      /reason_counters element 0: packets that ended for reason internal_error\n +found +5\n +expected +0/,
    );
    expect(text).toMatch(
      /vip_counters element 1: bytes of VIP tcp 10\.200\.1\.1:80\n +found +7\n +expected +\d+/,
    );
    expect(text).toMatch(/backend_counters element 2: packets of backend 10\.0\.0\.2\n/);
    expect(text).toMatch(/cpu_states element 0: new flows of that second\n +found +4\n +expected +1/);
    expect(text).toMatch(
      /flow entry \d of the line\n +found +192\.168\.1\.1:\d+ to port 80 of .*: backend 10\.0\.0\.\d, established/,
    );
    expect(text).toMatch(/interpreter and kernel are not alike: 2 differences$/);
  });

  test("of maps that no packet may change, after the last packet", async () => {
    const report = await reportOf(10, ({ dataplane }, { time }) => {
      if (time === at(2)) dataplane.map("vips").store32(3, 20, 1);
      return {};
    });
    expect(report.differences).toMatchObject([
      { when: "after", packet: null, maps: [{ map: "vips", index: 3 }] },
    ]);
    expect(textOf(report)).toMatch("after the last packet: maps that no packet may change");
  });
});

test.for<{ name: string; args: string[]; words: RegExp }>([
  { name: "no capture", args: ["--config", "c.yaml"], words: /missing required argument 'capture'/ },
  { name: "no config", args: ["in.pcap"], words: /--config/ },
  {
    name: "an engine to come",
    args: ["in.pcap", "--engines", "interpreter,jit"],
    words: /jit is not in this version/,
  },
  { name: "one engine", args: ["in.pcap", "--engines", "kernel"], words: /Expected interpreter,kernel/ },
  {
    name: "no difference wanted",
    args: ["in.pcap", "--keep-going", "0"],
    words: /Expected a whole number from 1/,
  },
  { name: "standard input twice", args: ["-", "--config", "-"], words: /standard input once/ },
  {
    name: "a config that is not there",
    args: ["in.pcap", "--config", "nowhere.yaml"],
    words: /nowhere\.yaml/,
  },
])("bad usage exits with 2 and one message: $name", async ({ args, words }) => {
  const printed: string[] = [];
  const command = verifyCommand()
    .exitOverride()
    .configureOutput({ writeErr: (text) => printed.push(text) });
  const error: unknown = await command.parseAsync(args, { from: "user" }).catch((thrown: unknown) => thrown);
  if (error instanceof CommanderError) expect(printed.join("")).toMatch(words);
  else
    expect(describeFailure(error, { isDebug: false })).toMatchObject({
      exitCode: 2,
      text: expect.stringMatching(words),
    });
});
