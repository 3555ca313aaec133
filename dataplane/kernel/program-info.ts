/** What the kernel says of a loaded program (BPF_OBJ_GET_INFO_BY_FD; struct bpf_prog_info in include/uapi/linux/bpf.h, Linux 6.18). */
import { readFileSync } from "node:fs";
import { Descriptor } from "./descriptor.ts";
import { systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { NativeStruct } from "./native.ts";

export interface ProgramInfo {
  readonly id: number;
  /** At most 15 bytes of its name. */
  readonly name: string;
  /** A digest of its instructions, 16 hexadecimal digits. Maps and the values of options do not count. */
  readonly tag: string;
  /** To the second: the host's clocks, of which it is told, go no finer together. */
  readonly loadedAt: Date;
}

/** Up to and without `ifindex`; any kernel from 4.15 on fills it. */
const INFO_SIZE = 80;
const ID = 4;
const TAG = { offset: 8, sizeBytes: 8 };
const LOAD_TIME = 40;
const NAME = { offset: 64, sizeBytes: 16 };

/** Throws KernelError. */
export function programInfo(program: Descriptor): ProgramInfo {
  const info = readInfo(program, INFO_SIZE);
  const { bytes } = info;
  return {
    id: info.u32(ID),
    name: textOf(bytes.subarray(NAME.offset, NAME.offset + NAME.sizeBytes)),
    tag: Buffer.from(bytes.subarray(TAG.offset, TAG.offset + TAG.sizeBytes)).toString("hex"),
    loadedAt: new Date(1000 * Math.round((bootTimeMs() + Number(info.u64(LOAD_TIME)) / 1e6) / 1000)),
  };
}

/** `program 7 ("balance")`, or without its name where only CAP_SYS_ADMIN could learn it. */
export function describeProgram(id: number): string {
  const result = libbpf().bpf_prog_get_fd_by_id(id);
  if (result < 0) return `program ${id}`;
  const program = new Descriptor(result, `program ${id}`);
  try {
    return `program ${id} ("${programInfo(program).name}")`;
  } finally {
    program.close();
  }
}

/** The first `sizeBytes` of a descriptor's info; what this kernel does not have is zero. Throws KernelError. */
export function readInfo(descriptor: Descriptor, sizeBytes: number): NativeStruct {
  const info = new NativeStruct(sizeBytes);
  const result = libbpf().bpf_obj_get_info_by_fd(descriptor.fd, info.bytes, Uint32Array.of(sizeBytes));
  if (result < 0) throw systemError(`read about ${descriptor.what}`, result);
  return info;
}

/** When the host was booted, by its own clocks: load times count nanoseconds from then on, time asleep included. */
function bootTimeMs(): number {
  const [uptimeSeconds] = readFileSync("/proc/uptime", "utf8").split(" ");
  return Date.now() - 1000 * Number(uptimeSeconds);
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString("utf8");
}
