/** `lamna doctor` as it is run: compiled, in network namespaces of the test's own, as root and as nobody. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DoctorFinding, DoctorReport } from "../../../control/model/doctor-report.ts";
import { Namespaces } from "../../dataplane/kernel/namespaces.ts";
import { bpffs, lacks, libbpf, namespaces } from "../../needs.ts";
import { type JsonSchema, violations } from "../model/json-schema.ts";
import { buildCli, type CliRun, ROOT, runCli } from "./built-cli.ts";

const BPFFS = "/sys/fs/bpf";
const MAIN = buildCli();
const SCHEMA = JSON.parse(
  readFileSync(join(ROOT, "schemas/doctor-report.schema.json"), "utf8"),
) as JsonSchema;

test.for([
  { name: "an address that is none", args: ["--backend", "--vip", "10.0.0"], words: "--vip" },
  { name: "a VIP without --backend", args: ["--vip", "10.0.0.1"], words: "--vip goes with --backend" },
  { name: "a config that is not there", args: ["--config", "/no/such/file"], words: "no such file" },
  { name: "an interface that is not there", args: ["no-such-if"], words: "no-such-if" },
])("$name is wrong usage", ({ args, words }) => {
  const { status, stderr, stdout } = runCli(MAIN, ["doctor", ...args]);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain(words);
});

describe.skipIf(lacks("doctor in namespaces", namespaces, libbpf, bpffs))("in namespaces", () => {
  const network = new Namespaces("doctor");
  let folder: string;
  const balancer = "lb";
  const backend = "be";

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "lamna-doctor-"));
    writeFileSync(
      join(folder, "config.yaml"),
      "version: 1\nvips:\n  - {address: 10.100.0.1, port: 80, protocol: tcp, backends: [{address: 10.2.0.2}]}\n",
    );
    writeFileSync(
      join(folder, "gateway.yaml"),
      'version: 1\nsettings: {gatewayMac: "02:00:00:00:00:09"}\nvips: []\n',
    );
    for (const name of [balancer, backend, "rt"]) network.add(name);
    network.ipLines(
      "rt",
      `link add r1 address 02:00:00:00:01:01 mtu 1600 type veth peer name e0 address 02:00:00:00:01:02 mtu 1600 netns @lb
       link add r2 address 02:00:00:00:02:01 type veth peer name e0 address 02:00:00:00:02:02 netns @be
       addr add 10.1.0.1/24 dev r1
       addr add 10.2.0.1/24 dev r2
       link set r1 up
       link set r2 up`,
    );
    network.ipLines(
      balancer,
      `addr add 10.1.0.2/24 dev e0
       link set e0 up
       route add default via 10.1.0.1
       link add idle type veth peer name idle-end
       link set idle up
       link set idle-end up`,
    );
    network.ipLines(
      backend,
      `addr add 10.2.0.2/24 dev e0
       link set e0 up
       route add default via 10.2.0.1
       addr add 10.100.0.1/32 dev lo`,
    );
    network.run(backend, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.e0.rp_filter=0");
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"];

  function doctor(space: string, args: readonly string[], { as = [] as readonly string[] } = {}): CliRun {
    return inside(space, [...as, process.execPath, MAIN, "doctor", ...args]);
  }

  function lamna(space: string, ...args: readonly (string | readonly string[])[]): CliRun {
    return inside(space, [process.execPath, MAIN, ...args.flat()]);
  }

  function inside(space: string, command: readonly string[]): CliRun {
    const { NO_COLOR: _no, FORCE_COLOR: _force, ...env } = process.env;
    const entered = [`--net=${network.path(space)}`, ...command];
    const { status, stdout, stderr } = spawnSync("nsenter", entered, { encoding: "utf8", env });
    return { status, stdout, stderr };
  }

  function report(run: CliRun): DoctorReport {
    expect(run.stderr).toBe("");
    const value: unknown = JSON.parse(run.stdout);
    expect(violations(SCHEMA, value)).toEqual([]);
    return value as DoctorReport;
  }

  function findings({ groups }: DoctorReport, check: string): DoctorFinding[] {
    return groups.flatMap((group) => group.findings).filter((finding) => finding.check === check);
  }

  test("a balancer as it should be: no problems, and 0", () => {
    const run = doctor(balancer, ["--config", join(folder, "config.yaml"), "--json"]);
    const found = report(run);
    expect(found).toMatchObject({ role: "balancer", counts: { problem: 0 } });
    expect(run.status).toBe(0);
    // Without being named: it has the default route, and the others have none.
    expect(found.groups.map((group) => group.interface).filter((name) => name !== null)).toEqual(["e0"]);
    expect(findings(found, "link")).toMatchObject([{ state: "ok", found: "up, 02:00:00:00:01:02" }]);
    expect(findings(found, "MTU")).toMatchObject([{ state: "ok", found: expect.stringContaining("1600") }]);
    expect(findings(found, "next hop")).toMatchObject([
      { state: "ok", found: expect.stringContaining("10.1.0.1 at 02:00:00:00:01:01") },
    ]);
    expect(findings(found, "capabilities")).toMatchObject([{ state: "ok" }]);
    const sum = Object.values(found.counts).reduce((total, count) => total + count, 0);
    expect(sum).toBe(found.groups.reduce((total, group) => total + group.findings.length, 0));
  });

  test("an interface without a way to the backends is a problem, and 1", () => {
    const run = doctor(balancer, ["idle", "--config", join(folder, "config.yaml"), "--json"]);
    expect(run.status).toBe(1);
    const found = report(run);
    expect(findings(found, "next hop")).toMatchObject([
      {
        state: "problem",
        found: expect.stringContaining("no route to 10.2.0.2"),
        remedy: expect.stringContaining("settings.gatewayMac"),
      },
    ]);
  });

  test("the program of somebody else is in the way, by id, name and mode", () => {
    // iproute2 attaches without a link, and Lamna knows nothing of it.
    const object = join(ROOT, "dataplane/xdp/balancer.bpf.o");
    network.ipLines(balancer, `link set dev idle xdpgeneric obj ${object} sec xdp`);
    try {
      const found = report(doctor(balancer, ["idle", "--json"]));
      expect(findings(found, "XDP programs")).toMatchObject([
        { state: "problem", found: expect.stringMatching(/^program [0-9]+ \("balance"\) in generic mode/) },
      ]);
      const unnamed = report(doctor(balancer, ["idle", "--json"], { as: NOBODY }));
      expect(findings(unnamed, "XDP programs")).toMatchObject([
        { state: "problem", found: expect.stringMatching(/^program [0-9]+ in generic mode/) },
      ]);
    } finally {
      network.ipLines(balancer, "link set dev idle xdpgeneric off");
    }
  });

  test("nobody sees less, and is told so", () => {
    const run = doctor(balancer, ["--json"], { as: NOBODY });
    const found = report(run);
    expect(findings(found, "capabilities")).toMatchObject([
      { state: "warning", found: expect.stringContaining("no CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON") },
    ]);
    expect(findings(found, "features")).toMatchObject([{ found: expect.not.stringContaining("tried") }]);
    expect(findings(found, "link")).toMatchObject([{ state: "ok" }]);

    network.ipLines(balancer, "neigh flush dev e0");
    const unseen = report(doctor(balancer, ["--json"], { as: NOBODY }));
    expect(findings(unseen, "next hop")).toMatchObject([
      { state: "unknown", found: expect.stringContaining("10.1.0.1") },
    ]);
  });

  test("for people: grouped, without colour where there is no terminal, and with it where it is forced", () => {
    const { stdout, status } = doctor(balancer, ["e0"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Linux .*, as a balancer\n\nKernel\n {2}ok {7}version/);
    expect(stdout).toContain("\nInterface e0\n");
    expect(stdout).toMatch(/\nNo problems.*\.\n$/);
    expect(stdout).not.toContain("\u001b");
  });

  test("a backend without decapsulation is told what it lacks", () => {
    const run = doctor(backend, [
      "--backend",
      "--vip",
      "10.100.0.1",
      "--pin-dir",
      "/sys/fs/bpf/lamna-test-none",
      "--json",
    ]);
    const found = report(run);
    expect(found.role).toBe("backend");
    expect(findings(found, "decapsulation")).toMatchObject([
      { state: "problem", remedy: expect.stringContaining("lamna backend attach") },
    ]);
    expect(findings(found, "VIP")).toMatchObject([{ state: "ok", found: "10.100.0.1 on lo" }]);
    expect(findings(found, "MTU")).toMatchObject([
      { state: "warning", remedy: expect.stringContaining("advmss 1440") },
    ]);
    expect(run.status).toBe(1);
  });

  test("an instance on the interface is told from others, also by nobody", () => {
    const pins = join(BPFFS, `lamna-test-doctor-${process.pid}`);
    const attached = lamna(balancer, "attach", "idle", [
      "--config",
      join(folder, "gateway.yaml"),
      "--pin-dir",
      pins,
    ]);
    expect(attached.stderr).toBe("");
    try {
      for (const as of [[], NOBODY]) {
        // Without being named: it is the instance's.
        const found = report(doctor(balancer, ["--pin-dir", pins, "--json"], { as }));
        expect(findings(found, "instance")).toMatchObject([{ state: "ok", found: `at ${pins}, on idle` }]);
        expect(findings(found, "XDP programs")).toMatchObject([
          { state: "ok", found: expect.stringMatching(/^program [0-9]+ .*in native mode, by \//) },
        ]);
      }
    } finally {
      expect(lamna(balancer, "detach", ["--pin-dir", pins]).status).toBe(0);
    }
  });

  test.for(["xdp", "tc"])("a backend whose program decapsulates by %s has nothing to do", (hook) => {
    const pins = join(BPFFS, `lamna-test-doctor-backend-${process.pid}`);
    const options = ["--vip", "10.100.0.1", "--hook", hook, "--pin-dir", pins];
    const attached = lamna(backend, "backend", "attach", "e0", options);
    expect(attached.stderr).toBe("");
    try {
      const run = doctor(backend, ["--backend", "--vip", "10.100.0.1", "--pin-dir", pins, "--json"]);
      const found = report(run);
      expect(findings(found, "decapsulation")).toMatchObject([
        { state: "ok", found: `the program of ${pins}, on e0` },
      ]);
      expect(findings(found, "rp_filter")).toMatchObject([{ state: "ok", found: "0 on e0" }]);
      expect(run.status).toBe(0);
    } finally {
      expect(lamna(backend, "backend", "detach", ["--pin-dir", pins]).status).toBe(0);
    }
  });

  test("a backend of the config knows itself, and a VIP that is missing", () => {
    const found = report(
      doctor(backend, [
        "--backend",
        "--config",
        join(folder, "config.yaml"),
        "--vip",
        "10.100.0.9",
        "--json",
      ]),
    );
    expect(findings(found, "backend")).toMatchObject([{ state: "ok", found: "this host is 10.2.0.2" }]);
    expect(findings(found, "VIP").map(({ state }) => state)).toEqual(["ok", "problem"]);
  });
});
