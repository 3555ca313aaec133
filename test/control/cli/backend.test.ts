/**
 * `lamna backend` on a real interface: encapsulated packets come in by a veth, the host has the VIPs on its loopback and servers on them, and
 * answers go straight back.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { pin, removePins } from "../../../dataplane/kernel/pins.ts";
import { gue, inIpv4, inIpv6, ipInIp, VIP_IPV4, VIP_IPV6 } from "../../dataplane/decap/frames.ts";
import { PacketSocket } from "../../dataplane/decap/packet-socket.ts";
import { loadBare } from "../../dataplane/kernel/bare-program.ts";
import { Namespaces } from "../../dataplane/kernel/namespaces.ts";
import { bpffs, lacks, libbpf, namespaces as namespacesNeed } from "../../needs.ts";
import { ethernet, ipv4, ipv6, type Layer, pattern, tcp, udp } from "../../packets/frame.ts";
import { TCP_ACK, TCP_SYN } from "../../packets/tcp.ts";
import { buildCli, type CliRun } from "./built-cli.ts";

const BACKEND_MAC = "02:00:00:00:00:b0";
const WIRE_MAC = "02:00:00:00:00:aa";
const CLIENT_IPV4 = "192.0.2.7";
const CLIENT_IPV6 = "2001:db8::7";
const PORT = 7;
const BPFFS = "/sys/fs/bpf";
const PIN_NAME = `lamna-backend-test-${process.pid}`;
const PINS = `${BPFFS}/${PIN_NAME}`;

/** Echoes datagrams to the VIPs, and accepts connections. */
const SERVER = `
const dgram = require("node:dgram"), net = require("node:net");
let waiting = 3;
const ready = () => { if (--waiting === 0) console.log("ready"); };
for (const [type, address] of [["udp4", "${VIP_IPV4}"], ["udp6", "${VIP_IPV6}"]]) {
  const socket = dgram.createSocket(type);
  socket.on("message", (data, { port, address }) => socket.send(data, port, address));
  socket.bind(${PORT}, address, ready);
}
net.createServer().listen(${PORT}, "::", ready);
process.stdin.on("end", () => process.exit()).resume();
`;

const HOOKS = [
  { name: "native XDP", args: ["--hook", "xdp", "--mode", "native"], shown: { hook: "xdp", mode: "native" } },
  {
    name: "generic XDP",
    args: ["--hook", "xdp", "--mode", "generic"],
    shown: { hook: "xdp", mode: "generic" },
  },
  { name: "tc", args: ["--hook", "tc"], shown: { hook: "tc", mode: null } },
] as const;

describe.skipIf(lacks("decapsulation on an interface", namespacesNeed, libbpf, bpffs))(
  "lamna backend",
  () => {
    const main = buildCli();
    const namespaces = new Namespaces("backend");
    let wire: PacketSocket;
    let server: ChildProcess;

    beforeAll(async () => {
      namespaces.add("wire");
      namespaces.add("host");
      const mac = (address: string) => ["address", address] as const;
      namespaces.addVeth(["wire", "w0"], ["host", "b0"], {
        options: mac(WIRE_MAC),
        peerOptions: mac(BACKEND_MAC),
      });
      const settings = ["net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.b0.rp_filter=0"];
      for (const device of ["all", "lo", "b0"]) settings.push(`net.ipv6.conf.${device}.disable_ipv6=0`);
      namespaces.run("host", "sysctl", "-qw", ...settings, "net.ipv6.conf.b0.accept_dad=0");
      const ip = (text: string): string => namespaces.ip("host", ...text.split(" "));
      ip(`address add ${VIP_IPV4}/32 dev lo`);
      ip(`address add ${VIP_IPV6}/128 dev lo nodad`);
      ip("address add 10.0.0.1/24 dev b0");
      ip("address add fc00::1/64 dev b0 nodad");
      for (const gateway of ["10.0.0.254", "fc00::fe"]) {
        ip(`neigh add ${gateway} lladdr ${WIRE_MAC} dev b0 nud permanent`);
        ip(`route add default via ${gateway} dev b0`);
      }
      wire = namespaces.inside("wire", () => new PacketSocket("w0"));
      server = spawn("nsenter", [`--net=${namespaces.path("host")}`, process.execPath, "-e", SERVER], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      await once(server.stdout!, "data");
    });
    afterAll(async () => {
      wire?.close();
      if (server === undefined) return;
      server.stdin!.end();
      if (server.exitCode === null) await once(server, "exit");
    });
    afterEach(() => {
      if (existsSync(PINS)) lamna("backend", "detach", "--pin-dir", PINS);
      expect(existsSync(PINS)).toBe(false);
    });

    function lamna(...args: string[]): CliRun {
      const { status, stdout, stderr } = namespaces.try("host", process.execPath, main, ...args);
      return { status, stdout, stderr };
    }

    function attach(...args: string[]): CliRun {
      return lamna("backend", "attach", "b0", "--pin-dir", PINS, ...args);
    }

    function status(): {
      interfaces: unknown[];
      vips: { address: string; packets: number }[] | null;
      reasons: Record<string, number>;
    } {
      return JSON.parse(lamna("backend", "status", "--json", "--pin-dir", PINS).stdout) as never;
    }

    let lastPort = 20000;

    /** Whether a datagram that comes in this way is answered from the VIP. */
    async function isAnswered(
      family: 4 | 6,
      wrap: (packet: Uint8Array) => Uint8Array,
      options: Parameters<typeof ethernet>[0] = {},
    ): Promise<boolean> {
      const port = ++lastPort;
      const packet = fromClient(family, udp({ sourcePort: port, targetPort: PORT }, pattern(64)));
      wire.send(ethernet({ destination: BACKEND_MAC, source: WIRE_MAC, ...options }, wrap(packet)));
      const answer = await wire.waitFor((frame) => isAnswer(frame, family, 17, port));
      return answer !== undefined;
    }

    test.for(HOOKS)(
      "$name lets servers on VIPs answer, whatever is around packets",
      async ({ args, shown }) => {
        const attached = attach("--vip", VIP_IPV4, "--vip", VIP_IPV6, ...args);
        expect(attached).toMatchObject({ status: 0, stderr: "" });
        expect(status().interfaces).toEqual([{ name: "b0", ...shown, isRunning: true }]);
        // Priorities without a VLAN, which are for the interface itself.
        const tag = { protocol: 0x8100, control: 0x6000 };
        for (const family of [4, 6] as const) {
          for (const layer of [ipInIp, gue]) {
            for (const wrap of [inIpv4, inIpv6]) {
              const around = (packet: Uint8Array): Uint8Array => wrap(layer(packet));
              const what = `IPv${family} by ${layer.name} and ${wrap.name}`;
              for (const tags of [[], [tag], [tag, tag]]) {
                const isReached = await isAnswered(family, around, { tags });
                expect(isReached, `${what}, ${tags.length} tags`).toBe(true);
              }
            }
          }
        }
        const { vips, reasons } = status();
        expect(vips).toMatchObject([
          { address: VIP_IPV4, packets: 12 },
          { address: VIP_IPV6, packets: 12 },
        ]);
        const decapsulated = Object.entries(reasons).filter(([reason]) => reason.includes("_in_"));
        expect(decapsulated.map(([, packets]) => packets)).toEqual(new Array(8).fill(3));
      },
    );

    test.for(HOOKS)("$name hands TCP on", async ({ args }) => {
      attach("--vip", VIP_IPV4, ...args);
      const port = ++lastPort;
      const syn = fromClient(4, tcp({ sourcePort: port, targetPort: PORT, flags: TCP_SYN }));
      wire.send(ethernet({ destination: BACKEND_MAC, source: WIRE_MAC }, inIpv6(ipInIp(syn))));
      const answer = await wire.waitFor((frame) => isAnswer(frame, 4, 6, port));
      expect(answer?.[14 + 20 + 13]).toBe(TCP_SYN | TCP_ACK);
    });

    test("without it nothing is answered, and the packet stays as it is", async () => {
      attach("--vip", "203.0.113.99");
      const packet = fromClient(4, udp({ sourcePort: ++lastPort, targetPort: PORT }, pattern(64)));
      wire.send(ethernet({ destination: BACKEND_MAC, source: WIRE_MAC }, inIpv4(ipInIp(packet))));
      await expect.poll(() => status().reasons.not_vip).toBe(1);
      // To the host's own address, by IP in IP, for which nobody is there.
      const refused = await wire.waitFor(
        (frame) => frame[12] === 0x08 && frame[14 + 9] === 1 && frame[14 + 20] === 3,
      );
      expect(refused).toBeDefined();
    });

    /**
     * While datagrams keep coming. Two losses are the kernel's doing and kept out: a veth that begins or ends native XDP drops what waits in its
     * ring, and an interface that gets a clsact qdisc or loses it transmits nothing for a moment.
     */
    test.for([
      { name: "what native XDP accepts", start: ["--mode", "native"], change: [] },
      { name: "what tc accepts", start: ["--hook", "tc"], change: [] },
      { name: "XDP to tc", start: ["--hook", "xdp", "--mode", "generic"], change: ["--hook", "tc"] },
      { name: "tc to XDP", start: ["--hook", "tc"], change: ["--hook", "xdp", "--mode", "generic"] },
    ])("changes $name without a packet lost", async ({ start, change }) => {
      const base = ["--vip", VIP_IPV4];
      namespaces.run("host", "tc", "qdisc", "replace", "dev", "b0", "clsact");
      attach(...base, ...start);
      const traffic = new Traffic(wire);
      for (const args of [
        [...base, "--vip", VIP_IPV6],
        [...base, "--source", "172.16.0.0/16", ...change],
        ["--source", "172.16.0.0/16"],
        base,
      ]) {
        const command = [process.execPath, main, "backend", "attach", "b0", "--pin-dir", PINS, ...args];
        const attaching = spawn("nsenter", [`--net=${namespaces.path("host")}`, ...command], {
          stdio: "ignore",
        });
        const exit = once(attaching, "exit");
        while (attaching.exitCode === null) await traffic.send();
        expect(await exit, args.join(" ")).toEqual([0, null]);
      }
      expect(traffic.count).toBeGreaterThan(100);
      await expect.poll(() => traffic.unanswered()).toBe(0);
      expect(status().vips?.map(({ address }) => address)).toEqual([VIP_IPV4]);
      namespaces.run("host", "tc", "qdisc", "delete", "dev", "b0", "clsact");
    });

    test("tc leaves other filters and their qdisc alone", () => {
      const tc = (...args: string[]): string => namespaces.run("host", "tc", ...args);
      attach("--vip", VIP_IPV4, "--hook", "tc");
      expect(tc("qdisc", "show", "dev", "b0")).toContain("clsact");
      lamna("backend", "detach", "--pin-dir", PINS);
      expect(tc("qdisc", "show", "dev", "b0")).not.toContain("clsact");

      // Also when another hook has taken over meanwhile.
      attach("--vip", VIP_IPV4, "--hook", "tc");
      attach("--vip", VIP_IPV4, "--hook", "xdp");
      lamna("backend", "detach", "b0", "--pin-dir", PINS);
      expect(tc("qdisc", "show", "dev", "b0")).not.toContain("clsact");

      // It was ours, but somebody uses it now.
      attach("--vip", VIP_IPV4, "--hook", "tc");
      tc("filter", "add", "dev", "b0", "egress", "pref", "5", "bpf", "da", "pinned", `${PINS}/tc/program`);
      lamna("backend", "detach", "--pin-dir", PINS);
      expect(tc("filter", "show", "dev", "b0", "egress")).toContain("pref 5 bpf");
      expect(tc("filter", "show", "dev", "b0", "ingress")).toBe("");

      // It was there before.
      tc("filter", "delete", "dev", "b0", "egress");
      attach("--vip", VIP_IPV4, "--hook", "tc");
      lamna("backend", "detach", "--pin-dir", PINS);
      expect(tc("qdisc", "show", "dev", "b0")).toContain("clsact");
      tc("qdisc", "delete", "dev", "b0", "clsact");
    });

    test("auto takes tc where XDP is taken, and says why", () => {
      const other = `${PINS}-other`;
      lamna("backend", "attach", "b0", "--vip", VIP_IPV4, "--pin-dir", other);
      try {
        const attached = attach("--vip", VIP_IPV4, "--json");
        expect(JSON.parse(attached.stdout)).toMatchObject({
          interfaces: [{ name: "b0", hook: "tc", fallback: expect.stringContaining("decap_xdp") }],
        });
        const refused = attach("--vip", VIP_IPV4, "--hook", "xdp");
        expect(refused.status).toBe(2);
        expect(refused.stderr).toContain("decap_xdp");
        expect(status().interfaces).toMatchObject([{ hook: "tc", isRunning: true }]);
      } finally {
        lamna("backend", "detach", "--pin-dir", other);
      }
    });

    test.for([
      { name: "nothing to accept", args: ["b0"], says: "expected --vip, --config or --source" },
      { name: "an interface that is not there", args: ["b1", "--vip", VIP_IPV4], says: 'did you mean "b0"?' },
      { name: "no address", args: ["b0", "--vip", "example.org"], says: "expected an IPv4 address" },
      {
        name: "a mode of tc",
        args: ["b0", "--vip", VIP_IPV4, "--hook", "tc", "--mode", "native"],
        says: "--hook tc",
      },
      {
        name: "a directory elsewhere",
        args: ["b0", "--vip", VIP_IPV4, "--pin-dir", "/tmp"],
        says: "mount -t bpf",
      },
    ])("is refused, and leaves nothing: $name", ({ args, says }) => {
      const run = lamna("backend", "attach", "--pin-dir", PINS, ...args);
      expect(run).toMatchObject({ status: 2, stdout: "" });
      expect(run.stderr).toContain(says);
      expect(readdirSync(BPFFS).filter((name) => name.startsWith(PIN_NAME))).toEqual([]);
    });

    test("where nothing is attached, status is refused and detach has nothing to do", () => {
      const status = lamna("backend", "status", "--pin-dir", PINS);
      expect(status.status).toBe(2);
      expect(status.stderr).toContain("lamna backend attach");
      const detach = lamna("backend", "detach", "--json", "--pin-dir", PINS);
      expect(detach).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.parse(detach.stdout)).toEqual({ pinDirectory: PINS, detached: [], remaining: [] });
    });

    test("from another network namespace, where its filters cannot be taken off, it is left alone", async () => {
      expect(attach("--hook", "tc", "--vip", VIP_IPV4)).toMatchObject({ status: 0 });
      for (const command of [["detach"], ["detach", "b0"], ["attach", "w0", "--vip", VIP_IPV6]]) {
        const args = [main, "backend", ...command, "--pin-dir", PINS];
        const { status, stderr } = namespaces.try("wire", process.execPath, ...args);
        expect(stderr).toMatch(/tc filters on b0 of another network namespace\n.*nsenter/);
        expect(status).toBe(2);
      }
      expect(status().interfaces).toMatchObject([{ name: "b0", hook: "tc", isRunning: true }]);
      expect(status().vips).toMatchObject([{ address: VIP_IPV4 }]);
    });

    test("the balancer's commands leave a backend's directory alone, and the other way round", () => {
      attach("--vip", VIP_IPV4);
      for (const command of [["status"], ["detach"]]) {
        const run = lamna(...command, "--pin-dir", PINS);
        expect(run.status).toBe(2);
        expect(run.stderr).toMatch(/a backend's decapsulation is pinned there\n.*lamna backend/);
      }
      expect(status().interfaces).toMatchObject([{ name: "b0", isRunning: true }]);
      lamna("backend", "detach", "--pin-dir", PINS);

      mkdirSync(PINS);
      try {
        const balancer = loadBare("object");
        pin(balancer, `${PINS}/object`);
        balancer.close();
        for (const command of [["attach", "b0", "--vip", VIP_IPV4], ["status"], ["detach"]]) {
          const run = lamna("backend", ...command, "--pin-dir", PINS);
          expect(run.status).toBe(2);
          expect(run.stderr).toMatch(/a balancer is pinned there\n.*lamna detach/);
        }
        expect(readdirSync(PINS)).toEqual(["object"]);
      } finally {
        removePins(PINS);
      }
    });

    test("the interface may go away and come back", () => {
      namespaces.ip("host", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
      const onD0 = ["backend", "attach", "d0", "--vip", VIP_IPV4, "--pin-dir", PINS];
      for (const hook of ["xdp", "tc"]) {
        expect(lamna(...onD0, "--hook", hook).status).toBe(0);
        namespaces.ip("host", "link", "delete", "d0");
        expect(status().interfaces).toMatchObject([{ name: "d0", hook, isRunning: false }]);
        namespaces.ip("host", "link", "add", "d0", "type", "veth", "peer", "name", "d1");
        expect(lamna(...onD0, "--hook", hook)).toMatchObject({ status: 0, stderr: "" });
        expect(status().interfaces).toMatchObject([{ name: "d0", hook, isRunning: true }]);
      }
      expect(lamna("backend", "detach", "d0", "--pin-dir", PINS).status).toBe(0);
      namespaces.ip("host", "link", "delete", "d0");
    });
  },
);

/** Datagrams by IP in IP, one a millisecond, each told by the port it comes from. */
class Traffic {
  readonly #wire: PacketSocket;
  readonly #unanswered = new Set<number>();
  count = 0;

  constructor(wire: PacketSocket) {
    this.#wire = wire;
  }

  async send(): Promise<void> {
    const port = 30000 + (this.count++ % 30000);
    this.#unanswered.add(port);
    const packet = fromClient(4, udp({ sourcePort: port, targetPort: PORT }, pattern(8)));
    this.#wire.send(ethernet({ destination: BACKEND_MAC, source: WIRE_MAC }, inIpv4(ipInIp(packet))));
    this.unanswered();
    await sleep(1);
  }

  /** How many are, by now. */
  unanswered(): number {
    for (let frame = this.#wire.receive(); frame !== undefined; frame = this.#wire.receive()) {
      if (isFrom(frame, 4)) this.#unanswered.delete((frame[36]! << 8) | frame[37]!);
    }
    return this.#unanswered.size;
  }
}

function fromClient(family: 4 | 6, layer: Layer): Uint8Array {
  return family === 4
    ? ipv4({ source: CLIENT_IPV4, destination: VIP_IPV4 }, layer)
    : ipv6({ source: CLIENT_IPV6, destination: VIP_IPV6 }, layer);
}

/** From a VIP to the client's port. */
function isAnswer(frame: Uint8Array, family: 4 | 6, protocol: number, port: number): boolean {
  if (!isFrom(frame, family)) return false;
  const header = family === 4 ? 20 : 40;
  const isProtocol = frame[14 + (family === 4 ? 9 : 6)] === protocol;
  const at = 14 + header + 2;
  return isProtocol && ((frame[at]! << 8) | frame[at + 1]!) === port;
}

/** The host sends to the wire's MAC; our own frames have the host's. */
function isFrom(frame: Uint8Array, family: 4 | 6): boolean {
  return frame[5] === 0xaa && frame[12] === (family === 4 ? 0x08 : 0x86);
}
