/**
 * Helpers that choose where a packet goes: they note the choice on the CPU (cpu.ts), and the NIC acts on it when the verdict is
 * XDP_REDIRECT (net/core/filter.c and include/linux/filter.h, Linux 6.18).
 */
import {
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_DEVMAP_HASH,
  BPF_MAP_TYPE_XSKMAP,
} from "../maps/map-type.ts";
import type { RedirectMap } from "../maps/redirect-map.ts";
import { XDP_ABORTED, XDP_REDIRECT } from "../xdp-buffer.ts";
import { ANY, type Helper, type HelperCall, mapOf } from "./helper.ts";

/** In the low bits of the flags: the verdict when the map has no such entry. XDP_ABORTED to XDP_TX. */
const VERDICT_MASK = 3;
const BPF_F_BROADCAST = 8;
const BPF_F_EXCLUDE_INGRESS = 16;

export const REDIRECT_HELPERS: readonly Helper[] = [
  {
    number: 23,
    name: "redirect",
    parameters: [ANY, ANY],
    call: ({ cpu, registers }) => {
      if (registers.u64[2] !== 0n) return XDP_ABORTED;
      cpu.redirect.kind = "interface";
      cpu.redirect.target = registers.low(1);
      cpu.redirect.map = undefined;
      return XDP_REDIRECT;
    },
  },
  {
    number: 51,
    name: "redirect_map",
    parameters: [
      mapOf(BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP),
      ANY,
      ANY,
    ],
    call: redirectToMap,
  },
];

function redirectToMap({ cpu, registers, map }: HelperCall): number {
  const { type } = map.spec;
  const isDevmap = type === BPF_MAP_TYPE_DEVMAP || type === BPF_MAP_TYPE_DEVMAP_HASH;
  const flags = registers.low(3);
  const known = VERDICT_MASK | (isDevmap ? BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS : 0);
  if (registers.high(3) !== 0 || (flags & ~known) !== 0) return XDP_ABORTED;

  const { redirect } = cpu;
  const key = registers.low(2);
  const target = (map as RedirectMap).target(key);
  const isBroadcast = (flags & BPF_F_BROADCAST) !== 0;
  if (target === 0 && !isBroadcast) {
    redirect.kind = "none";
    redirect.map = undefined;
    return flags & VERDICT_MASK;
  }
  redirect.map = map;
  redirect.key = key;
  redirect.isIngressExcluded = (flags & BPF_F_EXCLUDE_INGRESS) !== 0;
  if (isBroadcast) redirect.kind = "broadcast";
  else if (isDevmap) redirect.kind = "interface";
  else redirect.kind = type === BPF_MAP_TYPE_CPUMAP ? "cpu" : "socket";
  // The entries of a CPUMAP are its CPUs; what they hold is a queue's size.
  redirect.target = redirect.kind === "cpu" ? key : target;
  return XDP_REDIRECT;
}
