/**
 * The network of the end-to-end tests: what stands around a balancer at an edge. Addresses are fixed, since each test's is its own.
 *
 *     client ── [hop] ── router ── balancer   e0, and e1 if asked for
 *                          ├───── backend 1
 *                          └───── backend 2 ...
 *
 * The router sends what is for a VIP to the balancer, which sends it back, encapsulated, for the router to carry to a backend. Answers go
 * from the backend through the router to the client (direct server return). A hop, if asked for, joins the router by a link of small MTU.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Client } from "./client.ts";
import { run } from "./command.ts";
import { sweep } from "./leftovers.ts";
import { Namespace } from "./namespace.ts";
import { ownedName } from "./owned-name.ts";
import { Server } from "./server.ts";
import { Undo } from "./undo.ts";
import { connectVeth } from "./veth.ts";

const PASS_OBJECT = join(import.meta.dirname, "../objects/pass.bpf.o");

export const CLIENT = { ipv4: "10.1.0.2", ipv6: "fd00:1::2" } as const;
/** The VIPs are routed to the balancer's e0; the second pair to its e1, if there is one. */
export const VIP4 = "10.100.0.1";
export const VIP6 = "fd64::1";
export const SECOND_VIP4 = "10.100.0.2";
export const SECOND_VIP6 = "fd64::2";
/** What the servers listen on: all ports of a kind serve the same. */
export const HTTP_PORTS = [8080, 8081] as const;
export const TCP_ECHO_PORTS = [7000, 7001] as const;
export const UDP_ECHO_PORTS = [7000, 7001] as const;

/** Of the links that carry encapsulated packets: room for an IPv6 header around 1500 bytes. */
export const FABRIC_MTU = 1600;
export const CLIENT_MTU = 1500;

export interface EdgeOptions {
  readonly backends: number;
  /** Of the links between router, balancer and backends. */
  readonly fabricMtu?: number;
  /** RX and TX queues of the balancer's interfaces. */
  readonly queues?: number;
  readonly hasSecondInterface?: boolean;
  /** With it there is a hop, and this is the MTU between it and the router. */
  readonly hopMtu?: number;
}

export interface EdgeBackend {
  readonly name: string;
  readonly ipv4: string;
  readonly ipv6: string;
  readonly namespace: Namespace;
  readonly server: Server;
}

export class EdgeNetwork {
  readonly name: string = ownedName();
  readonly undo: Undo = new Undo();
  readonly router: Namespace;
  readonly balancer: Namespace;
  readonly clientHost: Namespace;
  readonly #cpus: readonly number[];
  #client: Client | undefined;
  #backends: EdgeBackend[] = [];

  /** Builds the network, and starts client and servers. What fails on the way is removed again. */
  static async create(options: EdgeOptions): Promise<EdgeNetwork> {
    sweep();
    const network = new EdgeNetwork(options);
    try {
      network.#connectClient(options);
      network.#connectBalancer(options);
      network.router.spreadFlows(options.hopMtu === undefined ? "client0" : "hop0", network.#cpus);
      for (let index = 0; index < options.backends; index++)
        network.#backends.push(await network.#addBackend(index, options));
      network.#client = await Client.start(network.clientHost);
      return network;
    } catch (error) {
      network.close();
      throw error;
    }
  }

  /**
   * A veth interface is served by the CPU that sends to it, and a balancer with one queue must not hop between CPUs, whose flows are their
   * own. So with one queue all processes run on one CPU, and with several queues packets take queue and CPU by their flow's hash.
   */
  private constructor({ queues = 1 }: EdgeOptions) {
    const cpuCount = availableParallelism();
    // Test files that run at the same time take different ones.
    const own = Number(process.env.VITEST_POOL_ID ?? 0) % cpuCount;
    this.#cpus = queues > 1 ? Array.from({ length: cpuCount }, (_, cpu) => cpu) : [own];
    this.router = this.#host("router", true);
    this.balancer = this.#host("balancer");
    this.clientHost = this.#host("client");
  }

  get client(): Client {
    if (this.#client === undefined) throw new Error("the network is not built yet");
    return this.#client;
  }

  get backends(): readonly EdgeBackend[] {
    return this.#backends;
  }

  backend(index: number): EdgeBackend {
    const backend = this.#backends[index];
    if (backend === undefined) throw new Error(`no backend ${index}: there are ${this.#backends.length}`);
    return backend;
  }

  /** Removes all of it. */
  close(): void {
    this.undo.run();
  }

  #host(role: string, isRouter = false): Namespace {
    const cpu = this.#cpus.length === 1 ? this.#cpus[0] : undefined;
    return new Namespace(`${this.name}-${role}`, { isRouter, cpu, undo: this.undo });
  }

  #connectClient({ hopMtu }: EdgeOptions): void {
    const client = end(this.clientHost, "e0", "01:02", [`${CLIENT.ipv4}/24`, `${CLIENT.ipv6}/64`]);
    const gateway = (namespace: Namespace) =>
      end(namespace, "client0", "01:01", ["10.1.0.1/24", "fd00:1::1/64"]);
    if (hopMtu === undefined) {
      connectVeth(client, gateway(this.router), { mtu: CLIENT_MTU });
    } else {
      const hop = this.#host("hop", true);
      connectVeth(client, gateway(hop), { mtu: CLIENT_MTU });
      connectVeth(
        end(hop, "router0", "04:02", ["10.4.0.2/24", "fd00:4::2/64"]),
        end(this.router, "hop0", "04:01", ["10.4.0.1/24", "fd00:4::1/64"]),
        { mtu: hopMtu },
      );
      hop.ip("route add default via 10.4.0.1", "route add ::/0 via fd00:4::1");
      this.router.ip("route add 10.1.0.0/24 via 10.4.0.2", "route add fd00:1::/64 via fd00:4::2");
    }
    this.clientHost.ip("route add default via 10.1.0.1", "route add ::/0 via fd00:1::1");
    // XDP_TX and redirects lose the mark that a checksum is still to be computed, as only a veth leaves it: a NIC has computed it.
    this.clientHost.run("ethtool", ["-K", "e0", "tx", "off"]);
  }

  #connectBalancer({ fabricMtu = FABRIC_MTU, queues = 1, hasSecondInterface = false }: EdgeOptions): void {
    for (const index of hasSecondInterface ? [0, 1] : [0]) {
      const network = 2 + index;
      connectVeth(
        end(this.balancer, `e${index}`, `0${network}:02`, [`10.${network}.0.2/24`, `fd00:${network}::2/64`]),
        end(this.router, `balancer${index}`, `0${network}:01`, [
          `10.${network}.0.1/24`,
          `fd00:${network}::1/64`,
        ]),
        { mtu: fabricMtu, queues },
      );
      const metric = 100 + index;
      this.balancer.ip(
        `route add default via 10.${network}.0.1 dev e${index} metric ${metric}`,
        `route add ::/0 via fd00:${network}::1 dev e${index} metric ${metric}`,
      );
      run("ip", [
        "-n",
        this.router.name,
        "link",
        "set",
        "dev",
        `balancer${index}`,
        "xdpdrv",
        "obj",
        PASS_OBJECT,
        "sec",
        "xdp",
      ]);
    }
    this.routeVip(VIP4, 0);
    this.routeVip(VIP6, 0);
    this.routeVip(SECOND_VIP4, hasSecondInterface ? 1 : 0);
    this.routeVip(SECOND_VIP6, hasSecondInterface ? 1 : 0);
  }

  /** Lets the router send what is for a VIP to one of the balancer's interfaces. */
  routeVip(vip: string, interfaceIndex: number): void {
    const network = 2 + interfaceIndex;
    this.router.ip(
      vip.includes(":")
        ? `route replace ${vip}/128 via fd00:${network}::2`
        : `route replace ${vip}/32 via 10.${network}.0.2`,
    );
  }

  async #addBackend(index: number, { fabricMtu = FABRIC_MTU }: EdgeOptions): Promise<EdgeBackend> {
    const name = `backend${index}`;
    const network = 10 + index;
    const namespace = this.#host(name);
    const ipv4 = `10.${network}.0.2`;
    const ipv6 = `fd00:${network}::2`;
    connectVeth(
      end(namespace, "e0", `${network}:02`, [`${ipv4}/24`, `${ipv6}/64`]),
      end(this.router, name, `${network}:01`, [`10.${network}.0.1/24`, `fd00:${network}::1/64`]),
      { mtu: fabricMtu },
    );
    const vips = [VIP4, VIP6, SECOND_VIP4, SECOND_VIP6];
    namespace.ip(
      // What is behind the router is not as large as the fabric.
      `route add default via 10.${network}.0.1 mtu ${CLIENT_MTU}`,
      `route add ::/0 via fd00:${network}::1 mtu ${CLIENT_MTU}`,
      ...vips.map((vip) =>
        vip.includes(":") ? `address add ${vip}/128 dev lo nodad` : `address add ${vip}/32 dev lo`,
      ),
    );
    const server = await Server.start(namespace, {
      name,
      httpPorts: HTTP_PORTS,
      tcpEchoPorts: TCP_ECHO_PORTS,
      udpEchoPorts: UDP_ECHO_PORTS,
      udpAddresses: [ipv4, ipv6, ...vips],
    });
    return { name, ipv4, ipv6, namespace, server };
  }
}

function end(namespace: Namespace, name: string, mac: string, addresses: readonly string[]) {
  return { namespace, name, mac: `02:00:00:00:${mac}`, addresses };
}
