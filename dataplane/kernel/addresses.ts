/** IP addresses of interfaces (include/uapi/linux/if_addr.h). Needs no privilege. */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { AF_INET, AF_INET6, AF_UNSPEC, type IpBytes } from "./ip-bytes.ts";
import { withNetlink } from "./netlink.ts";
import { attributesBehind, emitPayload, type NetlinkMessage } from "./netlink-message.ts";

export interface InterfaceAddress {
  readonly ifindex: number;
  /** The interface's own, also where it has a peer. */
  readonly address: IpBytes;
  readonly prefixLength: number;
}

export const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;

const IFADDRMSG_BYTES = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;

/** All of this network namespace. Throws KernelError. */
export function listAddresses(): InterfaceAddress[] {
  return withNetlink("route", (socket) => {
    const header = new Uint8Array(IFADDRMSG_BYTES);
    header[0] = AF_UNSPEC;
    let found: InterfaceAddress[] = [];
    socket.dump(
      { operation: "list addresses", type: RTM_GETADDR, payload: emitPayload(header) },
      () => {
        found = [];
      },
      (message) => {
        const address = decodeAddress(message);
        if (address !== undefined) found.push(address);
        return true;
      },
    );
    return found;
  });
}

/** An address out of RTM_NEWADDR; undefined for any other message. */
export function decodeAddress({ type, payload }: NetlinkMessage): InterfaceAddress | undefined {
  if (type !== RTM_NEWADDR || payload.length < IFADDRMSG_BYTES) return undefined;
  // struct ifaddrmsg: family u8 | prefix length u8 | flags u8 | scope u8 | index u32
  const attributes = attributesBehind(payload, IFADDRMSG_BYTES);
  // On a point-to-point interface IFA_ADDRESS is the peer's.
  const address = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  const length = payload[0] === AF_INET ? 4 : payload[0] === AF_INET6 ? 16 : undefined;
  if (address === undefined || address.length !== length) return undefined;
  return {
    ifindex: viewOf(payload).getUint32(4, IS_LITTLE_ENDIAN),
    address: address.slice(),
    prefixLength: payload[1]!,
  };
}
