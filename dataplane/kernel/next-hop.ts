/**
 * The MAC that frames forwarded by an interface go to, out of the kernel's routes and neighbour table. next-hop-choice.ts decides; here the kernel is
 * asked, and waited for where a neighbour has yet to answer.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import { type InterfaceInfo, listInterfaces, readInterface } from "./links.ts";
import { type NeighbourState, readNeighbour, solicitNeighbour } from "./neighbours.ts";
import { NetlinkSocket, withNetlink } from "./netlink.ts";
import {
  chooseHop,
  egressCandidates,
  findHops,
  type Hop,
  type HopSearch,
  hopsOf,
  type ResolvedHop,
  tooManyHops,
} from "./next-hop-choice.ts";
import { findDefaultRoute, lookupRoute } from "./routes.ts";

export interface NextHop {
  /** Of the interface that was asked for, which frames come in by and go out of. */
  readonly ifindex: number;
  /** Six bytes, in the order of the wire. */
  readonly mac: Uint8Array;
  /** Of the neighbour: 4 or 16 bytes. */
  readonly address: IpBytes;
  readonly via: "route" | "default-route";
  /** The interface that the route names: the same, or a bond, bridge or VLAN on top of it. */
  readonly egress: string;
  readonly state: NeighbourState;
  /** Largest IP packet that fits: of interfaces and routes the least, in bytes. */
  readonly mtu: number;
  /** What the operator should know though it works: whole clauses. */
  readonly warnings: readonly string[];
}

export interface NextHopOptions {
  /** How long a neighbour may take to answer. The kernel gives up after three seconds by default. */
  readonly waitMs?: number;
  /** Whether to have the kernel ask for what it does not know, which needs CAP_NET_ADMIN; otherwise what it knows is all. */
  readonly canSolicit?: boolean;
  /** Whether to have the kernel ask again for what it knows but has not used for a while. Not waited for: what it knows counts until it knows better. */
  readonly isConfirmed?: boolean;
}

const WAIT_MS = 3_500;
const POLL_MS = 10;
/** So many neighbours are asked for; more on-link backends than that certainly have different MACs. */
const HOPS_MAX = 64;
const HAS_MAC: ReadonlySet<NeighbourState> = new Set([
  "reachable",
  "stale",
  "delay",
  "probe",
  "noarp",
  "permanent",
]);

/**
 * Throws KernelError with what to do: "no-interface"; "not-found" where no route leads to the destinations through the interface, where no neighbour answers,
 * and where different destinations would need different MACs; "no-privilege" where the kernel would have to be made to ask.
 *
 * `destinations`: the backends' addresses, of either family; none: the default route counts, IPv4's first.
 */
export async function resolveNextHop(
  interfaceName: string,
  destinations: readonly IpBytes[],
  { waitMs = WAIT_MS, canSolicit = true, isConfirmed = false }: NextHopOptions = {},
): Promise<NextHop> {
  const attached = usableInterface(interfaceName);
  const search = await searchHops(attached, destinations);
  if (search.hops.length > HOPS_MAX) throw tooManyHops(attached, search.hops);

  const resolved = await resolveHops(attached, search.hops, { waitMs, canSolicit, isConfirmed });
  const { chosen, warnings } = chooseHop(attached, resolved);
  return {
    ifindex: attached.ifindex,
    mac: chosen.mac,
    address: chosen.hop.address,
    via: chosen.hop.isDefault ? "default-route" : "route",
    egress: chosen.hop.egress.name,
    state: chosen.state,
    mtu: Math.min(...search.hops.map(({ mtu }) => mtu)),
    warnings: [...search.warnings, ...warnings],
  };
}

function usableInterface(name: string): InterfaceInfo {
  const attached = readInterface(name);
  const operation = `next hop of "${name}"`;
  if (attached.mac === undefined || attached.isLoopback) {
    throw new KernelError("not-found", operation, "the interface has no Ethernet addresses", {
      remedy: "choose an Ethernet interface",
    });
  }
  if (!attached.isUp) {
    throw new KernelError("not-found", operation, "the interface is down", {
      remedy: `"ip link set ${name} up"`,
    });
  }
  return attached;
}

async function searchHops(attached: InterfaceInfo, destinations: readonly IpBytes[]): Promise<HopSearch> {
  const candidates = egressCandidates(attached, listInterfaces());
  if (destinations.length > 0) {
    const socket = new NetlinkSocket("route");
    try {
      return await findHops(attached, candidates, destinations, (query) => lookupRoute(socket, query));
    } finally {
      socket.close();
    }
  }
  for (const family of [4, 6] as const) {
    for (const { ifindex } of candidates) {
      const route = withNetlink("route", (socket) => findDefaultRoute(socket, { family, ifindex }));
      const hops = route === undefined ? [] : hopsOf(route, attached, candidates, undefined);
      if (hops.length > 0) return { hops, warnings: [] };
    }
  }
  throw new KernelError(
    "not-found",
    `next hop of "${attached.name}"`,
    "no default route with a gateway goes out of this interface, its master or its VLANs",
    {
      remedy: `add one ("ip route add default via GATEWAY dev ${attached.name}"), or set settings.gatewayMac`,
    },
  );
}

/** Each hop with what the table has for it in the end. */
async function resolveHops(
  attached: InterfaceInfo,
  hops: readonly Hop[],
  { waitMs, canSolicit, isConfirmed }: Required<NextHopOptions>,
): Promise<ResolvedHop[]> {
  const socket = new NetlinkSocket("route");
  try {
    let resolved = hops.map((hop) => readHop(socket, hop));
    if (!canSolicit) return resolved;
    const isOpen = ({ state }: ResolvedHop): boolean => !HAS_MAC.has(state);
    for (const each of resolved) {
      if (isOpen(each) || (isConfirmed && each.state === "stale")) solicit(socket, attached, each.hop);
    }

    const deadline = performance.now() + waitMs;
    for (;;) {
      resolved = resolved.map((each) => (isOpen(each) ? readHop(socket, each.hop) : each));
      const isWaiting = resolved.some(({ state }) => state === "incomplete" || state === "none");
      if (!isWaiting || performance.now() >= deadline) return resolved;
      await sleep(POLL_MS);
    }
  } finally {
    socket.close();
  }
}

function readHop(socket: NetlinkSocket, hop: Hop): ResolvedHop {
  const entry = readNeighbour(socket, { ifindex: hop.egress.ifindex, address: hop.address });
  if (entry === undefined || !HAS_MAC.has(entry.state)) {
    return { hop, mac: undefined, state: entry?.state ?? "none" };
  }
  return { hop, mac: entry.mac, state: entry.state };
}

function solicit(socket: NetlinkSocket, attached: InterfaceInfo, hop: Hop): void {
  try {
    solicitNeighbour(socket, { ifindex: hop.egress.ifindex, address: hop.address });
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== "no-privilege") throw error;
    throw new KernelError(
      "no-privilege",
      `next hop of "${attached.name}"`,
      "its MAC is not in the neighbour table, and this process may not have the kernel ask for it",
      {
        errno: error.errno,
        remedy: "grant CAP_NET_ADMIN, or reach the next hop once (ping), or set settings.gatewayMac",
        cause: error,
      },
    );
  }
}
