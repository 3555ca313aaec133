/** `lamna replay` as users run it: a process of its own, on the bundled traffic and on captures made here. */
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { CommanderError } from "commander";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { describeFailure } from "../../../control/cli/exit.ts";
import { replayCommand } from "../../../control/cli/replay.ts";
import { type ReplayReport, replayReportSchema } from "../../../control/model/replay-report.ts";
import { decodeCapture, encodePcapng } from "../../../dataplane/capture/capture-contents.ts";
import { type CaptureInterface, ethernetInterface } from "../../../dataplane/capture/capture-interface.ts";
import { lacks, tshark } from "../../needs.ts";
import { buildCli, type CliRun, ROOT, runCli } from "./built-cli.ts";

const main = buildCli();
const scratch = mkdtempSync(join(tmpdir(), "lamna-replay-"));
afterAll(() => rmSync(scratch, { recursive: true }));
/** A new folder for every test. */
let directory: string;
let tests = 0;
beforeEach(() => {
  directory = join(scratch, String(tests++));
  mkdirSync(directory);
});

const XDP_PASS = 2;
const XDP_TX = 3;
const fixture = (name: string, file: string): string => join(ROOT, "pcap-fixtures", name, file);
const EDGE = ["--config", fixture("edge-mix", "config.yaml"), "--in", fixture("edge-mix", "in.pcapng")];

// One VIP, one backend, and TCP segments to it: what goes where is known beforehand.
const CONFIG = `
version: 1
settings: {gatewayMac: "00:00:de:ad:be:af"}
vips:
  - name: web
    address: 10.200.1.1
    port: 80
    protocol: tcp
    backends: [{address: 10.0.0.1}]
`;
const SEGMENT = frame(
  "0200000000010200000000020800",
  "45000028000100004006000000000000".replace(/0{8}$/, "c0a80101"),
  "0ac80101",
  "7a690050000000010000000050100200abcd0000",
);
const ARP = frame("ffffffffffff0200000000020806", "0001080006040001020000000002c0a80101000000000000c0a80102");

function frame(...parts: string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(parts.join(""), "hex"));
}

function replay(...args: readonly string[]): CliRun {
  return runCli(main, ["replay", ...args]);
}

function replayJson(...args: readonly string[]): ReplayReport {
  const { status, stdout, stderr } = replay(...args, "--json");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return replayReportSchema.parse(JSON.parse(stdout));
}

/** The config above and a capture, as arguments. */
function small(capture: Uint8Array, name = "in.pcapng"): string[] {
  writeFileSync(join(directory, "config.yaml"), CONFIG);
  writeFileSync(join(directory, name), capture);
  return ["--config", join(directory, "config.yaml"), "--in", join(directory, name)];
}

const twoPackets = encodePcapng({
  packets: [
    { timeNs: 1_000_000_000n, bytes: SEGMENT },
    { timeNs: 2_000_000_000n, bytes: ARP },
  ],
});

test("a config that leaves the gateway to the NIC runs with a placeholder, and the report says so", async () => {
  const args = small(twoPackets);
  writeFileSync(join(directory, "config.yaml"), CONFIG.replace(/^settings: .*$/m, "settings: {}"));
  const out = join(directory, "out.pcapng");
  const { status, stdout } = replay(...args, "--out", out);
  expect(status).toBe(0);
  expect(stdout).toContain("forwarded to 02:00:00:00:00:01, a placeholder: the config gives no gatewayMac");
  const { packets } = await decodeCapture(out);
  expect(packets[0]).toMatchObject({ verdict: BigInt(XDP_TX) });
  expect(packets[0]!.bytes.slice(0, 6)).toEqual(Uint8Array.of(2, 0, 0, 0, 0, 1));
  expect(replay(...small(twoPackets, "again.pcapng")).stdout).not.toContain("placeholder");
});

describe("the bundled traffic", () => {
  const expected = JSON.parse(readFileSync(fixture("edge-mix", "expect.json"), "utf8"));
  const runs = [1, 4].map((queues) => {
    const out = join(scratch, `edge-mix-${queues}.pcapng`);
    return { queues, out, report: replayJson(...EDGE, "--queues", String(queues), "--out", out) };
  });

  test.for(runs)("is reported as built, with $queues queues", ({ queues, report }) => {
    expect(report).toMatchObject({
      packets: expected.packets,
      verdicts: expected.verdicts,
      engine: "interpreter",
    });
    // With more CPUs the limit of new flows a CPU is not reached, and more flows are remembered.
    if (queues === 1) expect(nonZero(report.reasons)).toEqual(expected.reasons);
    for (const vip of expected.vips) expect(report.vips).toContainEqual(expect.objectContaining(vip));
    expect(report.nsPerPacket).toBeGreaterThan(0);
  });

  test.for(runs)("adds up, with $queues queues", ({ report }) => {
    expect(sumOf(Object.values(report.verdicts))).toBe(report.packets);
    expect(sumOf(Object.values(report.reasons))).toBe(report.packets);
    for (const vip of report.vips) {
      expect(sumOf(vip.backends.map(({ packets }) => packets))).toBe(vip.packets);
      expect(sumOf(vip.backends.map(({ bytes }) => bytes))).toBe(vip.bytes);
      if (vip.packets > 0) expect(sumOf(vip.backends.map(({ share }) => share ?? 0))).toBeCloseTo(1, 9);
    }
    for (const { address, packets, bytes } of report.backends) {
      const rows = report.vips.flatMap(({ backends }) => backends).filter((row) => row.address === address);
      expect(sumOf(rows.map((row) => row.packets))).toBe(packets);
      expect(sumOf(rows.map((row) => row.bytes))).toBe(bytes);
    }
  });

  test("leaves the same bytes in the same order for any number of queues", () => {
    const [one, four] = runs.map(({ out }) => readFileSync(out));
    expect(one!.equals(four!)).toBe(true);
  });

  test("is as before when replayed again, in a report that fits its width", () => {
    const [{ out }] = runs as [(typeof runs)[0]];
    const again = join(directory, "again.pcapng");
    const { status, stdout } = replay(...EDGE, "--expect", out, "--out", again);
    expect(status).toBe(0);
    expect(stdout).toContain(`36,522 packets as in ${out} (bytes and verdicts compared)`);
    expect(readFileSync(again).equals(readFileSync(out))).toBe(true);
    const lines = stdout
      .split("\n")
      .slice(1)
      .filter((line) => !line.includes("/")); // names may be long
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(110);
    expect([...stdout].every((character) => character <= "~")).toBe(true);
  });
});

test.for(["4in4", "6in4", "fragments-out-of-order", "too-big-a-frame", "vlan-tags", "shortest-and-longest"])(
  "fixture %s leaves the program as built",
  (name) => {
    const { status, stdout } = replay(
      ...["--config", fixture(name, "config.yaml"), "--in", fixture(name, "in.pcapng")],
      ...["--expect", fixture(name, "out.pcapng")],
    );
    expect(stdout).toContain("as in");
    expect(status).toBe(0);
  },
);

describe("--out", () => {
  test("keeps interfaces, times and lengths, and adds number and verdict", async () => {
    const interfaces: CaptureInterface[] = [
      { ...ethernetInterface(9, 96), options: [{ code: 2, value: Buffer.from("eth0") }] },
      ethernetInterface(6),
      { ...ethernetInterface(0x80 | 20), timestampOffsetSeconds: 3600n },
    ];
    const capture = encodePcapng({
      interfaces,
      packets: [
        { timeNs: 1_700_000_000_123_456_789n, bytes: SEGMENT, originalBytes: 1514 },
        { timeNs: 1_700_000_000_123_457_000n, bytes: ARP, interfaceIndex: 1 },
        { timeNs: 1_700_000_001_500_000_000n, bytes: SEGMENT.slice(0, 20), interfaceIndex: 2 },
        { timeNs: 1_600_000_000_000_000_000n, bytes: new Uint8Array(0) },
      ],
    });
    const out = join(directory, "out.pcapng");
    expect(replayJson(...small(capture), "--out", out).packets).toBe(4);
    const [before, after] = [await decodeCapture(capture), await decodeCapture(out)];
    expect(after.interfaces.map(({ options, ...facts }) => facts)).toEqual(
      before.interfaces.map(({ options, ...facts }) => facts),
    );
    expect(after.interfaces[0]?.options).toEqual([{ code: 2, value: Uint8Array.from(Buffer.from("eth0")) }]);
    expect(after.packets.map(({ timeNs }) => timeNs)).toEqual(before.packets.map(({ timeNs }) => timeNs));
    expect(after.packets.map(({ interfaceIndex }) => interfaceIndex)).toEqual([0, 1, 2, 0]);
    expect(after.packets.map(({ id }) => id)).toEqual([0n, 1n, 2n, 3n]);
    expect(after.packets.map(({ verdict }) => verdict)).toEqual(
      [XDP_TX, XDP_PASS, XDP_PASS, XDP_PASS].map(BigInt),
    );
    // Twenty bytes of outer header more, in the frame and on the wire.
    expect(after.packets.map(({ bytes }) => bytes.length)).toEqual([74, ARP.length, 20, 0]);
    expect(after.packets.map(({ originalBytes }) => originalBytes)).toEqual([1534, ARP.length, 20, 0]);
    expect(Buffer.from(after.packets[0]!.bytes.slice(30, 34)).toString("hex")).toBe("0a000001");
  });

  test("has the packets of a Simple Packet Block, which have no time", async () => {
    const block = new Uint8Array(16 + 56);
    const view = new DataView(block.buffer);
    view.setUint32(0, 3, true);
    view.setUint32(4, block.length, true);
    view.setUint32(8, SEGMENT.length, true);
    block.set(SEGMENT, 12);
    view.setUint32(block.length - 4, block.length, true);
    const out = join(directory, "out.pcapng");
    const capture = Buffer.concat([twoPackets, block]);
    expect(replayJson(...small(capture), "--out", out).verdicts).toMatchObject({ tx: 2, pass: 1 });
    expect((await decodeCapture(out)).packets).toHaveLength(3);
  });

  test("has packets of any size that a capture may have", async () => {
    const sizes = [0, 1, 13, 14, 1515, 3521, 65_536, 262_144];
    const capture = encodePcapng({
      packets: sizes.map((size, i) => ({ timeNs: BigInt(i), bytes: new Uint8Array(size).fill(i) })),
    });
    const out = join(directory, "out.pcapng");
    expect(replayJson(...small(capture), "--out", out).verdicts.pass).toBe(sizes.length);
    const { packets } = await decodeCapture(out);
    expect(packets.map(({ bytes }) => bytes.length)).toEqual(sizes);
    expect(packets.every(({ bytes }, i) => bytes.every((byte) => byte === i))).toBe(true);
  });

  test("of an empty capture is an empty capture", async () => {
    const out = join(directory, "out.pcapng");
    const report = replayJson(...small(encodePcapng({ packets: [] })), "--out", out);
    expect(report).toMatchObject({ packets: 0, nsPerPacket: null });
    expect((await decodeCapture(out)).packets).toEqual([]);
  });

  const hasNoTshark = lacks("the replay's output in Wireshark", tshark);
  test.skipIf(hasNoTshark)("is what Wireshark reads, verdicts and all", () => {
    const out = join(directory, "out.pcapng");
    replayJson(...small(twoPackets), "--out", out);
    const fields = ["frame.packet_id", "frame.verdict.ebpf_xdp", "frame.time_epoch", "ip.dst"];
    const { stdout } = spawnSync(
      "tshark",
      ["-n", "-r", out, "-T", "fields", ...fields.flatMap((field) => ["-e", field])],
      {
        encoding: "utf8",
      },
    );
    expect(stdout.trimEnd().split("\n")).toEqual([
      "0\t3\t1.000000000\t10.0.0.1,10.200.1.1",
      "1\t2\t2.000000000",
    ]);
  });
});

describe("input", () => {
  test("comes from a pipe", () => {
    const [config, file] = [small(twoPackets)[1]!, small(twoPackets)[3]!];
    const run = runCli(main, ["replay", "--config", config, "--in", "-", "--json"], {
      input: readFileSync(file),
    });
    expect(run.stderr).toBe("");
    expect(JSON.parse(run.stdout)).toMatchObject({ packets: 2, verdicts: { tx: 1, pass: 1 } });
  });

  test("may be gzip-compressed", () => {
    expect(replayJson(...small(gzipSync(twoPackets), "in.pcapng.gz")).packets).toBe(2);
  });

  test("may be two captures in a row", () => {
    expect(replayJson(...small(Buffer.concat([twoPackets, twoPackets]))).packets).toBe(4);
  });

  test("of few packets has no speed", () => {
    expect(replayJson(...small(twoPackets)).nsPerPacket).toBeNull();
    expect(replay(...small(twoPackets)).stdout).toContain("too few packets to measure");
  });
});

describe("--expect", () => {
  function expectFile(packets: Parameters<typeof encodePcapng>[0]["packets"]): string {
    const file = join(directory, "expected.pcapng");
    writeFileSync(file, encodePcapng({ packets }));
    return file;
  }

  test("shows where a packet differs, and exits with 1", () => {
    const expected = expectFile([
      { timeNs: 0n, bytes: SEGMENT, verdict: XDP_PASS },
      { timeNs: 0n, bytes: ARP, verdict: XDP_PASS },
    ]);
    const { status, stdout } = replay(...small(twoPackets), "--expect", expected);
    expect(status).toBe(1);
    expect(stdout).toContain("packet 0 (frame 1 in Wireshark), 0.00 us into the capture");
    expect(stdout).toContain("verdict tx (3), expected pass (2)");
    expect(stdout).toContain("74 bytes, expected 54");
    expect(stdout).toContain(
      "first different byte at offset 0: Ethernet destination 00:00:de:ad:be:af, expected 02:00:00:00:00:01",
    );
    expect(stdout).toContain(`1 of 2 packets differ from ${expected}`);
  });

  test.for([
    { name: "too few", packets: [{ timeNs: 0n, bytes: SEGMENT }], words: /2 packets, expected 1/ },
    { name: "none", packets: [], words: /2 packets, expected 0/ },
  ])("of $name packets exits with 1", ({ packets, words }) => {
    const { status, stdout } = replay(...small(twoPackets), "--expect", expectFile(packets));
    expect(status).toBe(1);
    expect(stdout).toMatch(words);
  });

  test("with --json keeps stdout to the object", () => {
    const { status, stdout, stderr } = replay(...small(twoPackets), "--expect", expectFile([]), "--json");
    expect(status).toBe(1);
    expect(replayReportSchema.parse(JSON.parse(stdout)).packets).toBe(2);
    expect(stderr).toContain("2 packets, expected 0");
  });

  test("that is damaged is bad input, and what ran is reported", () => {
    const expected = expectFile([{ timeNs: 0n, bytes: SEGMENT }]);
    writeFileSync(expected, readFileSync(expected).subarray(0, -3));
    const { status, stdout, stderr } = replay(...small(twoPackets), "--expect", expected);
    expect(status).toBe(2);
    expect(stdout).toContain("with");
    expect(stderr).toMatch(/expected\.pcapng at byte \d+: ends \d+ bytes into a block/);
  });

  test("that is damaged behind the last packet is bad input too, and all is reported and written", () => {
    const expected = join(directory, "expected.pcapng");
    writeFileSync(expected, Buffer.concat([twoPackets, Buffer.from("06000000", "hex")]));
    const out = join(directory, "out.pcapng");
    const { status, stdout, stderr } = replay(...small(twoPackets), "--expect", expected, "--out", out);
    expect(status).toBe(2);
    expect(stdout).toContain("2 packets");
    expect(stderr).toMatch(/expected\.pcapng at byte \d+: ends 4 bytes into a block header/);
    expect(existsSync(out)).toBe(true);
  });

  test("still writes --out", () => {
    const out = join(directory, "out.pcapng");
    expect(replay(...small(twoPackets), "--expect", expectFile([]), "--out", out).status).toBe(1);
    expect(existsSync(out)).toBe(true);
  });
});

describe("a capture that is damaged in the middle", () => {
  const damaged = Buffer.concat([twoPackets, Buffer.from("0600000029000000", "hex")]);

  test("is replayed up to there, and is bad input", () => {
    const { status, stdout, stderr } = replay(...small(damaged));
    expect(status).toBe(2);
    expect(stdout).toContain("2 packets");
    expect(stderr).toMatch(/in\.pcapng at byte \d+: block length 41, a multiple of 4/);
    expect(stderr).not.toMatch(/^\s+at /m); // no stack
  });

  test("prints what ran as JSON too", () => {
    const { status, stdout } = replay(...small(damaged), "--json");
    expect(status).toBe(2);
    expect(replayReportSchema.parse(JSON.parse(stdout)).packets).toBe(2);
  });

  test("leaves no output, and an older one as it was", () => {
    const out = join(directory, "out.pcapng");
    expect(replay(...small(damaged), "--out", out).status).toBe(2);
    expect(readdirSync(directory).sort()).toEqual(["config.yaml", "in.pcapng"]);
    writeFileSync(out, "older");
    expect(replay(...small(damaged), "--out", out).status).toBe(2);
    expect(readFileSync(out, "utf8")).toBe("older");
  });

  test("is not also blamed for packets that never came", () => {
    const out = join(directory, "whole.pcapng");
    replayJson(...small(Buffer.concat([twoPackets, twoPackets])), "--out", out);
    const { status, stdout } = replay(...small(damaged), "--expect", out);
    expect(status).toBe(2);
    expect(stdout).toContain("0 of 2 packets differ");
    expect(stdout).not.toMatch(/expected \d/);
  });
});

describe("a replay that is ended in the middle", () => {
  /** Starts one that takes long, ends it when its output has begun, and says what is left in the folder. */
  async function endWith(signal: NodeJS.Signals): Promise<{ ended: NodeJS.Signals | null; left: string[] }> {
    const section = readFileSync(fixture("edge-mix", "in.pcapng"));
    const capture = join(directory, "in.pcapng");
    writeFileSync(capture, Buffer.concat(new Array<Buffer>(20).fill(section)));
    const outs = join(directory, "outs");
    mkdirSync(outs);
    const args = [main, "replay", ...EDGE.slice(0, 2), "--in", capture, "--out", join(outs, "out.pcapng")];
    const child = spawn(process.execPath, args, { stdio: "ignore" });
    const exited = new Promise<NodeJS.Signals | null>((resolve) => {
      child.on("exit", (_code, ended) => resolve(ended));
    });
    while (readdirSync(outs).length === 0 && child.exitCode === null) await sleep(10);
    await sleep(200);
    child.kill(signal);
    return { ended: await exited, left: readdirSync(outs) };
  }
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

  test.for(["SIGINT", "SIGTERM"] as const)("by %s leaves nothing behind", async (signal) => {
    expect(await endWith(signal)).toEqual({ ended: signal, left: [] });
  });

  test("by SIGKILL leaves nothing under the final name", async () => {
    const { ended, left } = await endWith("SIGKILL");
    expect(ended).toBe("SIGKILL");
    expect(left).not.toContain("out.pcapng");
  });
});

describe("bad usage and input exit with 2 and one message:", () => {
  const rows: { name: string; args: (good: string[]) => string[]; words: RegExp }[] = [
    { name: "no --config", args: (good) => good.slice(2), words: /--config/ },
    { name: "no --in", args: (good) => good.slice(0, 2), words: /--in/ },
    { name: "an option that is not there", args: (good) => [...good, "--exepct", "x"], words: /--exepct/ },
    {
      name: "an engine that is not there",
      args: (good) => [...good, "--engine", "wasm"],
      words: /wasm.*Expected interpreter or kernel\./,
    },
    {
      name: "engine jit",
      args: (good) => [...good, "--engine", "jit"],
      words: /jit is not in this version.*interpreter/,
    },
    {
      name: "engine kernel with queues",
      args: (good) => [...good, "--engine", "kernel", "--queues", "2"],
      words: /--queues 2 with --engine kernel, which runs on one CPU with one queue/,
    },
    ...["0", "129", "-1", "1.5", "four", "", "1e1"].map((queues) => ({
      name: `--queues "${queues}"`,
      args: (good: string[]) => [...good, `--queues=${queues}`],
      words: /--queues.*1 to 128/s,
    })),
    {
      name: "a capture that is not there",
      args: (good) => [...good, "--in", "nowhere.pcap"],
      words: /nowhere\.pcap: no such file/,
    },
    { name: "a folder as a capture", args: (good) => [...good, "--in", ROOT], words: /is a directory/ },
    {
      name: "a config as a capture",
      args: (good) => [...good, "--in", good[1]!],
      words: /config\.yaml at byte 0: starts with/,
    },
    { name: "a capture as a config", args: (good) => [...good, "--config", good[3]!], words: /in\.pcapng/ },
    {
      name: "a config that is not there",
      args: (good) => [...good, "--config", "nowhere.yaml"],
      words: /nowhere\.yaml: no such file/,
    },
    {
      name: "an expected capture that is not there",
      args: (good) => [...good, "--expect", "nowhere.pcap"],
      words: /nowhere\.pcap: no such file/,
    },
    {
      name: "--out into a folder that is not there",
      args: (good) => [...good, "--out", "nowhere/out.pcapng"],
      words: /nowhere\/out\.pcapng: cannot be written: no such directory/,
    },
    {
      name: "--out onto a folder",
      args: (good) => [...good, "--out", ROOT],
      words: /cannot be written: is a directory/,
    },
    {
      name: "--out onto the capture",
      args: (good) => [...good, "--out", good[3]!],
      words: /is the file of --in/,
    },
    {
      name: "--out onto the config",
      args: (good) => [...good, "--out", good[1]!],
      words: /is the file of --config/,
    },
    {
      name: "--out onto the expected capture",
      args: (good) => [...good, "--expect", `${good[3]}.link`, "--out", good[3]!],
      words: /is the file of/,
    },
    {
      name: "--out to standard output",
      args: (good) => [...good, "--out", "-"],
      words: /standard output has the report/,
    },
    {
      name: "standard input twice",
      args: () => ["--config", "-", "--in", "-"],
      words: /standard input once/,
    },
    { name: "an argument too many", args: (good) => [...good, "more"], words: /argument/ },
  ];

  // Starting a process for each would take most of a minute: main.test.ts shows that what is thrown here ends there with one message.
  test.for(rows)("$name", async ({ args, words }) => {
    const good = small(twoPackets);
    symlinkSync(good[3]!, `${good[3]}.link`);
    const printed: string[] = [];
    const command = replayCommand()
      .exitOverride()
      .configureOutput({ writeErr: (text) => printed.push(text) });
    const error: unknown = await command
      .parseAsync(args(good), { from: "user" })
      .catch((thrown: unknown) => thrown);
    if (error instanceof CommanderError) {
      expect(error.exitCode).not.toBe(0);
      expect(printed.join("")).toMatch(words);
    } else {
      const failure = describeFailure(error, { isDebug: false });
      expect(failure.text).toMatch(words);
      expect(failure.exitCode).toBe(2);
    }
  });

  test.for([
    { name: "a usage error", more: ["--queues", "0"] },
    { name: "an engine to come", more: ["--engine", "jit"] },
    { name: "a capture that is not there", more: ["--in", "nowhere.pcap"] },
  ])("$name, in a process of its own", ({ more }) => {
    const { status, stdout, stderr } = replay(...small(twoPackets), ...more);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^lamna: /);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("more memory than a simulator has", () => {
    const args = small(twoPackets);
    writeFileSync(args[1]!, `${CONFIG}capacity: {flowsPerCpu: 16777216}\n`);
    const { status, stderr } = replay(...args, "--queues", "128");
    expect(status).toBe(2);
    expect(stderr).toMatch(/capacity in .* is more than a dataplane holds.*flowsPerCpu or --queues/);
  });
});

test("a device is written to as what it is", () => {
  expect(replay(...small(twoPackets), "--out", "/dev/null").status).toBe(0);
  const { status, stderr } = replay(...small(twoPackets), "--out", "/dev/full");
  expect(status).toBe(2);
  expect(stderr).toMatch(/\/dev\/full: cannot be written: no space left/);
});

test("the help names every option", () => {
  const { status, stdout } = replay("--help");
  expect(status).toBe(0);
  for (const option of ["--config", "--in", "--out", "--engine", "--queues", "--expect", "--json"]) {
    expect(stdout).toContain(option);
  }
  // Engines to come are no choice yet.
  expect(stdout).toMatch(/--engine <name> +what runs the program: interpreter or kernel/);
  expect(stdout).not.toMatch(/jit/);
});

function nonZero(counts: { readonly [name: string]: number }): { [name: string]: number } {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
