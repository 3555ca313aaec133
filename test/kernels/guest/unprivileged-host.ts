/**
 * A host of a network on which `lamna` runs as a user who is nobody, with a few capabilities and no more. Has an interface "e0" whose peer
 * is in a namespace of its own, and a directory for pins that belongs to that user.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFile } from "../../../control/package-root.ts";
import { BPFFS } from "../../e2e/harness/leftovers.ts";
import { Namespace } from "../../e2e/harness/namespace.ts";
import { ownedName } from "../../e2e/harness/owned-name.ts";
import { Undo } from "../../e2e/harness/undo.ts";
import { connectVeth } from "../../e2e/harness/veth.ts";

/** Numbers of include/uapi/linux/capability.h, as setpriv takes them also where it is older than their names. */
const CAPABILITIES = { CAP_NET_ADMIN: "cap_12", CAP_PERFMON: "cap_38", CAP_BPF: "cap_39" } as const;

export type GrantedCapability = keyof typeof CAPABILITIES;

/** nobody, on Debian and elsewhere. */
const USER_ID = 65534;
const PEER_ADDRESS = "10.7.0.1";
const PEER_MAC = "02:00:00:00:07:01";

export interface UnprivilegedRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class UnprivilegedHost {
  readonly #undo = new Undo();
  readonly #host: Namespace;
  readonly #peer: Namespace;
  readonly #folder: string;
  readonly #pins: string;
  readonly #main: string;
  #configs = 0;

  constructor() {
    const name = ownedName();
    try {
      this.#folder = mkdtempSync(join(tmpdir(), `${name}-`));
      this.#undo.add(this.#folder, () => rmSync(this.#folder, { recursive: true }));
      chmodSync(this.#folder, 0o755);
      this.#main = copyProduct(join(this.#folder, "product"));
      this.#pins = join(BPFFS, name);
      mkdirSync(this.#pins);
      this.#undo.add(this.#pins, () => rmSync(this.#pins, { recursive: true, force: true }));
      chownSync(this.#pins, USER_ID, USER_ID);
      this.#host = new Namespace(`${name}-host`, { isRouter: false, undo: this.#undo });
      this.#peer = new Namespace(`${name}-peer`, { isRouter: false, undo: this.#undo });
      connectVeth(
        { namespace: this.#host, name: "e0", mac: "02:00:00:00:07:02", addresses: ["10.7.0.2/24"] },
        { namespace: this.#peer, name: "e0", mac: PEER_MAC, addresses: [`${PEER_ADDRESS}/24`] },
        { mtu: 1600 },
      );
      this.#host.ip(`route add default via ${PEER_ADDRESS}`);
    } catch (error) {
      this.#undo.run();
      throw error;
    }
  }

  /** Names in the directory of pins. */
  get pins(): string[] {
    return readdirSync(this.#pins);
  }

  /** Runs `lamna` to its end, in the host's namespace. */
  lamna(capabilities: readonly GrantedCapability[], ...args: readonly string[]): UnprivilegedRun {
    const set = ["-all", ...capabilities.map((name) => `+${CAPABILITIES[name]}`)].join(",");
    const command = [
      "setpriv",
      ...[`--reuid=${USER_ID}`, `--regid=${USER_ID}`, "--clear-groups", "--no-new-privs"],
      ...[`--inh-caps=${set}`, `--ambient-caps=${set}`, `--bounding-set=${set}`],
      ...[process.execPath, this.#main, ...args],
    ];
    const { NO_COLOR: _no, FORCE_COLOR: _force, LAMNA_DEBUG: _debug, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(
      "nsenter",
      [`--net=/run/netns/${this.#host.name}`, "--", ...command],
      { encoding: "utf8", env, cwd: "/" },
    );
    return { status, stdout, stderr };
  }

  /** As `lamna`, for commands that have pins. */
  lamnaWithPins(capabilities: readonly GrantedCapability[], ...args: readonly string[]): UnprivilegedRun {
    return this.lamna(capabilities, ...args, "--pin-dir", join(this.#pins, "instance"));
  }

  /** The path of a config with one VIP and one backend. */
  config({
    backend,
    echoReply = "vip",
  }: {
    readonly backend: string;
    readonly echoReply?: "vip" | "any";
  }): string {
    this.#configs += 1;
    const file = join(this.#folder, `config-${this.#configs}.yaml`);
    writeFileSync(
      file,
      `version: 1
capacity: {vips: 4, backends: 8, flowsPerCpu: 1024}
settings: {gatewayMac: "${PEER_MAC}", echoReply: ${echoReply}}
vips: [{name: web, address: 10.100.0.1, port: 80, protocol: udp, backends: [{address: ${backend}}]}]
`,
    );
    return file;
  }

  /** A file of a fixture, readable for everybody. */
  fixture(name: string, file: string): string {
    const target = join(this.#folder, name, file);
    cpSync(packageFile("pcap-fixtures", name, file), target);
    return target;
  }

  /** Sends datagrams to the VIP from the other end of the cable. */
  sendToVip(count: number): void {
    this.#peer.ip(
      "route replace 10.100.0.1/32 via 10.7.0.2",
      "neighbour replace 10.7.0.2 lladdr 02:00:00:00:07:02 dev e0",
    );
    const script = `
      const socket = require("node:dgram").createSocket("udp4");
      let left = ${count};
      const next = () => (left-- > 0 ? socket.send("x", 80, "10.100.0.1", next) : socket.close());
      next();`;
    // XDP sees no checksum that is still to be computed.
    this.#peer.run("ethtool", ["-K", "e0", "tx", "off"]);
    this.#peer.run(process.execPath, ["-e", script]);
  }

  /** Whether a program is on the interface. */
  get isAttached(): boolean {
    return /\bxdp/.test(this.#host.run("ip", ["link", "show", "e0"]));
  }

  close(): void {
    this.#undo.run();
  }
}

/** The product in a place that everybody can read, as a checkout may be in somebody's home; returns the command's file. */
function copyProduct(target: string): string {
  const dependencies = ["commander", "koffi", "@koromix", "yaml", "zod"].map(
    (name) => `node_modules/${name}`,
  );
  const parts = ["package.json", "dist", "dataplane/xdp", "dataplane/decap", "schemas", ...dependencies];
  for (const part of parts) {
    const source = packageFile(part);
    if (existsSync(source)) cpSync(source, join(target, part), { recursive: true, dereference: true });
  }
  return join(target, "dist/control/cli/main.js");
}
