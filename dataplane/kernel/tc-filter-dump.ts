/** What filters an interface's clsact qdisc has, whoever made them, as rtnetlink shows them (include/uapi/linux/rtnetlink.h, pkt_sched.h). */
import { IS_LITTLE_ENDIAN, viewOf } from "./host-order.ts";
import { KernelError } from "./kernel-error.ts";
import { withNetlink } from "./netlink.ts";
import { emitPayload } from "./netlink-message.ts";
import type { NetworkInterface } from "./xdp-state.ts";

const RTM_NEWTFILTER = 44;
const RTM_GETTFILTER = 46;
const TCMSG_BYTES = 20;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) and TC_H_MIN_EGRESS. */
const CLSACT_PARENTS = [0xffff_fff2, 0xffff_fff3];

/** Of both directions. 0 where there is no clsact. Throws KernelError. */
export function countTcFilters({ name, ifindex }: NetworkInterface): number {
  return withNetlink("route", (socket) => {
    let total = 0;
    for (const parent of CLSACT_PARENTS) {
      // struct tcmsg: family u8, padding | ifindex s32 | handle u32 | parent u32 | info u32
      const header = new Uint8Array(TCMSG_BYTES);
      viewOf(header).setInt32(4, ifindex, IS_LITTLE_ENDIAN);
      viewOf(header).setUint32(12, parent, IS_LITTLE_ENDIAN);
      let count = 0;
      try {
        socket.dump(
          { operation: `list the tc filters of ${name}`, type: RTM_GETTFILTER, payload: emitPayload(header) },
          () => {
            count = 0;
          },
          ({ type, payload }) => {
            // The handle of a filter chain's own entry is 0.
            if (type === RTM_NEWTFILTER && viewOf(payload).getUint32(8, IS_LITTLE_ENDIAN) !== 0) count++;
            return true;
          },
        );
      } catch (error) {
        // So say kernels of an interface without the qdisc.
        if (!(error instanceof KernelError) || !["EINVAL", "ENOENT"].includes(error.errno ?? "")) throw error;
      }
      total += count;
    }
    return total;
  });
}
