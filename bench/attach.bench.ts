/** From the start of `lamna attach` to the first packet that is forwarded, as whoever types it sees it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFile } from "../control/package-root.ts";
import { requireKernel } from "./kernel-balancer.ts";
import type { Suite } from "./suite.ts";
import { VethLine } from "./veth-line.ts";
import { FRAME_BYTES } from "./veth-programs.ts";
import { BALANCER_CONFIG, IPV4_FRAME } from "./veth-traffic.ts";

const OUTER_HEADER_BYTES = 20;

export function attachSuite(): Suite {
  requireKernel();
  const scratch = mkdtempSync(join(tmpdir(), "lamna-bench-"));
  const config = join(scratch, "config.yaml");
  writeFileSync(config, BALANCER_CONFIG);
  const pins = `/sys/fs/bpf/lamna-bench-${process.pid}`;
  const line = new VethLine();
  line.configure({ frame: IPV4_FRAME, flows: 1 });
  const lamna = (...args: readonly string[]): string =>
    line.run(process.execPath, [
      packageFile("dist", "control", "cli", "main.js"),
      ...args,
      "--pin-dir",
      pins,
    ]);
  const forward = (): void => line.send(1, FRAME_BYTES + OUTER_HEADER_BYTES);
  return {
    name: "attach a veth interface",
    goal: "goal: forwarding within 1 s",
    tasks: [
      {
        name: "lamna attach, to the first packet forwarded",
        run: () => {
          lamna("attach", "far", "--config", config, "--mode", "native");
          forward();
        },
        afterEach: () => {
          lamna("detach");
        },
      },
      {
        name: "lamna attach again, with nothing to change",
        beforeTurn: () => {
          lamna("attach", "far", "--config", config, "--mode", "native");
        },
        run: () => {
          lamna("attach", "far", "--config", config);
          forward();
        },
        afterTurn: () => {
          lamna("detach");
        },
      },
    ],
    close: () => {
      lamna("detach");
      line.close();
      rmSync(scratch, { recursive: true });
    },
  };
}
