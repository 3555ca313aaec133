/**
 * Network namespaces of a test's own, which are gone after it whatever happens. Interfaces are real veth pairs; nothing here touches the host's own
 * namespace.
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { checked, libc } from "../../../dataplane/kernel/libc.ts";

const CLONE_NEWNET = 0x40000000;

export class TestNetwork {
  readonly #prefix: string;
  readonly #made: string[] = [];
  #home: number | undefined;

  /** `name` tells tests of one process apart. */
  constructor(name: string) {
    this.#prefix = `lamna-${name}-${process.pid}`;
  }

  /** Makes a namespace, and returns its name. */
  namespace(suffix: string): string {
    const name = this.name(suffix);
    run("ip", ["netns", "add", name]);
    this.#made.push(name);
    run("ip", ["-n", name, "link", "set", "lo", "up"]);
    return name;
  }

  name(suffix: string): string {
    return `${this.#prefix}-${suffix}`;
  }

  /** Runs `ip` commands in a namespace, one a line. */
  ip(namespace: string, commands: string): void {
    for (const command of lines(commands)) run("ip", ["-n", namespace, ...command.split(/\s+/)]);
  }

  /** Output of a program in a namespace, whose mounts stay the host's. */
  run(namespace: string, program: string, ...args: readonly string[]): string {
    return run("nsenter", [`--net=/run/netns/${namespace}`, program, ...args]);
  }

  /** Moves this thread into a namespace until remove(): sockets that are opened and processes that are started from now on are there. */
  enter(namespace: string): void {
    this.#home ??= openSync("/proc/thread-self/ns/net", "r");
    const fd = openSync(`/run/netns/${namespace}`, "r");
    try {
      checked(libc().setns(fd, CLONE_NEWNET), `enter namespace ${namespace}`);
    } finally {
      closeSync(fd);
    }
  }

  remove(): void {
    if (this.#home !== undefined) {
      checked(libc().setns(this.#home, CLONE_NEWNET), "return to the first namespace");
      closeSync(this.#home);
      this.#home = undefined;
    }
    for (const name of this.#made.splice(0)) run("ip", ["netns", "del", name]);
  }
}

function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new Error(`${program} ${args.join(" ")}: ${stderr?.trim() ?? String(error)}`, { cause: error });
  }
}

function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
