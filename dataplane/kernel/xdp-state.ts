/** Which XDP program an interface runs, and how: what the kernel tells anybody over netlink. */
import { systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { NativeStruct } from "./native.ts";

export type AttachMode = "native" | "generic" | "offload";

/** XDP_FLAGS_* of include/uapi/linux/if_link.h. */
export const MODE_FLAGS: { readonly [mode in AttachMode]: number } = {
  generic: 1 << 1,
  native: 1 << 2,
  offload: 1 << 3,
};

/** Of the calling thread's network namespace. */
export interface NetworkInterface {
  readonly name: string;
  readonly ifindex: number;
}

export interface XdpState {
  /** Of the program that runs there; undefined: none. */
  readonly mode: AttachMode | undefined;
  /** 0 where there is none. In offload mode another program may run in native mode beside it. */
  readonly programId: number;
}

/** struct bpf_xdp_query_opts of libbpf 1.0, and enum XDP_ATTACHED_* of if_link.h. */
const QUERY_OPTIONS = { sizeBytes: 32, driver: 12, hardware: 16, generic: 20 };

/** What runs on an interface. Needs no privileges. Throws KernelError. */
export function queryXdp({ name, ifindex }: NetworkInterface): XdpState {
  const options = new NativeStruct(QUERY_OPTIONS.sizeBytes, { hasSize: true });
  const result = libbpf().bpf_xdp_query(ifindex, 0, options.bytes);
  if (result < 0) throw systemError(`ask ${name} for its XDP program`, result);
  for (const [mode, offset] of [
    ["offload", QUERY_OPTIONS.hardware],
    ["native", QUERY_OPTIONS.driver],
    ["generic", QUERY_OPTIONS.generic],
  ] as const) {
    const programId = options.u32(offset);
    if (programId !== 0) return { mode, programId };
  }
  return { mode: undefined, programId: 0 };
}
