/**
 * Network namespaces of a test's own, with veth pairs between them. They are removed when the test file is done, and, should its
 * process end before that, when it exits.
 *
 * Commands run by `nsenter --net`, not `ip netns exec`, which mounts another /sys, without the BPF file system's pins.
 */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { afterAll } from "vitest";
import { checked, libc } from "../../../dataplane/kernel/libc.ts";

/** include/uapi/linux/sched.h */
const CLONE_NEWNET = 0x40000000;

export class Namespaces {
  readonly #prefix: string;
  readonly #names = new Set<string>();
  #home: number | undefined;

  /** Call at the top of a test file. `label` tells it from other files. */
  constructor(label: string) {
    this.#prefix = `lamna-${label}-${process.pid}`;
    const remove = (): void => this.remove();
    process.once("exit", remove);
    afterAll(() => {
      this.remove();
      process.off("exit", remove);
    });
  }

  /** Makes a namespace with its loopback up, and, unless IPv6 is asked for, without the kernel's own IPv6 traffic. */
  add(name: string, { hasIpv6 = false }: { readonly hasIpv6?: boolean } = {}): void {
    run("ip", ["netns", "add", this.#full(name)]);
    this.#names.add(name);
    if (!hasIpv6) this.run(name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    this.ip(name, "link", "set", "lo", "up");
  }

  /** Both ends up. `options` go to `ip link add` of the first end, before "type": "numrxqueues", "2". */
  addVeth(
    [space, device]: readonly [string, string],
    [peerSpace, peer]: readonly [string, string],
    { options = [], peerOptions = [] }: { options?: readonly string[]; peerOptions?: readonly string[] } = {},
  ): void {
    const head = ["link", "add", "name", device, "netns", this.#full(space), ...options, "type", "veth"];
    run("ip", [...head, "peer", "name", peer, "netns", this.#full(peerSpace), ...peerOptions]);
    this.ip(space, "link", "set", device, "up");
    this.ip(peerSpace, "link", "set", peer, "up");
  }

  ip(name: string, ...args: readonly string[]): string {
    return run("ip", ["-n", this.#full(name), ...args]);
  }

  /** Several commands of `ip`, one a line; @name stands for the namespace of that name. */
  ipLines(name: string, commands: string): void {
    for (const line of commands.split("\n")) {
      const words = line.trim().split(/\s+/);
      if (words[0] === "") continue;
      this.ip(name, ...words.map((word) => (word.startsWith("@") ? this.#full(word.slice(1)) : word)));
    }
  }

  /** Runs a program inside, and throws when it fails. */
  run(name: string, ...command: readonly string[]): string {
    return run("nsenter", [`--net=${this.path(name)}`, ...command]);
  }

  /** As `run`, but also what fails is an answer. */
  try(name: string, ...command: readonly string[]): SpawnSyncReturns<string> {
    return spawnSync("nsenter", [`--net=${this.path(name)}`, ...command], { encoding: "utf8" });
  }

  /** The file that stands for the namespace. */
  path(name: string): string {
    return `/run/netns/${this.#full(name)}`;
  }

  /** Moves this thread into the namespace for the length of the call. */
  inside<T>(name: string, act: () => T): T {
    const home = openSync("/proc/self/ns/net", "r");
    const target = openSync(this.path(name), "r");
    try {
      checked(libc().setns(target, CLONE_NEWNET), `enter ${name}`);
      return act();
    } finally {
      checked(libc().setns(home, CLONE_NEWNET), "go home");
      closeSync(target);
      closeSync(home);
    }
  }

  /** Moves this thread into the namespace until remove(): sockets that are opened and programs that are run from now on are there. */
  enter(name: string): void {
    this.#home ??= openSync("/proc/thread-self/ns/net", "r");
    const target = openSync(this.path(name), "r");
    try {
      checked(libc().setns(target, CLONE_NEWNET), `enter ${name}`);
    } finally {
      closeSync(target);
    }
  }

  remove(): void {
    if (this.#home !== undefined) {
      checked(libc().setns(this.#home, CLONE_NEWNET), "go home");
      closeSync(this.#home);
      this.#home = undefined;
    }
    for (const name of this.#names) spawnSync("ip", ["netns", "del", this.#full(name)]);
    this.#names.clear();
  }

  #full(name: string): string {
    return `${this.#prefix}-${name}`;
  }
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
}
