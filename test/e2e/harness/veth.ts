/** A cable between two namespaces: a veth pair, both ends up and with addresses. */
import { run } from "./command.ts";
import type { Namespace } from "./namespace.ts";

export interface VethEnd {
  readonly namespace: Namespace;
  readonly name: string;
  readonly mac: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
}

export interface VethOptions {
  readonly mtu: number;
  /** RX and TX queues of both ends. A native program needs as many RX queues as the peer has TX queues. */
  readonly queues?: number;
}

const HOUR_MS = 3_600_000;

export function connectVeth(left: VethEnd, right: VethEnd, { mtu, queues = 1 }: VethOptions): void {
  const end = ({ namespace, name, mac }: VethEnd): string[] => [
    ...["name", name, "netns", namespace.name, "address", mac, "mtu", `${mtu}`],
    ...["numtxqueues", `${queues}`, "numrxqueues", `${queues}`],
  ];
  run("ip", ["link", "add", ...end(left), "type", "veth", "peer", ...end(right)]);
  for (const { namespace, name, addresses } of [left, right]) {
    // Whom it has found it does not ask after again: a timer would do that, on whichever CPU.
    namespace.sysctl({
      [`net/ipv4/neigh/${name}/base_reachable_time_ms`]: HOUR_MS,
      [`net/ipv6/neigh/${name}/base_reachable_time_ms`]: HOUR_MS,
    });
    namespace.ip(
      ...addresses.map(
        (address) => `address add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`,
      ),
      `link set ${name} up`,
    );
  }
}
