/** Routes as the kernel's own lookup finds them (net/ipv4/route.c inet_rtm_getroute, net/ipv6/route.c inet6_rtm_getroute). Needs no privilege. */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { AF_INET, AF_INET6, familyOf, type IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import { NetlinkRefusal, type NetlinkSocket } from "./netlink.ts";
import {
  attributesBehind,
  emitPayload,
  type NetlinkMessage,
  parseAttributes,
  readU32,
  u32Attribute,
} from "./netlink-message.ts";

/** include/uapi/linux/rtnetlink.h, RTN_* */
const ROUTE_TYPES = {
  1: "unicast",
  2: "local",
  3: "broadcast",
  4: "anycast",
  5: "multicast",
  6: "blackhole",
  7: "unreachable",
  8: "prohibit",
} as const;
export type RouteType = (typeof ROUTE_TYPES)[keyof typeof ROUTE_TYPES] | "other";

export interface Route {
  readonly type: RouteType;
  readonly family: 4 | 6;
  /** Bits of the prefix that matched; 0: a default route. */
  readonly prefixLength: number;
  readonly table: number;
  /** The lower, the better; 0 where none is set. */
  readonly priority: number;
  readonly hops: readonly RouteHop[];
  /** Of the route's own metrics; undefined: the interface's holds. */
  readonly mtu: number | undefined;
  /** The MSS that TCP announces over this route. */
  readonly advmss: number | undefined;
}

export interface RouteHop {
  readonly ifindex: number;
  /** Undefined: on link, the destination itself is the next hop. Of either family, also for an IPv4 route (RFC 8950). */
  readonly gateway: IpBytes | undefined;
}

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const RTMSG_BYTES = 12;
const RTNEXTHOP_BYTES = 8;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;
const RTAX_ADVMSS = 8;
/** The route as it stands in the table, with all its next hops, not the one that this lookup would take. Since 4.12 (IPv6: 4.16). */
const RTM_F_FIB_MATCH = 0x2000;
/** And name its table, which otherwise is said to be the main one; IPv6 does so anyway and refuses the flag. */
const RTM_F_LOOKUP_TABLE = 0x1000;
const RTM_F_CLONED = 0x200;
const RT_TABLE_MAIN = 254;

/** Answers that mean: there is no route, or one of type unreachable or prohibit (net/ipv4/fib_semantics.c fib_props). */
const NO_ROUTE: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH", "EACCES", "ESRCH"]);
/** A default route comes first in a dump of its table; whoever has none but a whole Internet's routes need not wait for them all. */
const DEFAULT_SCAN_MAX = 20_000;

/**
 * The route to `destination`, through the interface `ifindex` if given; undefined where there is none.
 *
 * The route is looked up as it stands in the table: an ordinary lookup that is bound to an interface invents one when there is none ("assume,
 * that the destination is on link", net/ipv4/route.c).
 */
export function lookupRoute(
  socket: NetlinkSocket,
  { destination, ifindex }: { readonly destination: IpBytes; readonly ifindex?: number },
): Route | undefined {
  const flags = destination.length === 4 ? RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE : RTM_F_FIB_MATCH;
  const header = routeHeader(familyOf(destination), destination.length * 8, flags);
  const oif: [number, Uint8Array][] = ifindex === undefined ? [] : [[RTA_OIF, u32Attribute(ifindex)]];
  try {
    const answer = socket.query({
      operation: "look up a route",
      type: RTM_GETROUTE,
      payload: emitPayload(header, [[RTA_DST, destination], ...oif]),
    });
    return decodeRoute(answer);
  } catch (error) {
    if (error instanceof KernelError && error.cause instanceof NetlinkRefusal) {
      const { errno, text } = error.cause;
      // A route of type blackhole answers as a wrong request does, but without words.
      if (NO_ROUTE.has(errno) || (errno === "EINVAL" && text === undefined)) return undefined;
    }
    throw error;
  }
}

/** The best default route of a family through an interface, of whichever table; the main table's go first. Closes the socket if it ends early. */
export function findDefaultRoute(
  socket: NetlinkSocket,
  { family, ifindex }: { readonly family: 4 | 6; readonly ifindex: number },
): Route | undefined {
  let found: Route[] = [];
  let seen = 0;
  const header = routeHeader(family === 4 ? AF_INET : AF_INET6, 0, 0);
  socket.dump(
    {
      operation: "look for a default route",
      type: RTM_GETROUTE,
      payload: emitPayload(header, [[RTA_OIF, u32Attribute(ifindex)]]),
    },
    () => {
      [found, seen] = [[], 0];
    },
    (message) => {
      const route = decodeRoute(message);
      // Older kernels do not filter.
      if (
        route?.type === "unicast" &&
        route.prefixLength === 0 &&
        route.hops.some((hop) => hop.ifindex === ifindex)
      ) {
        found.push(route);
      }
      return ++seen < DEFAULT_SCAN_MAX;
    },
  );
  const rank = (route: Route): number => (route.table === RT_TABLE_MAIN ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b) || a.priority - b.priority)[0];
}

function routeHeader(family: number, destinationBits: number, flags: number): Uint8Array {
  // struct rtmsg: family | dst_len | src_len | tos | table | protocol | scope | type, a byte each | flags u32
  const header = new Uint8Array(RTMSG_BYTES);
  header[0] = family;
  header[1] = destinationBits;
  viewOf(header).setUint32(8, flags, IS_LITTLE_ENDIAN);
  return header;
}

/** A route out of RTM_NEWROUTE or RTM_DELROUTE; undefined for any other message, other families, and cached ones. */
export function decodeRoute({ type, payload }: NetlinkMessage): Route | undefined {
  if ((type !== RTM_NEWROUTE && type !== RTM_DELROUTE) || payload.length < RTMSG_BYTES) return undefined;
  const view = viewOf(payload);
  const family = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 6 : undefined;
  if (family === undefined || (view.getUint32(8, IS_LITTLE_ENDIAN) & RTM_F_CLONED) !== 0) return undefined;

  const attributes = attributesBehind(payload, RTMSG_BYTES);
  const metrics = parseAttributes(attributes.get(RTA_METRICS) ?? new Uint8Array(0));
  const oif = readU32(attributes.get(RTA_OIF));
  const multipath = attributes.get(RTA_MULTIPATH);
  const single =
    oif === undefined
      ? []
      : [{ ifindex: oif, gateway: gatewayOf(attributes.get(RTA_GATEWAY), attributes.get(RTA_VIA)) }];
  return {
    type: ROUTE_TYPES[payload[7] as keyof typeof ROUTE_TYPES] ?? "other",
    family,
    prefixLength: payload[1]!,
    // Tables from 256 on do not fit into the header.
    table: readU32(attributes.get(RTA_TABLE)) ?? payload[4]!,
    priority: readU32(attributes.get(RTA_PRIORITY)) ?? 0,
    hops: multipath === undefined ? single : decodeHops(multipath),
    mtu: readU32(metrics.get(RTAX_MTU)),
    advmss: readU32(metrics.get(RTAX_ADVMSS)),
  };
}

/** struct rtnexthop: length u16 | flags u8 | hops u8 | ifindex i32, then attributes up to the length. */
function decodeHops(bytes: Uint8Array): RouteHop[] {
  const view = viewOf(bytes);
  const hops: RouteHop[] = [];
  let offset = 0;
  while (bytes.length - offset >= RTNEXTHOP_BYTES) {
    const length = view.getUint16(offset, IS_LITTLE_ENDIAN);
    if (length < RTNEXTHOP_BYTES || length > bytes.length - offset) break;
    const attributes = parseAttributes(bytes.subarray(offset + RTNEXTHOP_BYTES, offset + length));
    hops.push({
      ifindex: view.getInt32(offset + 4, IS_LITTLE_ENDIAN),
      gateway: gatewayOf(attributes.get(RTA_GATEWAY), attributes.get(RTA_VIA)),
    });
    offset += (length + 3) & ~3;
  }
  return hops;
}

/** RTA_VIA, for a gateway of the other family: family u16, then the address. */
function gatewayOf(gateway: Uint8Array | undefined, via: Uint8Array | undefined): IpBytes | undefined {
  const address = gateway ?? via?.subarray(2);
  return address?.length === 4 || address?.length === 16 ? address.slice() : undefined;
}
