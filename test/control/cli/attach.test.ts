/** `lamna attach` and `lamna detach` on veth pairs, as an operator uses them. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { AttachReport } from "../../../control/cli/attach-report.ts";
import type { DetachReport } from "../../../control/cli/detach.ts";
import { formatMac } from "../../../control/model/mac.ts";
import type { StatusReport } from "../../../control/model/status-report.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { type InterfaceInfo, readInterface } from "../../../dataplane/kernel/links.ts";
import { loadedRequest } from "../../../dataplane/kernel/loaded-request.ts";
import { PinLayout } from "../../../dataplane/kernel/pin-layout.ts";
import { readStoredObject } from "../../../dataplane/kernel/pinned-object.ts";
import { programInfo } from "../../../dataplane/kernel/program-info.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { loadBare } from "../../dataplane/kernel/bare-program.ts";
import { bpffs, lacks, libbpf as libbpfNeed, namespaces, root } from "../../needs.ts";
import { buildCli } from "./built-cli.ts";
import { configText, InstanceHarness } from "./instance-harness.ts";

const isSkipped = lacks("lamna attach", root, libbpfNeed, bpffs, namespaces);
const main = isSkipped ? "" : buildCli();

describe.skipIf(isSkipped)("lamna attach", () => {
  const lamna = new InstanceHarness("attach", main);
  const { pinDirectory } = lamna;
  afterEach(() => lamna.clear());

  function seen(host: string, name: string): InterfaceInfo["xdp"] {
    return lamna.spaces.inside(host, () => readInterface(name).xdp);
  }

  /** Attaches, and throws when that fails. */
  function attach(host: string, text: string, ...args: readonly string[]): AttachReport {
    return lamna.json<AttachReport>(host, "attach", ...args, "--config", lamna.config(text));
  }

  /** What a failing `lamna attach` prints. */
  function refused(host: string, text: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = lamna.run(host, "attach", ...args, "--config", lamna.config(text));
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    return stderr;
  }

  const ONE = configText(["10.0.0.1", "10.0.0.2"]);

  test("attaches, changes the backends, and detaches without a trace", () => {
    const host = lamna.addHost();
    const first = lamna.json<AttachReport>(
      host,
      "attach",
      "e0",
      "--config",
      lamna.config(configText(["10.0.0.1", "10.0.0.2"])),
    );
    expect(first).toMatchObject({
      change: "created",
      isDryRun: false,
      interfaces: [{ name: "e0", change: "attached", mode: "native", fallback: null, nextHop: null }],
      vips: [{ label: "web (tcp 10.200.1.1:80)", change: "added", movedSlots: 65537 }],
    });
    expect(seen(host, "e0")).toMatchObject({ mode: "native" });
    expect(readdirSync(pinDirectory).sort()).toEqual(["links", "maps", "object", "program"]);
    expect(readdirSync(join(pinDirectory, "maps"))).toEqual(
      expect.arrayContaining(["_rodata", "flows_ipv4", "flows_ipv4_cpu0", "settings"]),
    );

    const config = lamna.config(configText(["10.0.0.1", "10.0.0.3"]));
    const { programId } = seen(host, "e0")!;
    const second = lamna.json<AttachReport>(host, "attach", "e0", "--config", config);
    expect(second).toMatchObject({
      change: "changed",
      isProgramReplaced: false,
      interfaces: [{ name: "e0", change: "kept", mode: "native" }],
      vips: [{ change: "backends" }],
    });
    expect(seen(host, "e0")).toMatchObject({ programId });
    expect(lamna.json<AttachReport>(host, "attach", "e0", "--config", config).actions).toEqual([]);

    const detached = lamna.json<DetachReport>(host, "detach");
    expect(detached).toEqual({ pinDirectory, detached: ["e0"], remaining: [] });
    expect(seen(host, "e0")).toBeUndefined();
    expect(existsSync(pinDirectory)).toBe(false);
    expect(lamna.run(host, "detach")).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^nothing is attached/),
    });
    expect(existsSync(pinDirectory)).toBe(false);
  });

  test("a dry run says every step, and leaves no trace", () => {
    const host = lamna.addHost();
    const report = attach(host, ONE, "e0", "--dry-run");
    expect(report).toMatchObject({
      isDryRun: true,
      change: "created",
      interfaces: [{ change: "attached", mode: null }],
    });
    expect(report.actions).toEqual(expect.arrayContaining([expect.stringMatching(/^publish the VIP table/)]));
    expect(seen(host, "e0")).toBeUndefined();
    expect(existsSync(pinDirectory)).toBe(false);

    attach(host, ONE, "e0");
    const next = configText(["10.0.0.3"], { settings: '{gatewayMac: "02:00:00:00:00:01", scope: all}' });
    const planned = attach(host, next, "e0", "--dry-run");
    expect(planned).toMatchObject({
      change: "changed",
      isProgramReplaced: true,
      vips: [{ change: "backends" }],
    });
    expect(attach(host, ONE, "e0").actions).toEqual([]);
    expect(attach(host, next, "e0").actions).toEqual(planned.actions);
  });

  test("a setting of .rodata replaces the program in place, keeping flows and the flow table's seed", () => {
    const host = lamna.addHost();
    attach(host, ONE, "e0");
    const before = readOptions();
    const { programId } = seen(host, "e0")!;
    const report = attach(
      host,
      configText(["10.0.0.1", "10.0.0.2"], { settings: '{gatewayMac: "02:00:00:00:00:01", scope: all}' }),
      "e0",
    );
    expect(report).toMatchObject({ isProgramReplaced: true, vips: [{ change: "none" }] });
    expect(seen(host, "e0")?.programId).not.toBe(programId);
    const after = readOptions();
    expect(before.get("option_scope_all")).toBe(false);
    expect(after.get("option_scope_all")).toBe(true);
    expect(after.get("option_flow_seed")).toBe(before.get("option_flow_seed"));
    expect(before.get("option_flow_seed")).not.toBe(0n);
    expect(readdirSync(pinDirectory).sort()).toEqual(["links", "maps", "object", "program"]);
  });

  test("two interfaces are one instance, each with its own next hop; one of them can go", () => {
    const host = lamna.addHost();
    lamna.addInterface(host, "e1.100", { subnet: 8 });
    lamna.spaces.ip(host, "route", "add", "10.0.0.0/16", "via", "10.8.0.2");
    lamna.spaces.ip(host, "route", "add", "10.0.0.0/16", "via", "10.9.0.2", "metric", "10");
    const open = configText(["10.0.0.1"], { settings: "{}" });
    attach(host, open, "e0");
    const second = attach(host, open, "e1.100");
    expect(second.interfaces).toMatchObject([{ name: "e1.100", change: "attached" }]);
    expect(readdirSync(join(pinDirectory, "links")).sort()).toEqual(["e0", "e1%2E100"]);
    const { interfaces } = lamna.json<StatusReport>(host, "status");
    expect(interfaces.map(({ name, gatewayMac }) => [name, gatewayMac])).toEqual([
      ["e0", macOf(`${host}g`, "p-e0")],
      ["e1.100", macOf(`${host}g`, "p-e1.100")],
    ]);

    expect(lamna.json<DetachReport>(host, "detach", "e0")).toMatchObject({
      detached: ["e0"],
      remaining: ["e1.100"],
    });
    expect(seen(host, "e0")).toBeUndefined();
    expect(seen(host, "e1.100")).toBeDefined();
    expect(lamna.json<DetachReport>(host, "detach", "e0")).toMatchObject({
      detached: [],
      remaining: ["e1.100"],
    });
    expect(lamna.json<DetachReport>(host, "detach", "e1.100")).toMatchObject({
      detached: ["e1.100"],
      remaining: [],
    });
    expect(existsSync(pinDirectory)).toBe(false);
  });

  test("where one of two interfaces is refused, neither is attached", () => {
    const host = lamna.addHost();
    lamna.addInterface(host, "e1", { subnet: 8, linkOptions: ["mtu", "9000"] });
    expect(refused(host, ONE, "e0", "e1", "--mode", "native")).toMatch(
      /attach to e1 in native mode: the MTU/,
    );
    expect(seen(host, "e0")).toBeUndefined();
    expect(existsSync(pinDirectory)).toBe(false);
  });

  test("auto falls back to generic and says why; the mode stays, and cannot be changed under traffic", () => {
    const host = lamna.addHost({ linkOptions: ["mtu", "9000"] });
    const [first] = attach(host, ONE, "e0").interfaces;
    expect(first).toMatchObject({
      mode: "generic",
      fallback: expect.stringMatching(/MTU is too large for native XDP/),
    });
    expect(attach(host, ONE, "e0").interfaces).toMatchObject([{ change: "kept", mode: "generic" }]);
    expect(refused(host, ONE, "e0", "--mode", "native")).toMatch(/in generic mode.*lamna detach e0/s);
    const text = lamna.run(host, "attach", "e0", "--config", lamna.config(ONE)).stdout;
    expect(text).toMatch(/^e0: attached already, generic mode/);
  });

  test("an interface that was renamed keeps its program; one that was made anew gets it", () => {
    const host = lamna.addHost();
    attach(host, ONE, "e0");
    lamna.spaces.ip(host, "link", "set", "e0", "down");
    lamna.spaces.ip(host, "link", "set", "e0", "name", "wan0");
    expect(attach(host, ONE, "wan0").interfaces).toMatchObject([{ name: "wan0", change: "kept" }]);
    expect(readdirSync(join(pinDirectory, "links"))).toEqual(["wan0"]);

    lamna.spaces.ip(host, "link", "del", "wan0");
    lamna.addInterface(host, "wan0", { subnet: 9 });
    expect(attach(host, ONE, "wan0").interfaces).toMatchObject([{ name: "wan0", change: "attached" }]);
    expect(seen(host, "wan0")).toMatchObject({ mode: "native" });
  });

  test("interfaces that swapped names, or took that of one that is gone, are known by the names that they have now", () => {
    const host = lamna.addHost();
    lamna.addInterface(host, "e1", { subnet: 10 });
    attach(host, ONE, "e0", "e1");
    const rename = (from: string, to: string): void => {
      lamna.spaces.ip(host, "link", "set", from, "down");
      lamna.spaces.ip(host, "link", "set", from, "name", to);
      lamna.spaces.ip(host, "link", "set", to, "up");
    };
    const numbers = (): object =>
      Object.fromEntries(
        lamna.json<StatusReport>(host, "status").interfaces.map(({ name, ifindex }) => [name, ifindex]),
      );
    const before = numbers() as { e0: number; e1: number };
    rename("e0", "aside");
    rename("e1", "e0");
    rename("aside", "e1");
    expect(numbers()).toEqual({ e0: before.e1, e1: before.e0 });
    expect(attach(host, ONE, "e0").interfaces).toMatchObject([{ name: "e0", change: "kept" }]);
    expect(numbers()).toEqual({ e0: before.e1, e1: before.e0 });

    lamna.spaces.ip(host, "link", "del", "e0");
    rename("e1", "e0");
    expect(attach(host, ONE, "e0").interfaces).toMatchObject([{ name: "e0", change: "kept" }]);
    expect(readdirSync(join(pinDirectory, "links"))).toEqual(["e0"]);
    lamna.addInterface(host, "e1", { subnet: 10 });
    attach(host, ONE, "e1");
    rename("e0", "wan0");
    expect(lamna.json<DetachReport>(host, "detach", "wan0")).toMatchObject({
      detached: ["wan0"],
      remaining: ["e1"],
    });
    expect(seen(host, "wan0")).toBeUndefined();
  });

  test("an instance is in one network namespace, also where another has the same names and numbers", () => {
    const host = lamna.addHost();
    attach(host, ONE, "e0");
    const elsewhere = lamna.addHost();
    expect(lamna.spaces.inside(elsewhere, () => readInterface("e0").ifindex)).toBe(
      lamna.spaces.inside(host, () => readInterface("e0").ifindex),
    );
    expect(refused(elsewhere, ONE, "e0")).toMatch(/is on e0 of another network namespace.*--pin-dir/);
    expect(seen(elsewhere, "e0")).toBeUndefined();
    expect(attach(host, ONE, "e0").actions).toEqual([]);
    expect(lamna.json<DetachReport>(elsewhere, "detach").detached).toEqual(["e0"]);
    expect(seen(host, "e0")).toBeUndefined();
  });

  test("another capacity takes new maps, and they only when they are asked for", () => {
    const host = lamna.addHost();
    attach(host, ONE, "e0");
    const larger = ONE.replace("backends: 16", "backends: 32");
    const { programId } = seen(host, "e0")!;
    expect(refused(host, larger, "e0")).toMatch(
      /yaml: capacity.backends 32 .*loaded with 17; "--new-maps".*Nothing was changed/,
    );
    expect(seen(host, "e0")).toMatchObject({ programId });
    expect(attach(host, larger, "e0", "--new-maps")).toMatchObject({
      change: "new-maps",
      interfaces: [{ change: "kept" }],
    });
    expect(seen(host, "e0")?.programId).not.toBe(programId);
    expect(lamna.json<StatusReport>(host, "status").maps.backends.capacity).toBe(32);
    expect(attach(host, larger, "e0").actions).toEqual([]);
  });

  test("a file that cannot be read, an interface that is not there, a file system that has no pins", () => {
    const host = lamna.addHost();
    expect(refused(host, "version: 2\n", "e0")).toMatch(/version/);
    expect(refused(host, ONE, "e7")).toMatch(
      /no interface "e7" in this network namespace; did you mean "e0"\?/,
    );
    expect(refused(host, ONE, "enp130s0f1")).toMatch(/no interface "enp130s0f1".*expected one of "e0"/);
    const { status, stderr } = lamna.spaces.try(
      host,
      process.execPath,
      main,
      "attach",
      "e0",
      "--config",
      lamna.config(ONE),
      "--pin-dir",
      "/tmp/lamna",
    );
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/not in a BPF file system\n {2}mount one as root/),
    });
    expect(existsSync(pinDirectory)).toBe(false);
  });

  test("another program in the way is named, and stays", () => {
    const host = lamna.addHost();
    const other = loadBare("somebody");
    lamna.spaces.inside(host, () => {
      const { ifindex } = readInterface("e0");
      expect(libbpf().bpf_xdp_attach(ifindex, other.fd, 0, null)).toBe(0);
    });
    expect(refused(host, ONE, "e0")).toMatch(
      /"somebody"\) is there in native mode.*\n {2}take it off with "ip link set dev e0 xdp off"/,
    );
    expect(seen(host, "e0")).toMatchObject({ programId: programInfo(other).id });
    expect(existsSync(pinDirectory)).toBe(false);
    other.close();
  });

  test("a next hop that cannot be found is an error, and nothing is attached", () => {
    const host = lamna.addHost();
    lamna.spaces.ip(host, "route", "del", "default");
    expect(refused(host, configText(["10.0.0.1"], { settings: "{}" }), "e0")).toMatch(/settings\.gatewayMac/);
    expect(existsSync(pinDirectory)).toBe(false);
    expect(attach(host, ONE, "e0").change).toBe("created");
  });

  test("two at a time: the second says who is at it", async () => {
    const host = lamna.addHost();
    attach(host, ONE, "e0");
    const holder = spawn("flock", ["--no-fork", pinDirectory, "sh", "-c", "echo locked; exec sleep 60"]);
    try {
      await once(holder.stdout, "data");
      expect(refused(host, ONE, "e0")).toMatch(
        new RegExp(`process ${holder.pid} \\(.*\\) is changing it\\n {2}try again`),
      );
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
    expect(attach(host, ONE, "e0").actions).toEqual([]);
  });

  test("without root, with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, in a directory of its own", () => {
    const host = lamna.addHost();
    mkdirSync(pinDirectory);
    chownSync(pinDirectory, NOBODY, NOBODY);
    // The last only to read the checkout, wherever it is.
    const capabilities = ["+bpf", "+net_admin", "+perfmon", "+dac_read_search"].join(",");
    const asNobody = (command: string, ...args: readonly string[]) =>
      lamna.spaces.try(
        host,
        ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
        ...["--inh-caps", "--ambient-caps", "--bounding-set"].map((set) => `${set}=-all,${capabilities}`),
        ...[process.execPath, main, command, ...args, "--pin-dir", pinDirectory],
      );
    const text = configText(["10.0.0.1"], { settings: "{}" });
    expect(asNobody("attach", "e0", "--config", lamna.config(text))).toMatchObject({ status: 0, stderr: "" });
    const changed = text.replace("settings: {}", "settings: {scope: all}").replace("10.0.0.1", "10.0.0.2");
    expect(asNobody("attach", "e0", "--config", lamna.config(changed))).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(asNobody("status").stdout).toMatch(/e0 +native +up/);
    expect(asNobody("detach")).toMatchObject({ status: 0, stdout: expect.stringMatching(/^detached e0/) });
    expect(seen(host, "e0")).toBeUndefined();
  });

  function readOptions(): ReadonlyMap<string, number | bigint | boolean> {
    const layout = new PinLayout(pinDirectory);
    const [object, values] = [layout.openObject(), layout.openMap("_rodata")];
    const spec = readObject(readStoredObject(object));
    const { options } = loadedRequest(spec, "balance", new Map([[".rodata", { descriptor: values }]]));
    object.close();
    values.close();
    return options;
  }

  function macOf(space: string, name: string): string {
    return lamna.spaces.inside(space, () => formatMac(readInterface(name).mac!));
  }
});

const NOBODY = 65534;
