import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { configText } from "../model/config-text.ts";
import { buildCli, ROOT, runCli } from "./built-cli.ts";

const MAIN = buildCli();
const FOLDER = mkdtempSync(join(tmpdir(), "lamna-check-"));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const GOOD = write("good.yaml", configText());
const BAD = write("bad.yaml", "version: 1\nsettings:\n  gatewayMac: x\nvips: []\ncolour: red\n");
const ODD = write("odd.yaml", configText({ "vips.0.backends": [], "vips.0.name": "lonely" }));

test("a good file is fine, and its VIPs and memory are shown", () => {
  const { status, stdout, stderr } = runCli(MAIN, ["check", GOOD, "--cpus", "2"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`${GOOD}: fine\n`);
  expect(stdout).toMatch(/web +tcp 10\.200\.1\.1:80 +2 backends\n/);
  // 69 rings of 260 KiB; 48 bytes for each of 262144 flows.
  expect(stdout).toMatch(
    /of memory with 2 CPUs:\n .*rings 17\.5 MiB\n .*a CPU, of which flow tables 12\.0 MiB\n/,
  );
});

test("the configs of the repository are fine, and each warning has its place", () => {
  const file = join(ROOT, "pcap-fixtures/edge-mix/config.yaml");
  const { status, stderr } = runCli(MAIN, ["check", file]);
  expect(status).toBe(0);
  for (const line of stderr.split("\n").slice(0, -1))
    expect(line).toMatch(/config\.yaml:\d+:\d+: .*warning: /);
});

test("a config for a NIC, which knows its gateway and MTU by itself, is fine", () => {
  const file = write("nic.yaml", "version: 1\nvips: []\n");
  const { status, stdout, stderr } = runCli(MAIN, ["check", file]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`${file}: fine`);
});

test("problems go to stderr, each with file, line, column and path", () => {
  expect(runCli(MAIN, ["check", BAD])).toEqual({
    status: 2,
    stdout: "",
    stderr: [
      `${BAD}:3:15: settings.gatewayMac: found "x", expected a MAC address such as 00:00:de:ad:be:af`,
      `${BAD}:5:1: colour: unknown key "colour", expected version, capacity, settings, vips, serverIds, sourceRoutes`,
      "",
    ].join("\n"),
  });
});

test("one bad file among good ones makes the exit code, and all are looked at", () => {
  const { status, stdout, stderr } = runCli(MAIN, ["check", BAD, GOOD, "/no/such.yaml"]);
  expect(status).toBe(2);
  expect(stdout).toContain(`${GOOD}: fine`);
  expect(stderr).toContain("colour");
  expect(stderr).toContain("/no/such.yaml: no such file");
});

test("a warning does not make a file bad", () => {
  const { status, stdout, stderr } = runCli(MAIN, ["check", ODD]);
  expect(status).toBe(0);
  expect(stdout).toContain("fine");
  expect(stderr).toMatch(
    /^.*odd\.yaml:\d+:\d+: vips\[0\]: warning: no backends: every packet to this VIP is dropped\n$/,
  );
});

test("--json gives problems, warnings and memory as one object, and nothing on stderr", () => {
  const { status, stdout, stderr } = runCli(MAIN, ["check", "--json", "--cpus", "3", GOOD, BAD, ODD]);
  expect({ status, stderr }).toEqual({ status: 2, stderr: "" });
  const { configs } = JSON.parse(stdout);
  expect(configs).toEqual([
    expect.objectContaining({ file: GOOD, isValid: true, problems: [], warnings: [], vips: 1, backends: 2 }),
    expect.objectContaining({ file: BAD, isValid: false, warnings: [], vips: null, memory: null }),
    expect.objectContaining({ file: ODD, isValid: true, problems: [], vips: 1, backends: 0 }),
  ]);
  expect(
    configs[1].problems.map(({ path, line, column, code }: { [key: string]: unknown }) => ({
      path,
      line,
      column,
      code,
    })),
  ).toEqual([
    { path: "settings.gatewayMac", line: 3, column: 15, code: "bad-value" },
    { path: "colour", line: 5, column: 1, code: "unknown-key" },
  ]);
  expect(configs[2].warnings).toHaveLength(1);
  const { sharedBytes, perCpuBytes, totalBytes, ringBytes, flowTableBytes, cpuCount } = configs[0].memory;
  expect({ ringBytes, flowTableBytes, cpuCount }).toEqual({
    ringBytes: 69 * 266240,
    flowTableBytes: 262144 * 48,
    cpuCount: 3,
  });
  expect(totalBytes).toBe(sharedBytes + 3 * perCpuBytes);
  expect(sharedBytes).toBeGreaterThan(ringBytes);
  expect(perCpuBytes).toBeGreaterThan(flowTableBytes);
});

test("standard input is read as -", () => {
  expect(runCli(MAIN, ["check", "-"], { input: configText() }).stdout).toMatch(/^-: fine\n/);
  expect(runCli(MAIN, ["check", "-"], { input: "a: [" }).stderr).toMatch(/^-:\d+:\d+: /);
});

test("standard input is read once at most", () => {
  expect(runCli(MAIN, ["check", "-", GOOD, "-"], { input: configText() })).toEqual({
    status: 2,
    stdout: "",
    stderr: 'lamna: more than one "-": standard input can be read only once\n',
  });
});

test.for([
  { set: { "vips.0.backends.0.weight": 0 }, words: "2 backends, 1 out of the ring (weight 0)" },
  {
    set: { "vips.0.backends.0.weight": 0, "vips.0.backends.0.state": "draining" },
    words: "2 backends, 1 draining",
  },
  { set: { "vips.0.backends.0.state": "down" }, words: "2 backends, 1 down" },
])("backends that get no new flows are counted: $words", ({ set, words }) => {
  const { stdout } = runCli(MAIN, ["check", "-"], { input: configText(set) });
  expect(stdout.split("\n")[1]).toMatch(/^ {2}web +tcp 10\.200\.1\.1:80 {2}/);
  expect(stdout.split("\n")[1]!.endsWith(`  ${words}`)).toBe(true);
});

test.for<{ name: string; file: string; message: RegExp }>([
  { name: "a directory", file: FOLDER, message: /: a directory, expected a file\n$/ },
  { name: "a file that is not there", file: join(FOLDER, "none.yaml"), message: /: no such file\n$/ },
  {
    name: "a binary file",
    file: write("binary.yaml", Uint8Array.of(0xff, 0xfe, 0, 1)),
    message: /: not UTF-8 text, expected a YAML file\n$/,
  },
  {
    name: "an endless file",
    file: "/dev/zero",
    message: /: larger than the 8388608 bytes that a config file may have\n$/,
  },
  { name: "an empty file", file: "/dev/null", message: /:1:1: the file is empty/ },
  { name: "a capture", file: join(ROOT, "pcap-fixtures/edge-mix/in.pcapng"), message: /in\.pcapng: / },
])("$name is no config", ({ file, message }) => {
  const { status, stdout, stderr } = runCli(MAIN, ["check", file]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr.split("\n")).toHaveLength(2);
});

test.for(["0", "-1", "1.5", "many", "4097", ""])("--cpus %s is wrong usage", (cpus) => {
  const { status, stderr } = runCli(MAIN, ["check", `--cpus=${cpus}`, GOOD]);
  expect(status).toBe(2);
  expect(stderr).toMatch(
    /^lamna: option '--cpus <count>' argument '.*' is invalid\. Expected a whole number from 1 to 4096\.\n/,
  );
});

function write(name: string, contents: string | Uint8Array): string {
  const file = join(FOLDER, name);
  writeFileSync(file, contents);
  return file;
}
