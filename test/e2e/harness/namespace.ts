/** A network namespace of a test: a host of the network that the test builds. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { run } from "./command.ts";
import { NAMESPACES } from "./leftovers.ts";
import type { Undo } from "./undo.ts";

/** Settings of every host. Packets come in where the way back does not lead, which rp_filter and DAD would mind. */
const SYSCTLS = {
  "net/ipv4/conf/all/rp_filter": 0,
  "net/ipv4/conf/default/rp_filter": 0,
  "net/ipv6/conf/all/accept_dad": 0,
  "net/ipv6/conf/default/accept_dad": 0,
  "net/ipv6/conf/default/router_solicitations": 0,
} as const;

/**
 * A connection keeps its hash also when it sends again, as the port numbers do that a NIC's RSS goes by. Before Linux 5.18 there is no such
 * setting; only tests with several queues miss it.
 */
const TXREHASH = "net/core/txrehash";

const FORWARDING = { "net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1 } as const;

export interface NamespaceOptions {
  readonly isRouter: boolean;
  /** Where its processes run; undefined: wherever the kernel likes. */
  readonly cpu?: number | undefined;
  readonly undo: Undo;
}

export class Namespace {
  readonly name: string;
  readonly #cpu: number | undefined;
  readonly #undo: Undo;

  constructor(name: string, { isRouter, cpu, undo }: NamespaceOptions) {
    this.name = name;
    this.#cpu = cpu;
    this.#undo = undo;
    run("ip", ["netns", "add", name]);
    undo.add(`namespace ${name}`, () => run("ip", ["netns", "delete", name]));
    const hasTxRehash = this.run("sh", ["-c", `[ ! -e /proc/sys/${TXREHASH} ] || echo yes`]) !== "";
    this.sysctl({ ...SYSCTLS, ...(hasTxRehash ? { [TXREHASH]: 0 } : {}), ...(isRouter ? FORWARDING : {}) });
    this.ip("link set lo up");
  }

  /** Lines of `ip`, without the word: "link set e0 up". */
  ip(...lines: readonly string[]): void {
    run("ip", ["-n", this.name, "-batch", "-"], `${lines.join("\n")}\n`);
  }

  /** Values by path below /proc/sys. */
  sysctl(values: Readonly<Record<string, number>>): void {
    const lines = Object.entries(values).map(([path, value]) => `echo ${value} > /proc/sys/${path}`);
    this.run("sh", ["-e", "-c", lines.join("\n")]);
  }

  /** Runs a command in here to its end; returns what it printed. */
  run(command: string, args: readonly string[]): string {
    return run("nsenter", this.#enter(command, args));
  }

  /** Starts a process in here, which is killed at the end at the latest. */
  spawn(command: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn("nsenter", this.#enter(command, args), options);
    const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
    this.#undo.add(`${command} in ${this.name}`, () => {
      if (isRunning()) child.kill("SIGKILL");
    });
    return child;
  }

  /** Bytes and frames that an interface has received and sent. */
  statistics(interfaceName: string): { readonly rxBytes: number; readonly txBytes: number } {
    const [link] = JSON.parse(run("ip", ["-n", this.name, "-s", "-j", "link", "show", interfaceName])) as [
      { stats64: { rx: { bytes: number }; tx: { bytes: number } } },
    ];
    return { rxBytes: link.stats64.rx.bytes, txBytes: link.stats64.tx.bytes };
  }

  hasXdpProgram(interfaceName: string): boolean {
    const [link] = JSON.parse(run("ip", ["-n", this.name, "-j", "link", "show", interfaceName])) as [
      { xdp?: object },
    ];
    return link.xdp !== undefined;
  }

  /** Packets that the program on a veth interface has seen, by RX queue. */
  xdpPacketsByQueue(interfaceName: string): number[] {
    const statistics = this.run("ethtool", ["-S", interfaceName]);
    return [...statistics.matchAll(/rx_queue_\d+_xdp_packets: (\d+)/g)].map(([, count]) => Number(count));
  }

  /** What the host has learned of the way to an address: its MTU; undefined when nothing. */
  pathMtu(address: string): number | undefined {
    const [route] = JSON.parse(run("ip", ["-n", this.name, "-j", "route", "get", address])) as [
      { metrics?: { mtu?: number }[] },
    ];
    return route.metrics?.find(({ mtu }) => mtu !== undefined)?.mtu;
  }

  /** Forgets what it has learned of ways. */
  forgetPaths(): void {
    for (const family of ["-4", "-6"]) run("ip", ["-n", this.name, family, "route", "flush", "cache"]);
  }

  /**
   * Lets packets that come in by an interface be processed by these CPUs, always the same for a flow, as RSS would on a NIC: otherwise
   * it is whichever CPU the sender happens to run on.
   */
  spreadFlows(interfaceName: string, cpus: readonly number[]): void {
    const mask = cpus.reduce((bits, cpu) => bits | (1n << BigInt(cpu)), 0n).toString(16);
    // Only `ip netns exec` shows the namespace's own interfaces in /sys.
    const file = `/sys/class/net/${interfaceName}/queues/rx-0/rps_cpus`;
    run("ip", ["netns", "exec", this.name, "sh", "-c", `echo ${mask} > ${file}`]);
  }

  /** nsenter keeps the mounts, so that pins in /sys/fs/bpf stay in sight; `ip netns exec` mounts another /sys. By exec it becomes the command. */
  #enter(command: string, args: readonly string[]): string[] {
    const pin = this.#cpu === undefined ? [] : ["taskset", "--cpu-list", `${this.#cpu}`];
    return [`--net=${NAMESPACES}/${this.name}`, "--", ...pin, command, ...args];
  }
}
