/** What the kernel says of a map (BPF_OBJ_GET_INFO_BY_FD; struct bpf_map_info in include/uapi/linux/bpf.h, Linux 6.18), which takes no privilege. */
import type { Descriptor } from "./descriptor.ts";
import { readInfo } from "./program-info.ts";

export interface MapInfo {
  readonly id: number;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly keySizeBytes: number;
  readonly valueSizeBytes: number;
  readonly maxEntries: number;
  /** BPF_F_*. */
  readonly flags: number;
}

const OFFSETS = { type: 0, id: 4, keySize: 8, valueSize: 12, maxEntries: 16, flags: 20 };
const SIZE = 24;

/** Throws KernelError. */
export function mapInfo(map: Descriptor): MapInfo {
  const info = readInfo(map, SIZE);
  return {
    id: info.u32(OFFSETS.id),
    type: info.u32(OFFSETS.type),
    keySizeBytes: info.u32(OFFSETS.keySize),
    valueSizeBytes: info.u32(OFFSETS.valueSize),
    maxEntries: info.u32(OFFSETS.maxEntries),
    flags: info.u32(OFFSETS.flags),
  };
}
