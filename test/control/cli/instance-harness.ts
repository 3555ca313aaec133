/**
 * The commands that attach, as child processes in network namespaces of a test's own. `nsenter --net` leaves the BPF file system's pins in
 * sight.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { PinLayout } from "../../../dataplane/kernel/pin-layout.ts";
import { removePins } from "../../../dataplane/kernel/pins.ts";
import { Namespaces } from "../../dataplane/kernel/namespaces.ts";
import type { CliRun } from "./built-cli.ts";

export class InstanceHarness {
  readonly spaces: Namespaces;
  /** Of pins; its name is its own in every process. */
  readonly pinDirectory: string;
  readonly #main: string;
  readonly #folder: string;
  #count = 0;

  /** Call at the top of a test file. Whatever is attached or pinned in the end is taken off again. */
  constructor(label: string, main: string) {
    this.#main = main;
    this.pinDirectory = `/sys/fs/bpf/lamna-test-${label}-${process.pid}`;
    this.#folder = mkdtempSync(join(tmpdir(), `lamna-${label}-`));
    this.spaces = new Namespaces(label);
    const clear = (): void => this.clear();
    process.once("exit", clear);
    afterAll(() => {
      this.clear();
      rmSync(this.#folder, { recursive: true, force: true });
      process.off("exit", clear);
    });
  }

  clear(): void {
    new PinLayout(this.pinDirectory).remove();
    removePins(this.pinDirectory);
  }

  /** A namespace with a veth "e0", 10.9.0.1, whose peer 10.9.0.2 in another is the default gateway. */
  addHost(options: { readonly linkOptions?: readonly string[] } = {}): string {
    const host = `h${this.#count++}`;
    this.spaces.add(host);
    this.spaces.add(`${host}g`);
    this.addInterface(host, "e0", { subnet: 9, ...options });
    this.spaces.ip(host, "route", "add", "default", "via", "10.9.0.2");
    return host;
  }

  addInterface(
    host: string,
    name: string,
    { subnet, linkOptions = [] }: { readonly subnet: number; readonly linkOptions?: readonly string[] },
  ): void {
    const peer = `p-${name}`.slice(0, 15);
    this.spaces.addVeth([host, name], [`${host}g`, peer], { options: linkOptions, peerOptions: linkOptions });
    this.spaces.ip(host, "addr", "add", `10.${subnet}.0.1/24`, "dev", name);
    this.spaces.ip(`${host}g`, "addr", "add", `10.${subnet}.0.2/24`, "dev", peer);
  }

  /** The file's path. */
  config(text: string): string {
    const file = join(this.#folder, `${this.#count++}.yaml`);
    writeFileSync(file, text);
    return file;
  }

  /** Runs `lamna`, with --pin-dir, to its end. */
  run(host: string, command: string, ...args: readonly string[]): CliRun {
    return this.runVersion(this.#main, host, command, ...args);
  }

  /** As `run`, another version of it: `main` is that one's main.js. */
  runVersion(main: string, host: string, command: string, ...args: readonly string[]): CliRun {
    const { status, stdout, stderr } = spawnSync("nsenter", this.#command(main, host, command, args), {
      encoding: "utf8",
      timeout: 60_000,
      env: plainEnvironment(),
    });
    return { status, stdout, stderr };
  }

  /** Starts `lamna` and kills it after a while, unless it is done by then. Whether it was killed. */
  async runAndKill(
    host: string,
    delayMs: number,
    command: string,
    ...args: readonly string[]
  ): Promise<boolean> {
    const child = spawn("nsenter", this.#command(this.#main, host, command, args), {
      stdio: "ignore",
      env: plainEnvironment(),
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), delayMs);
    const [, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    clearTimeout(timer);
    return signal === "SIGKILL";
  }

  /** As `run`, and what it prints with --json. Throws when it fails. */
  json<T>(host: string, command: string, ...args: readonly string[]): T {
    const { status, stdout, stderr } = this.run(host, command, ...args, "--json");
    if (status !== 0 && status !== 1) throw new Error(`lamna ${command}: ${stderr}${stdout}`);
    return JSON.parse(stdout) as T;
  }

  /** nsenter becomes node, so that what is killed is lamna. */
  #command(main: string, host: string, command: string, args: readonly string[]): string[] {
    const cli = [process.execPath, main, command, ...args, "--pin-dir", this.pinDirectory];
    return [`--net=${this.spaces.path(host)}`, ...cli];
  }
}

/** Nothing of our own environment decides about colours. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NO_COLOR: _no, FORCE_COLOR: _force, LAMNA_DEBUG: _debug, ...inherited } = process.env;
  return inherited;
}

export const CAPACITY = "capacity: {vips: 4, backends: 16, flowsPerCpu: 1024}\n";

/** A config with one VIP, 10.200.1.1:80, and these backends. */
export function configText(
  backends: readonly string[],
  {
    settings = '{gatewayMac: "02:00:00:00:00:01"}',
    capacity = CAPACITY,
  }: { readonly settings?: string; readonly capacity?: string } = {},
): string {
  const list = backends.map((address) => `{address: ${address}}`).join(", ");
  return `version: 1\n${capacity}settings: ${settings}\nvips:\n  - {name: web, address: 10.200.1.1, port: 80, protocol: tcp, backends: [${list}]}\n`;
}
