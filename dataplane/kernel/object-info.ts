/**
 * What the kernel says of a map, a program or a link behind a descriptor: BPF_OBJ_GET_INFO_BY_FD, which takes no privilege. Offsets are those of
 * struct bpf_map_info, bpf_prog_info and bpf_link_info (include/uapi/linux/bpf.h), which only ever grow at their end; what an older kernel
 * does not fill in stays 0.
 */
import type { Descriptor } from "./descriptor.ts";
import { systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { NativeStruct } from "./native.ts";

export interface MapInfo {
  readonly id: number;
  /** At most 15 bytes of it, as the kernel has it. */
  readonly name: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly keySizeBytes: number;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  /** BPF_F_*. */
  readonly flags: number;
}

export interface ProgramInfo {
  readonly id: number;
  readonly name: string;
  /** BPF_PROG_TYPE_*. */
  readonly type: number;
  /** Hash of the instructions, maps left out, as hexadecimal digits. */
  readonly tag: string;
  /** Instructions as the kernel rewrote them, and as machine code; 0: not compiled, or not to be seen. */
  readonly translatedSizeBytes: number;
  readonly compiledSizeBytes: number;
  /** When it was loaded, in nanoseconds since boot (CLOCK_BOOTTIME). */
  readonly loadedAtNs: bigint;
}

export interface LinkInfo {
  readonly id: number;
  /** BPF_LINK_TYPE_*; XDP is 6. */
  readonly type: number;
  readonly programId: number;
  /** Of XDP links; 0 after the interface is gone. */
  readonly ifindex: number;
}

/** Throws KernelError. */
export function mapInfo(descriptor: Descriptor): MapInfo {
  const info = readInfo(descriptor, 88);
  return {
    type: info.u32(0),
    id: info.u32(4),
    keySizeBytes: info.u32(8),
    valueSizeBytes: info.u32(12),
    maxEntries: info.u32(16),
    flags: info.u32(20),
    name: nameAt(info, 24),
  };
}

/** Throws KernelError. */
export function programInfo(descriptor: Descriptor): ProgramInfo {
  const info = readInfo(descriptor, 104);
  return {
    type: info.u32(0),
    id: info.u32(4),
    tag: Buffer.from(info.bytes.subarray(8, 16)).toString("hex"),
    compiledSizeBytes: info.u32(16),
    translatedSizeBytes: info.u32(20),
    loadedAtNs: info.u64(40),
    name: nameAt(info, 64),
  };
}

/** Throws KernelError. */
export function linkInfo(descriptor: Descriptor): LinkInfo {
  const info = readInfo(descriptor, 32);
  return { type: info.u32(0), id: info.u32(4), programId: info.u32(8), ifindex: info.u32(16) };
}

function readInfo(descriptor: Descriptor, sizeBytes: number): NativeStruct {
  const info = new NativeStruct(sizeBytes);
  const result = libbpf().bpf_obj_get_info_by_fd(descriptor.fd, info.bytes, Uint32Array.of(sizeBytes));
  if (result < 0) throw systemError(`${descriptor.what}: ask what it is`, result);
  return info;
}

const NAME_SIZE_BYTES = 16;

function nameAt(info: NativeStruct, offset: number): string {
  const bytes = Buffer.from(info.bytes.subarray(offset, offset + NAME_SIZE_BYTES));
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}
