/** The neighbour table: MAC addresses of what is on link (include/uapi/linux/neighbour.h, net/core/neighbour.c). */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { AF_INET, AF_INET6, AF_UNSPEC, familyOf, type IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import type { NetlinkSocket } from "./netlink.ts";
import { attributesBehind, emitPayload, type NetlinkMessage, NLM_F_CREATE } from "./netlink-message.ts";

/** NUD_* by their bits. "none" is an entry that nobody has asked for yet. */
const STATES = {
  0: "none",
  1: "incomplete",
  2: "reachable",
  4: "stale",
  8: "delay",
  16: "probe",
  32: "failed",
  64: "noarp",
  128: "permanent",
} as const;
export type NeighbourState = (typeof STATES)[keyof typeof STATES];

export interface Neighbour {
  readonly ifindex: number;
  readonly address: IpBytes;
  /** Undefined while it is not known, and where the interface has no Ethernet addresses. */
  readonly mac: Uint8Array | undefined;
  readonly state: NeighbourState;
}

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;

const NDMSG_BYTES = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NTF_USE = 1;

interface NeighbourKey {
  readonly ifindex: number;
  readonly address: IpBytes;
}

/** Undefined where the table has no entry. Throws KernelError. */
export function readNeighbour(socket: NetlinkSocket, key: NeighbourKey): Neighbour | undefined {
  try {
    const answer = socket.query({
      operation: "read the neighbour table",
      type: RTM_GETNEIGH,
      payload: neighbourPayload(key, 0),
    });
    return decodeNeighbour(answer);
  } catch (error) {
    if (error instanceof KernelError && error.code === "not-found") return undefined;
    throw error;
  }
}

/** Entries of one interface, of both families. Throws KernelError. */
export function listNeighbours(socket: NetlinkSocket, ifindex: number): Neighbour[] {
  let found: Neighbour[] = [];
  socket.dump(
    {
      operation: "list the neighbour table",
      type: RTM_GETNEIGH,
      payload: emitPayload(neighbourHeader(AF_UNSPEC, 0, 0)),
    },
    () => {
      found = [];
    },
    (message) => {
      const neighbour = decodeNeighbour(message);
      if (neighbour?.ifindex === ifindex) found.push(neighbour);
      return true;
    },
  );
  return found;
}

/**
 * Has the kernel find out a neighbour's MAC, as a packet to it would, without sending one: it asks by ARP or neighbour solicitation at once, and the
 * table has the answer some time later. Needs CAP_NET_ADMIN. Throws KernelError.
 */
export function solicitNeighbour(socket: NetlinkSocket, key: NeighbourKey): void {
  socket.command({
    operation: "have the kernel resolve a neighbour",
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE,
    payload: neighbourPayload(key, NTF_USE),
  });
}

function neighbourPayload({ ifindex, address }: NeighbourKey, flags: number): Uint8Array {
  return emitPayload(neighbourHeader(familyOf(address), ifindex, flags), [[NDA_DST, address]]);
}

function neighbourHeader(family: number, ifindex: number, flags: number): Uint8Array {
  // struct ndmsg: family u8 | pad u8 | pad u16 | ifindex i32 | state u16 | flags u8 | type u8
  const header = new Uint8Array(NDMSG_BYTES);
  const view = viewOf(header);
  view.setUint8(0, family);
  view.setInt32(4, ifindex, IS_LITTLE_ENDIAN);
  view.setUint8(10, flags);
  return header;
}

/** An entry out of RTM_NEWNEIGH or RTM_DELNEIGH; undefined for any other message, and for tables that are not of IP (a bridge's). */
export function decodeNeighbour({ type, payload }: NetlinkMessage): Neighbour | undefined {
  if ((type !== RTM_NEWNEIGH && type !== RTM_DELNEIGH) || payload.length < NDMSG_BYTES) return undefined;
  const view = viewOf(payload);
  const attributes = attributesBehind(payload, NDMSG_BYTES);
  const address = attributes.get(NDA_DST);
  const length = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 16 : undefined;
  if (address === undefined || address.length !== length) return undefined;
  const mac = attributes.get(NDA_LLADDR);
  return {
    ifindex: view.getInt32(4, IS_LITTLE_ENDIAN),
    address: address.slice(),
    mac: mac?.length === 6 ? mac.slice() : undefined,
    state: STATES[view.getUint16(8, IS_LITTLE_ENDIAN) as keyof typeof STATES] ?? "none",
  };
}
