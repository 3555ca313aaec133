/** `lamna attach` and `lamna detach` on veth pairs, as an operator uses them. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { AttachReport } from "../../../control/cli/attach-report.ts";
import type { DetachReport } from "../../../control/cli/detach.ts";
import { type InterfaceInfo, readInterface } from "../../../dataplane/kernel/links.ts";
import { kernelBpf, lacks } from "../../needs.ts";
import { buildCli } from "./built-cli.ts";
import { configText, InstanceHarness } from "./instance-harness.ts";

const isSkipped = lacks("lamna attach", kernelBpf);
const main = isSkipped ? "" : buildCli();

describe.skipIf(isSkipped)("lamna attach", () => {
  const lamna = new InstanceHarness("attach", main);
  const { pinDirectory } = lamna;
  afterEach(() => lamna.clear());

  function seen(host: string, name: string): InterfaceInfo["xdp"] {
    return lamna.spaces.inside(host, () => readInterface(name).xdp);
  }

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
});
