/**
 * Which neighbours the backends are reached through from an interface, and whether one MAC does for all of them. No kernel here: interfaces, routes and
 * neighbours come in, an answer or the reason why there is none goes out. next-hop.ts asks the kernel.
 *
 * The program sends what came in by an interface out of the same interface (XDP_TX), with the VLAN tags that it came with. So the routes that count are those
 * through the interface itself, through the bond, team or bridge that it is a port of, and through VLANs on top of either.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { formatIpBytes, formatMacBytes, type IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import type { InterfaceInfo } from "./links.ts";
import type { NeighbourState } from "./neighbours.ts";
import type { Route } from "./routes.ts";

/** A neighbour that destinations are reached through. */
export interface Hop {
  /** The interface that the route names: the attached one, or one on top of it. */
  readonly egress: InterfaceInfo;
  /** The gateway's, or the destination's own where it is on link. */
  readonly address: IpBytes;
  readonly isOnLink: boolean;
  /** Whether only default routes lead there. */
  readonly isDefault: boolean;
  readonly destinations: readonly IpBytes[];
  /** The least of egress, attached interface and routes. */
  readonly mtu: number;
}

export interface HopSearch {
  readonly hops: readonly Hop[];
  readonly warnings: readonly string[];
}

/** What there is to send by, in the order of preference: see above. */
export function egressCandidates(
  attached: InterfaceInfo,
  interfaces: readonly InterfaceInfo[],
): InterfaceInfo[] {
  const bases = [attached];
  for (let base = attached; base.master !== undefined && bases.length < interfaces.length; ) {
    const master = interfaces.find(({ ifindex }) => ifindex === base.master);
    // A VRF is no way out: routes of its table name the interface itself.
    if (master === undefined || !["bond", "team", "bridge"].includes(master.kind ?? "")) break;
    bases.push(master);
    base = master;
  }
  const isOnBase = ({ kind, lower }: InterfaceInfo): boolean =>
    kind === "vlan" && bases.some(({ ifindex }) => ifindex === lower);
  return [...bases, ...interfaces.filter((info) => isOnBase(info) && !bases.includes(info))];
}

/** Asks the kernel's tables; without an interface, for the route that the host itself would take. */
export type RouteLookup = (query: {
  readonly destination: IpBytes;
  readonly ifindex?: number;
}) => Route | undefined;

/** Thousands of backends take the kernel a tenth of a second; other things have their turn after so many of them. */
const LOOKUPS_A_TURN = 128;

/** The neighbours that lead to `destinations`, in the order of these. Rejects with KernelError when none is reached. */
export async function findHops(
  attached: InterfaceInfo,
  candidates: readonly InterfaceInfo[],
  destinations: readonly IpBytes[],
  lookup: RouteLookup,
): Promise<HopSearch> {
  const found = new Map<string, Hop>();
  const own: IpBytes[] = [];
  const unreached: IpBytes[] = [];
  for (const [index, destination] of destinations.entries()) {
    if (index % LOOKUPS_A_TURN === LOOKUPS_A_TURN - 1) await nextTurn();
    const route = routeThrough(candidates, destination, lookup);
    if (route?.type === "local") own.push(destination);
    else if (route === undefined) unreached.push(destination);
    else for (const hop of hopsOf(route, attached, candidates, destination)) addHop(found, hop);
  }
  const hops = [...found.values()];
  if (hops.length === 0) throw noRoute(attached, { own, unreached });

  const warnings: string[] = [];
  if (own.length > 0)
    warnings.push(`${names(own)}: an address of this host, not reached through an interface`);
  if (unreached.length > 0) {
    warnings.push(
      `${names(unreached)}: no route through "${attached.name}", so that packets go to the next hop of the others and may get lost there`,
    );
  }
  return { hops, warnings };
}

/** The route that the host itself would take if it goes out of one of the candidates, or else the first candidate's own. */
function routeThrough(
  candidates: readonly InterfaceInfo[],
  destination: IpBytes,
  lookup: RouteLookup,
): Route | undefined {
  const isOurs = (route: Route): boolean =>
    route.hops.some((hop) => candidates.some(({ ifindex }) => ifindex === hop.ifindex));
  const preferred = lookup({ destination });
  if (preferred?.type === "local" || (preferred?.type === "unicast" && isOurs(preferred))) return preferred;
  for (const { ifindex } of candidates) {
    const route = lookup({ destination, ifindex });
    if (route?.type === "unicast" && isOurs(route)) return route;
  }
  return undefined;
}

/** Several where the route has several next hops through our interfaces. */
export function hopsOf(
  route: Route,
  attached: InterfaceInfo,
  candidates: readonly InterfaceInfo[],
  destination: IpBytes | undefined,
): Hop[] {
  return route.hops.flatMap(({ ifindex, gateway }) => {
    const egress = candidates.find((candidate) => candidate.ifindex === ifindex);
    const address = gateway ?? destination;
    if (egress === undefined || address === undefined) return [];
    return [
      {
        egress,
        address,
        isOnLink: gateway === undefined,
        isDefault: route.prefixLength === 0,
        destinations: destination === undefined ? [] : [destination],
        mtu: Math.min(egress.mtu, attached.mtu, route.mtu ?? egress.mtu),
      },
    ];
  });
}

function addHop(found: Map<string, Hop>, hop: Hop): void {
  const key = `${hop.egress.ifindex} ${hop.address.join(".")}`;
  const known = found.get(key);
  found.set(
    key,
    known === undefined
      ? hop
      : {
          ...known,
          isOnLink: known.isOnLink && hop.isOnLink,
          isDefault: known.isDefault && hop.isDefault,
          destinations: [...known.destinations, ...hop.destinations],
          mtu: Math.min(known.mtu, hop.mtu),
        },
  );
}

/** A hop after the neighbour table, or the wait for it, had its say. */
export interface ResolvedHop {
  readonly hop: Hop;
  readonly mac: Uint8Array | undefined;
  /** "none": the table has no entry. */
  readonly state: NeighbourState;
}

export interface HopChoice {
  readonly chosen: ResolvedHop & { readonly mac: Uint8Array };
  readonly warnings: readonly string[];
}

/** The one MAC for all. Throws KernelError where no neighbour has one, or where they have different ones. */
export function chooseHop(attached: InterfaceInfo, resolved: readonly ResolvedHop[]): HopChoice {
  const usable = resolved.flatMap((each) => {
    const { mac } = each;
    return mac === undefined || !isStation(mac) || isOwnMac(attached, each.hop.egress, mac)
      ? []
      : [{ ...each, mac }];
  });
  const [chosen] = usable;
  if (chosen === undefined) throw unresolved(attached, resolved);

  const others = usable.filter(({ mac }) => !mac.every((byte, index) => byte === chosen.mac[index]));
  if (others.length > 0) throw differentMacs(attached, [chosen, ...others]);

  const silent = resolved.filter(({ hop }) => !usable.some((each) => each.hop === hop));
  const warnings = silent.map(
    ({ hop, state }) =>
      `next hop ${formatIpBytes(hop.address)} on "${hop.egress.name}" has no MAC (neighbour state: ${state}); its packets go to ${formatMacBytes(chosen.mac)} like all others`,
  );
  if (chosen.hop.egress.kind === "vlan") {
    warnings.push(
      `the route leads through VLAN ${chosen.hop.egress.vlanId ?? "?"} ("${chosen.hop.egress.name}"): packets keep the tags they came with, so that they must come in by that VLAN`,
    );
  }
  return { chosen, warnings };
}

const GATEWAY_REMEDY = "or set settings.gatewayMac";

function noRoute(
  attached: InterfaceInfo,
  { own, unreached }: { readonly own: readonly IpBytes[]; readonly unreached: readonly IpBytes[] },
): KernelError {
  const operation = `next hop of "${attached.name}"`;
  if (unreached.length === 0) {
    return new KernelError(
      "not-found",
      operation,
      `every backend is an address of this host itself: ${names(own)}`,
      {
        remedy: "name backends on other hosts",
      },
    );
  }
  const family = unreached[0]!.length === 4 ? "ip" : "ip -6";
  return new KernelError(
    "not-found",
    operation,
    `no route to ${names(unreached)} goes out of this interface, its master or its VLANs`,
    {
      remedy: `add one ("${family} route add ${formatIpBytes(unreached[0]!)} via GATEWAY dev ${attached.name}"), ${GATEWAY_REMEDY}`,
    },
  );
}

function unresolved(attached: InterfaceInfo, resolved: readonly ResolvedHop[]): KernelError {
  const operation = `next hop of "${attached.name}"`;
  const listed = resolved
    .slice(0, NAMES_MAX)
    .map(({ hop, state }) => `${formatIpBytes(hop.address)} (neighbour state: ${state})`)
    .join(", ");
  const egress = resolved[0]?.hop.egress ?? attached;
  if (resolved.some(({ state }) => state === "noarp")) {
    return new KernelError("not-found", operation, `"${egress.name}" does not resolve addresses: ${listed}`, {
      remedy: `turn ARP on ("ip link set ${egress.name} arp on"), ${GATEWAY_REMEDY}`,
    });
  }
  return new KernelError("not-found", operation, `no MAC is known for ${listed}`, {
    remedy: `see that it is up and on this link ("ip neigh show dev ${egress.name}"), ${GATEWAY_REMEDY}`,
  });
}

function differentMacs(
  attached: InterfaceInfo,
  different: readonly (ResolvedHop & { readonly mac: Uint8Array })[],
): KernelError {
  const listed = different
    .slice(0, NAMES_MAX)
    .map(({ hop, mac }) => `${formatIpBytes(hop.address)} at ${formatMacBytes(mac)}`);
  if (different.length > NAMES_MAX) listed.push(`${different.length - NAMES_MAX} more`);
  return new KernelError(
    "not-found",
    `next hop of "${attached.name}"`,
    `the backends are behind different next hops (${listed.join(", ")}), and everything from one interface goes to one MAC`,
    { remedy: severalHopsRemedy(different.every(({ hop }) => hop.isOnLink)) },
  );
}

/** More on-link backends than are worth asking for one by one. */
export function tooManyHops(attached: InterfaceInfo, hops: readonly Hop[]): KernelError {
  return new KernelError(
    "not-found",
    `next hop of "${attached.name}"`,
    `the backends are behind ${hops.length} different next hops, and everything from one interface goes to one MAC`,
    { remedy: severalHopsRemedy(hops.every(({ isOnLink }) => isOnLink)) },
  );
}

function severalHopsRemedy(isOnLink: boolean): string {
  return isOnLink
    ? "set settings.gatewayMac to the MAC of a router on this link, which passes packets on to hosts of the link as well"
    : "route all backends through one router, or set settings.gatewayMac to the MAC of one that reaches them all";
}

/** A MAC that a frame to one station can have. */
function isStation(mac: Uint8Array): boolean {
  return (mac[0]! & 1) === 0 && mac.some((byte) => byte !== 0);
}

/** Without ARP the kernel fills in the interface's own. */
function isOwnMac(attached: InterfaceInfo, egress: InterfaceInfo, mac: Uint8Array): boolean {
  return [attached.mac, egress.mac].some((own) => own?.every((byte, index) => byte === mac[index]) ?? false);
}

const NAMES_MAX = 3;

function names(addresses: readonly IpBytes[]): string {
  const shown = addresses.slice(0, NAMES_MAX).map(formatIpBytes).join(", ");
  const rest = addresses.length - NAMES_MAX;
  return rest > 0 ? `${shown} and ${rest} more` : shown;
}
