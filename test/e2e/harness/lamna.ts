/** The `lamna` command, as users run it, in one host of a network, with pins of its own. */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StatusReport } from "../../../control/model/status-report.ts";
import type { EdgeConfig } from "./edge-config.ts";
import { BPFFS } from "./leftovers.ts";
import type { Namespace } from "./namespace.ts";
import { ownedName } from "./owned-name.ts";
import type { Undo } from "./undo.ts";

/** What users run: `npm run build` makes it of the sources. */
const CLI = join(import.meta.dirname, "../../../dist/control/cli/main.js");

export interface AttachOptions {
  readonly mode?: "native" | "generic" | "auto";
  readonly interfaces?: readonly string[];
}

export class Lamna {
  readonly pinDirectory: string;
  readonly #namespace: Namespace;
  readonly #folder: string;
  #configs = 0;

  constructor(namespace: Namespace, undo: Undo) {
    this.#namespace = namespace;
    const name = ownedName();
    this.pinDirectory = join(BPFFS, name);
    this.#folder = join(tmpdir(), name);
    mkdirSync(this.#folder);
    undo.add(this.#folder, () => rmSync(this.#folder, { recursive: true }));
    // Taking the pins away detaches, as nothing else holds the links.
    undo.add(this.pinDirectory, () => rmSync(this.pinDirectory, { recursive: true, force: true }));
  }

  attach(config: EdgeConfig, options: AttachOptions = {}): string {
    return this.run(...this.#attachArguments(config, options));
  }

  /** The same, not waited for: for what happens meanwhile. */
  startAttach(config: EdgeConfig, options: AttachOptions = {}): ChildProcess {
    return this.#start(...this.#attachArguments(config, options));
  }

  status(): StatusReport {
    return JSON.parse(this.run("status", "--json")) as StatusReport;
  }

  detach(...interfaces: readonly string[]): string {
    return this.run("detach", ...interfaces);
  }

  startDetach(): ChildProcess {
    return this.#start("detach");
  }

  /** A backend's side: takes packets to these VIPs out of their encapsulation. */
  attachBackend(vips: readonly string[], hook: "xdp" | "tc"): string {
    return this.run("backend", "attach", "e0", ...vips.flatMap((vip) => ["--vip", vip]), "--hook", hook);
  }

  /** Runs a command of `lamna` to its end; returns what it printed. */
  run(...args: readonly string[]): string {
    return this.#namespace.run(process.execPath, [CLI, ...args, "--pin-dir", this.pinDirectory]);
  }

  #start(...args: readonly string[]): ChildProcess {
    return this.#namespace.spawn(process.execPath, [CLI, ...args, "--pin-dir", this.pinDirectory], {
      stdio: "ignore",
    });
  }

  #attachArguments(config: EdgeConfig, { mode = "native", interfaces = ["e0"] }: AttachOptions): string[] {
    this.#configs += 1;
    const file = join(this.#folder, `config-${this.#configs}.yaml`);
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config, null, 1));
    return ["attach", ...interfaces, "--config", file, "--mode", mode];
  }
}
