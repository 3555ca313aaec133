/** `lamna status` of what is attached to veth pairs, with packets that went through. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { type StatusReport, statusReportSchema } from "../../../control/model/status-report.ts";
import { PinLayout } from "../../../dataplane/kernel/pin-layout.ts";
import { bpffs, lacks, libbpf as libbpfNeed, namespaces, root } from "../../needs.ts";
import { type JsonSchema, violations } from "../model/json-schema.ts";
import { buildCli, ROOT } from "./built-cli.ts";
import { configText, InstanceHarness } from "./instance-harness.ts";

const isSkipped = lacks("lamna status", root, libbpfNeed, bpffs, namespaces);
const main = isSkipped ? "" : buildCli();
const SCHEMA = JSON.parse(readFileSync(`${ROOT}/schemas/status-report.schema.json`, "utf8")) as JsonSchema;

describe.skipIf(isSkipped)("lamna status", () => {
  const lamna = new InstanceHarness("status", main);
  afterEach(() => lamna.clear());

  function status(host: string, ...args: readonly string[]): StatusReport {
    const report = lamna.json<StatusReport>(host, "status", ...args);
    expect(violations(SCHEMA, report)).toEqual([]);
    expect(statusReportSchema.parse(report)).toEqual(report);
    return report;
  }

  function attached(
    settings = '{gatewayMac: "02:00:00:00:00:01"}',
    linkOptions: readonly string[] = [],
  ): string {
    const host = lamna.addHost({ linkOptions });
    lamna.spaces.ip(`${host}g`, "route", "add", "10.200.1.0/24", "via", "10.9.0.1");
    const config = lamna.config(configText(["10.0.0.1", "10.0.0.2"], { settings }));
    lamna.json(host, "attach", "e0", "--config", config);
    return host;
  }

  /** One TCP connection attempt to the VIP by each of some source ports: one SYN each, and no answers. */
  function knock(host: string, count: number): void {
    const script = `
      import { connect } from "node:net";
      for (let port = 0; port < ${count}; port++) connect({ host: "10.200.1.1", port: 80, localPort: 20000 + port }).on("error", () => {});
      setTimeout(() => process.exit(), 200);
    `;
    lamna.spaces.run(`${host}g`, process.execPath, "--input-type=module", "-e", script);
  }

  function codes({ warnings }: StatusReport): string[] {
    return warnings.map(({ code }) => code);
  }

  test("where nothing is attached says so, and exits with 1", () => {
    const host = lamna.addHost();
    expect(lamna.run(host, "status")).toMatchObject({
      status: 1,
      stdout: expect.stringMatching(/^nothing is attached/),
    });
    expect(lamna.run(host, "status", "--json").status).toBe(1);
    expect(status(host)).toMatchObject({ program: null, interfaces: [], packets: 0, vips: [] });
  });

  test("packets, VIPs, flows and tables", () => {
    const host = attached();
    knock(host, 20);
    const report = status(host);
    expect(report.program).toMatchObject({ name: "balance", isShippedObject: true });
    expect(report.interfaces).toMatchObject([
      {
        name: "e0",
        state: "attached",
        mode: "native",
        gatewayMac: "02:00:00:00:00:01",
        mtu: 1500,
        isUp: true,
      },
    ]);
    expect(report.interfaces[0]?.programId).toBe(report.program?.id);
    expect(report.reasons.flow_new).toBe(20);
    expect(report.packets).toBe(report.packetsByCpu.reduce((sum, count) => sum + count, 0));
    expect(report.packets).toBe(Object.values(report.reasons).reduce((sum, count) => sum + count, 0));
    expect(report.verdicts.tx).toBe(20);
    expect(report.vips).toMatchObject([
      { name: null, address: "10.200.1.1", port: 80, protocol: "tcp", packets: 20 },
    ]);
    const [vip] = report.vips;
    expect(vip?.backends.map(({ address }) => address)).toEqual(["10.0.0.1", "10.0.0.2"]);
    expect(vip?.backends.reduce((sum, { ringShare }) => sum + ringShare, 0)).toBeCloseTo(1);
    expect(report.backends.reduce((sum, { packets }) => sum + packets, 0)).toBe(20);
    expect(report.flows.ipv4).toMatchObject({ used: 20, new: 20, established: 0 });
    expect(report.maps).toEqual({
      vips: { used: 1, capacity: 4 },
      rings: { used: 1, capacity: 4 },
      backends: { used: 2, capacity: 16 },
    });
    expect(report.rates).toBeNull();

    const { status: exitCode, stdout } = lamna.run(host, "status");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/e0 +native +up/);
    expect(stdout).toMatch(/flow_new +20 /);
  });

  test("a config gives names, and what is in only one of the two is told", () => {
    const host = attached();
    const text = configText(["10.0.0.1"]);
    const other = text.replace("name: web", "name: other").replace("port: 80", "port: 81");
    const report = status(host, "--config", lamna.config(text));
    expect(report.vips[0]?.name).toBe("web");
    expect(codes(report)).toEqual([]);
    const differing = status(host, "--config", lamna.config(other));
    expect(codes(differing)).toEqual(["config"]);
    expect(differing.warnings[0]?.message).toMatch(/:81 is in the config only, .*:80 is in the maps only/);
  });

  test("a next hop that changed, and a smaller MTU, are warned of until it is attached again", () => {
    const host = attached("{}");
    expect(codes(status(host))).toEqual([]);
    const { gatewayMac } = status(host).interfaces[0]!;
    lamna.spaces.ip(`${host}g`, "link", "set", "p-e0", "address", "02:00:00:00:00:99");
    lamna.spaces.ip(host, "neigh", "replace", "10.9.0.2", "lladdr", "02:00:00:00:00:99", "dev", "e0");
    lamna.spaces.ip(host, "link", "set", "e0", "mtu", "1400");
    const report = status(host);
    expect(codes(report)).toEqual(["mtu", "gateway-mac"]);
    expect(report.warnings[1]).toMatchObject({
      interface: "e0",
      message: expect.stringMatching(
        `02:00:00:00:00:99 by routes and neighbours, and ${gatewayMac} in the maps`,
      ),
    });
    lamna.json(host, "attach", "e0", "--config", lamna.config(configText(["10.0.0.1"], { settings: "{}" })));
    expect(status(host)).toMatchObject({ warnings: [], interfaces: [{ gatewayMac: "02:00:00:00:00:99" }] });

    lamna.spaces.ip(host, "route", "del", "default");
    expect(codes(status(host))).toEqual(["next-hop"]);
  });

  test("generic mode, an interface that is down, and one that is gone", () => {
    const host = attached(undefined, ["mtu", "9000"]);
    expect(codes(status(host))).toEqual(["generic-mode"]);
    lamna.spaces.ip(host, "link", "set", "e0", "down");
    expect(codes(status(host))).toEqual(["interface-down", "generic-mode"]);
    lamna.spaces.ip(host, "link", "del", "e0");
    const report = status(host);
    expect(codes(report)).toEqual(["link-detached"]);
    expect(report.interfaces).toMatchObject([{ name: "e0", state: "detached", ifindex: null, mode: null }]);
  });

  test("from another network namespace it is told that the interface cannot be seen", () => {
    attached();
    const elsewhere = lamna.addHost(); // where e0 has the same ifindex
    expect(status(elsewhere).warnings).toMatchObject([
      { code: "link-detached", message: expect.stringMatching(/not in this network namespace/) },
    ]);
  });

  test("an instance without interfaces", () => {
    const host = attached();
    new PinLayout(lamna.pinDirectory).removeLink("e0");
    expect(codes(status(host))).toEqual(["no-interfaces"]);
  });

  test("watching gives rates, an object a line", async () => {
    const host = attached();
    const child = spawn(
      "nsenter",
      [
        `--net=${lamna.spaces.path(host)}`,
        ...[process.execPath, main, "status", "--pin-dir", lamna.pinDirectory],
        ...["--watch", "--interval", "0.1", "--json"],
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      const reports: StatusReport[] = [];
      for await (const line of createInterface(child.stdout)) {
        reports.push(statusReportSchema.parse(JSON.parse(line)));
        if (reports.length === 1) knock(host, 20);
        if (reports.some(({ rates }) => (rates?.reasons.flow_new ?? 0) > 0)) break;
      }
      expect(reports[0]?.rates).toBeNull();
      expect(reports.at(-1)?.rates?.packets).toBeGreaterThan(0);
    } finally {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    }
  });
});
