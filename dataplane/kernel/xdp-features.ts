/** What a driver can do with XDP, by its own word (generic netlink family "netdev", include/uapi/linux/netdev.h, Linux 6.3). Needs no privilege. */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { KernelError } from "./kernel-error.ts";
import { NetlinkRefusal, withNetlink } from "./netlink.ts";
import { attributesBehind, emitPayload, u32Attribute } from "./netlink-message.ts";

export interface XdpFeatures {
  /** Native XDP with pass, drop and tx. */
  readonly isNative: boolean;
  /** Can send frames that were redirected to it. */
  readonly isRedirectTarget: boolean;
  /** Frames of several buffers, as with a large MTU. */
  readonly hasFrags: boolean;
  readonly canOffload: boolean;
}

const GENL_ID_CTRL = 16;
const GENL_HEADER_BYTES = 4;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const NETDEV_CMD_DEV_GET = 1;
const NETDEV_A_DEV_IFINDEX = 1;
const NETDEV_A_DEV_XDP_FEATURES = 3;
const BITS = { basic: 1n, ndoXmit: 4n, offload: 16n, rxSg: 32n } as const;

/** Undefined where the kernel is older than that. Throws KernelError. */
export function readXdpFeatures(ifindex: number): XdpFeatures | undefined {
  return withNetlink("generic", (socket) => {
    let family: number | undefined;
    try {
      const answer = socket.query({
        operation: 'look up the netlink family "netdev"',
        type: GENL_ID_CTRL,
        payload: emitPayload(command(CTRL_CMD_GETFAMILY), [
          [CTRL_ATTR_FAMILY_NAME, new TextEncoder().encode("netdev\0")],
        ]),
      });
      const id = attributesBehind(answer.payload, GENL_HEADER_BYTES).get(CTRL_ATTR_FAMILY_ID);
      family = id?.length === 2 ? viewOf(id).getUint16(0, IS_LITTLE_ENDIAN) : undefined;
    } catch (error) {
      if (error instanceof KernelError && error.cause instanceof NetlinkRefusal) return undefined;
      throw error;
    }
    if (family === undefined) return undefined;

    const answer = socket.query({
      operation: "ask for the XDP features of an interface",
      type: family,
      payload: emitPayload(command(NETDEV_CMD_DEV_GET), [[NETDEV_A_DEV_IFINDEX, u32Attribute(ifindex)]]),
    });
    const value = attributesBehind(answer.payload, GENL_HEADER_BYTES).get(NETDEV_A_DEV_XDP_FEATURES);
    if (value?.length !== 8) return undefined;
    const features = viewOf(value).getBigUint64(0, IS_LITTLE_ENDIAN);
    const has = (bit: bigint): boolean => (features & bit) !== 0n;
    return {
      isNative: has(BITS.basic),
      isRedirectTarget: has(BITS.ndoXmit),
      hasFrags: has(BITS.rxSg),
      canOffload: has(BITS.offload),
    };
  });
}

/** struct genlmsghdr: command u8 | version u8 | reserved u16. */
function command(number: number): Uint8Array {
  return Uint8Array.of(number, 1, 0, 0);
}
