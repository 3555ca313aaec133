/** What the kernel says of a bpf_link (struct bpf_link_info in include/uapi/linux/bpf.h, Linux 5.9). */
import { Descriptor } from "./descriptor.ts";
import { errnoName } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { readInfo } from "./program-info.ts";
import type { NetworkInterface, XdpState } from "./xdp-state.ts";

export interface LinkInfo {
  readonly isXdp: boolean;
  readonly id: number;
  readonly programId: number;
  /** Of an XDP link. 0: the interface was deleted, or the link detached. */
  readonly ifindex: number;
}

const OFFSETS = { type: 0, id: 4, programId: 8, ifindex: 16 };
const SIZE = 32;
const TYPE_XDP = 6;

/** Throws KernelError. */
export function readLinkInfo(link: Descriptor): LinkInfo {
  const info = readInfo(link, SIZE);
  return {
    isXdp: info.u32(OFFSETS.type) === TYPE_XDP,
    id: info.u32(OFFSETS.id),
    programId: info.u32(OFFSETS.programId),
    ifindex: info.u32(OFFSETS.ifindex),
  };
}

/** Far more than a host has; links come and go while they are being looked through. */
const LINKS_MAX = 100_000;

/** The id of the link by which an interface has its program; 0: none, so netlink; undefined: only CAP_SYS_ADMIN may look. */
export function findXdpLink({ ifindex }: NetworkInterface, { programId }: XdpState): number | undefined {
  const next = Uint32Array.of(0);
  for (let count = 0; count < LINKS_MAX; count++) {
    const result = libbpf().bpf_link_get_next_id(next[0]!, next);
    if (result < 0) return errnoName(result) === "ENOENT" ? 0 : undefined;
    const id = next[0]!;
    const fd = libbpf().bpf_link_get_fd_by_id(id);
    if (fd < 0 && errnoName(fd) === "EPERM") return undefined;
    if (fd < 0) continue; // gone meanwhile
    const link = new Descriptor(fd, `link ${id}`);
    const info = readLinkInfo(link);
    link.close();
    if (info.isXdp && info.ifindex === ifindex && info.programId === programId) return id;
  }
  return undefined;
}
