/**
 * bpf_fib_lookup on the machine's routes (fib.ts), with the checks and return codes of bpf_xdp_fib_lookup in Linux 6.18
 * (net/core/filter.c). `struct bpf_fib_lookup`:
 *
 *      0 u8 family          1 u8 l4_protocol     2 __be16 sport        4 __be16 dport
 *      6 u16 tot_len in, mtu_result out          8 u32 ifindex        12 u32 tos or flowinfo in, rt_metric out
 *     16 source, 4 or 16 bytes                  32 destination in, gateway out
 *     48 __be16 h_vlan_proto                    50 __be16 h_vlan_TCI  52 smac    58 dmac
 *
 * Tables, marks and rules do not exist here, so the flags that ask for them change nothing.
 */
import type { FibNext } from "../fib.ts";
import { EAFNOSUPPORT, EINVAL, ENODEV } from "../maps/errno.ts";
import { ANY, CONTEXT, type Helper, type HelperCall, SIZE, WRITE_MEMORY } from "./helper.ts";

const PARAMS_SIZE_BYTES = 64;
const AF_INET = 2;
const AF_INET6 = 10;

const BPF_FIB_LOOKUP_SKIP_NEIGH = 4;
const BPF_FIB_LOOKUP_SRC = 16;
/** DIRECT, OUTPUT, SKIP_NEIGH, TBID, SRC and MARK. */
const BPF_FIB_LOOKUP_MASK = 63;

const BPF_FIB_LKUP_RET_SUCCESS = 0;
const BPF_FIB_LKUP_RET_BLACKHOLE = 1;
const BPF_FIB_LKUP_RET_UNREACHABLE = 2;
const BPF_FIB_LKUP_RET_PROHIBIT = 3;
const BPF_FIB_LKUP_RET_NOT_FWDED = 4;
const BPF_FIB_LKUP_RET_NO_NEIGH = 7;
const BPF_FIB_LKUP_RET_FRAG_NEEDED = 8;
const BPF_FIB_LKUP_RET_NO_SRC_ADDR = 9;

export const FIB_HELPER: Helper = {
  number: 69,
  name: "fib_lookup",
  parameters: [CONTEXT, WRITE_MEMORY, SIZE, ANY],
  call: fibLookup,
};

function fibLookup({ machine, registers }: HelperCall): number {
  const flags = registers.low(4);
  if (registers.low(3) < PARAMS_SIZE_BYTES || (flags & ~BPF_FIB_LOOKUP_MASK) !== 0) return -EINVAL;
  const params = machine.memory.u8.subarray(registers.low(2), registers.low(2) + PARAMS_SIZE_BYTES);
  const view = new DataView(params.buffer, params.byteOffset, PARAMS_SIZE_BYTES);

  const family = view.getUint8(0);
  if (family !== AF_INET && family !== AF_INET6) return -EAFNOSUPPORT;
  if (!machine.isInterface(view.getUint32(8, true))) return -ENODEV;

  const addressBytes = family === AF_INET ? 4 : 16;
  const next = machine.fib?.lookup(params.subarray(32, 32 + addressBytes));
  return next === undefined ? BPF_FIB_LKUP_RET_NOT_FWDED : answer(next, flags, params, view);
}

function answer(next: FibNext, flags: number, params: Uint8Array, view: DataView): number {
  switch (next.kind) {
    case "blackhole":
      return BPF_FIB_LKUP_RET_BLACKHOLE;
    case "unreachable":
      return BPF_FIB_LKUP_RET_UNREACHABLE;
    case "prohibit":
      return BPF_FIB_LKUP_RET_PROHIBIT;
    case "local":
      return BPF_FIB_LKUP_RET_NOT_FWDED;
    case "forward":
      break;
  }
  if (view.getUint16(6, true) > next.mtu) {
    view.setUint16(6, next.mtu, true);
    return BPF_FIB_LKUP_RET_FRAG_NEEDED;
  }
  view.setUint32(8, next.ifindex, true);
  view.setUint32(12, next.metric ?? 0, true);
  if ((flags & BPF_FIB_LOOKUP_SRC) !== 0) {
    if (next.preferredSource === undefined) return BPF_FIB_LKUP_RET_NO_SRC_ADDR;
    params.set(next.preferredSource, 16);
  }
  if (next.gateway !== undefined) {
    // An IPv4 route may have an IPv6 gateway (RFC 5549).
    view.setUint8(0, next.gateway.length === 4 ? AF_INET : AF_INET6);
    params.set(next.gateway, 32);
  }
  if ((flags & BPF_FIB_LOOKUP_SKIP_NEIGH) === 0) {
    if (next.destinationMac === undefined) return BPF_FIB_LKUP_RET_NO_NEIGH;
    params.set(next.sourceMac, 52);
    params.set(next.destinationMac, 58);
  }
  view.setUint32(48, 0, true);
  view.setUint16(6, next.mtu, true);
  return BPF_FIB_LKUP_RET_SUCCESS;
}
