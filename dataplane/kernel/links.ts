/** Network interfaces as rtnetlink shows them (include/uapi/linux/if_link.h, net/core/rtnetlink.c). Needs no privilege. */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import type { IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import { NetlinkSocket, withNetlink } from "./netlink.ts";
import {
  type Attributes,
  attributesBehind,
  emitPayload,
  type NetlinkMessage,
  parseAttributes,
  readText,
  readU32,
  u32Attribute,
} from "./netlink-message.ts";

export type XdpMode = "native" | "generic" | "offload";

export interface AttachedXdp {
  /** "multiple": there is one in more than one mode, such as native and offload; `programs` has them. */
  readonly mode: XdpMode | "multiple";
  /** Of the first of `programs`. */
  readonly programId: number;
  readonly programs: readonly { readonly mode: XdpMode; readonly programId: number }[];
}

export interface InterfaceInfo {
  readonly name: string;
  readonly ifindex: number;
  /** Largest IP packet, in bytes. */
  readonly mtu: number;
  /** The largest MTU that the driver takes as it is set up now; undefined where it does not say, or where there is no limit. */
  readonly mtuMax: number | undefined;
  /** Six bytes; undefined for what has no Ethernet addresses. */
  readonly mac: Uint8Array | undefined;
  /** Of virtual interfaces: "veth", "vlan", "bond", "ipip". Undefined for hardware, and for the loopback interface. */
  readonly kind: string | undefined;
  /** Ifindex of the bond, bridge, team or VRF that it is a part of. */
  readonly master: number | undefined;
  /** What the master is, seen from this side: "bond", "bridge". */
  readonly masterKind: string | undefined;
  /** Ifindex of what it lies on (a VLAN's parent) or is linked with (the other end of a veth); undefined where that is in another namespace. */
  readonly lower: number | undefined;
  /** 802.1Q or 802.1ad VLAN id of a "vlan". */
  readonly vlanId: number | undefined;
  /** Of a tunnel that takes packets of one sender only: its address. */
  readonly tunnelRemote: IpBytes | undefined;
  /** Set up by somebody (IFF_UP). */
  readonly isUp: boolean;
  /** And able to send (IFF_LOWER_UP). */
  readonly hasCarrier: boolean;
  readonly isLoopback: boolean;
  /** It never asks for MAC addresses (IFF_NOARP). */
  readonly isNoArp: boolean;
  readonly xdp: AttachedXdp | undefined;
  readonly rxQueues: number;
  readonly txQueues: number;
}

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

const IFINFOMSG_BYTES = 16;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_EXT_MASK = 29;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_LINK_NETNSID = 37;
const IFLA_XDP = 43;
const IFLA_MAX_MTU = 51;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_VLAN_ID = 1;
const IFLA_IPTUN_REMOTE = 3;
const IFLA_XDP_ATTACHED = 2;
const IFLA_XDP_PROG_ID = 4;
const IFLA_XDP_DRV_PROG_ID = 5;
const IFLA_XDP_SKB_PROG_ID = 6;
const IFLA_XDP_HW_PROG_ID = 7;
const RTEXT_FILTER_SKIP_STATS = 8;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_NOARP = 0x80;
const IFF_LOWER_UP = 0x10000;
/** IFNAMSIZ, with its NUL. */
const NAME_BYTES_MAX = 16;

/** Those whose data is of enum IFLA_IPTUN_* (include/uapi/linux/if_tunnel.h). */
const TUNNEL_KINDS: ReadonlySet<string> = new Set(["ipip", "sit", "ip6tnl"]);

/** Every interface of this network namespace, by ifindex. Throws KernelError. */
export function listInterfaces(): InterfaceInfo[] {
  return withNetlink("route", (socket) => {
    let found: InterfaceInfo[] = [];
    socket.dump(
      { operation: "list interfaces", type: RTM_GETLINK, payload: linkRequest(0) },
      () => {
        found = [];
      },
      (message) => {
        const info = decodeLink(message);
        if (info !== undefined) found.push(info);
        return true;
      },
    );
    return found.sort((a, b) => a.ifindex - b.ifindex);
  });
}

/** One interface by name. Throws KernelError, "no-interface" where there is none. */
export function readInterface(name: string): InterfaceInfo {
  const operation = `read interface ${JSON.stringify(name)}`;
  if (name === "" || Buffer.byteLength(name) >= NAME_BYTES_MAX || name.includes("\0")) {
    throw new KernelError("no-interface", operation, "no name that an interface can have", {
      remedy: `names have 1 to ${NAME_BYTES_MAX - 1} bytes; "ip link" lists them`,
    });
  }
  const socket = new NetlinkSocket("route");
  try {
    const payload = linkRequest(0, [[IFLA_IFNAME, new TextEncoder().encode(`${name}\0`)]]);
    const info = decodeLink(socket.query({ operation, type: RTM_GETLINK, payload }));
    if (info === undefined) throw new KernelError("io", operation, "the kernel's answer is no interface");
    return info;
  } catch (error) {
    if (!(error instanceof KernelError) || error.code !== "no-interface") throw error;
    throw new KernelError("no-interface", operation, "there is none of that name in this network namespace", {
      errno: error.errno,
      remedy: '"ip link" lists them',
      cause: error,
    });
  } finally {
    socket.close();
  }
}

function linkRequest(
  ifindex: number,
  attributes: readonly (readonly [number, Uint8Array])[] = [],
): Uint8Array {
  const header = new Uint8Array(IFINFOMSG_BYTES);
  viewOf(header).setInt32(4, ifindex, IS_LITTLE_ENDIAN);
  return emitPayload(header, [[IFLA_EXT_MASK, u32Attribute(RTEXT_FILTER_SKIP_STATS)], ...attributes]);
}

/** An interface out of RTM_NEWLINK (or RTM_DELLINK); undefined for any other message, and for one without a name. */
export function decodeLink({ type, payload }: NetlinkMessage): InterfaceInfo | undefined {
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || payload.length < IFINFOMSG_BYTES) return undefined;
  // struct ifinfomsg: family u8 | pad u8 | type u16 | index i32 | flags u32 | change u32
  const view = viewOf(payload);
  // Bridges and others tell of their ports by messages of their own family, with other contents.
  if (view.getUint8(0) !== 0) return undefined;
  const attributes = attributesBehind(payload, IFINFOMSG_BYTES);
  const name = readText(attributes.get(IFLA_IFNAME));
  if (name === undefined || name === "") return undefined;

  const flags = view.getUint32(8, IS_LITTLE_ENDIAN);
  const linkInfo = nested(attributes, IFLA_LINKINFO);
  const kind = readText(linkInfo.get(IFLA_INFO_KIND));
  const data = nested(linkInfo, IFLA_INFO_DATA);
  const vlanId = kind === "vlan" ? data.get(IFLA_VLAN_ID) : undefined;
  const remote = TUNNEL_KINDS.has(kind ?? "") ? data.get(IFLA_IPTUN_REMOTE) : undefined;
  const mac = attributes.get(IFLA_ADDRESS);
  const mtuMax = readU32(attributes.get(IFLA_MAX_MTU));
  return {
    name,
    ifindex: view.getInt32(4, IS_LITTLE_ENDIAN),
    mtu: readU32(attributes.get(IFLA_MTU)) ?? 0,
    mtuMax: mtuMax === 0 ? undefined : mtuMax,
    mac: mac?.length === 6 ? mac.slice() : undefined,
    kind,
    master: readU32(attributes.get(IFLA_MASTER)),
    masterKind: readText(linkInfo.get(IFLA_INFO_SLAVE_KIND)),
    lower: attributes.has(IFLA_LINK_NETNSID) ? undefined : nonzero(readU32(attributes.get(IFLA_LINK))),
    vlanId: vlanId?.length === 2 ? viewOf(vlanId).getUint16(0, IS_LITTLE_ENDIAN) : undefined,
    tunnelRemote: remote?.some((byte) => byte !== 0) === true ? remote.slice() : undefined,
    isUp: (flags & IFF_UP) !== 0,
    hasCarrier: (flags & IFF_LOWER_UP) !== 0,
    isLoopback: (flags & IFF_LOOPBACK) !== 0,
    isNoArp: (flags & IFF_NOARP) !== 0,
    xdp: decodeXdp(nested(attributes, IFLA_XDP)),
    rxQueues: readU32(attributes.get(IFLA_NUM_RX_QUEUES)) ?? 1,
    txQueues: readU32(attributes.get(IFLA_NUM_TX_QUEUES)) ?? 1,
  };
}

/** By the value of IFLA_XDP_ATTACHED (XDP_ATTACHED_*), with the attribute that has the program of that mode. */
const XDP_MODES: readonly { readonly attached: number; readonly mode: XdpMode; readonly id: number }[] = [
  { attached: 1, mode: "native", id: IFLA_XDP_DRV_PROG_ID },
  { attached: 2, mode: "generic", id: IFLA_XDP_SKB_PROG_ID },
  { attached: 3, mode: "offload", id: IFLA_XDP_HW_PROG_ID },
];
const XDP_ATTACHED_MULTI = 4;

function decodeXdp(attributes: Attributes): AttachedXdp | undefined {
  const attached = attributes.get(IFLA_XDP_ATTACHED)?.[0] ?? 0;
  if (attached === 0) return undefined;
  const programs = XDP_MODES.flatMap(({ attached: own, mode, id }) => {
    const programId =
      readU32(attributes.get(id)) ??
      (attached === own ? readU32(attributes.get(IFLA_XDP_PROG_ID)) : undefined);
    return programId === undefined || programId === 0 ? [] : [{ mode, programId }];
  });
  const [first] = programs;
  if (first === undefined) return undefined;
  return {
    mode: attached === XDP_ATTACHED_MULTI ? "multiple" : first.mode,
    programId: first.programId,
    programs,
  };
}

const NOTHING = new Uint8Array(0);

function nested(attributes: Attributes, type: number): Attributes {
  return parseAttributes(attributes.get(type) ?? NOTHING);
}

function nonzero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}
