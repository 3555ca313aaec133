/**
 * What this kernel can do and how it is set up, as far as the process can see. Features are tried where the process may; otherwise the kernel's own type
 * information (BTF) says whether it was built with them, and where there is none, its version.
 */
import { readFileSync } from "node:fs";
import { release } from "node:os";
import { assemble } from "../isa/assemble.ts";
import { encode } from "../isa/encoding.ts";
import { missingCapabilities } from "./capabilities.ts";
import { Descriptor } from "./descriptor.ts";
import { parseCpuList, readHostFile, readSysctl } from "./host-files.ts";
import { IS_LITTLE_ENDIAN } from "./host-order.ts";
import { isAtLeast, type KernelVersion, parseVersion } from "./kernel-version.ts";
import { libbpf } from "./libbpf.ts";
import { NativeStruct } from "./native.ts";
import { readInfo } from "./program-info.ts";

export type KernelFeature =
  | "xdp"
  | "xdp-links"
  | "mmapable-arrays"
  | "batch-operations"
  | "ring-buffer"
  | "live-frames"
  | "xdp-frags";

export interface FeatureFact {
  readonly feature: KernelFeature;
  readonly isThere: boolean;
  readonly how: "tried" | "types" | "version";
  /** The first version that has it: major and minor. */
  readonly since: KernelVersion;
}

export interface KernelFacts {
  /** As `uname -r` has it. */
  readonly release: string;
  readonly version: KernelVersion;
  readonly features: readonly FeatureFact[];
  /** net.core.bpf_jit_enable: 0 off, 1 on, 2 on and printing. Only the first network namespace shows it. */
  readonly jit: number | undefined;
  /** Whether a program that was loaded to see was compiled; undefined where none may be. */
  readonly isJitted: boolean | undefined;
  /** net.core.bpf_jit_harden: 2 hardens root's programs too. Only root can read it. */
  readonly jitHarden: number | undefined;
  /** "none", "integrity" or "confidentiality"; undefined where the kernel has none, or securityfs is not mounted. */
  readonly lockdown: string | undefined;
  /** RLIMIT_MEMLOCK of this process; undefined: no limit, or not known. */
  readonly memlockBytes: number | undefined;
  readonly onlineCpus: readonly number[];
}

/** `types`: names in the kernel's BTF that came with the feature. */
const FEATURES: readonly {
  readonly feature: KernelFeature;
  readonly since: KernelVersion;
  readonly types: readonly string[];
  readonly attempt?: () => boolean;
}[] = [
  { feature: "xdp", since: [4, 8], types: ["BPF_PROG_TYPE_XDP"], attempt: canLoadXdp },
  { feature: "xdp-links", since: [5, 9], types: ["bpf_xdp_link_attach"] },
  { feature: "mmapable-arrays", since: [5, 5], types: ["array_map_mmap"], attempt: canMakeMmapable },
  {
    feature: "batch-operations",
    since: [5, 6],
    types: ["generic_map_update_batch"],
    attempt: canUpdateBatch,
  },
  { feature: "ring-buffer", since: [5, 8], types: ["BPF_MAP_TYPE_RINGBUF"], attempt: canMakeRingBuffer },
  { feature: "live-frames", since: [5, 18], types: ["xdp_test_data", "xdp_page_head"] },
  { feature: "xdp-frags", since: [5, 18], types: ["xdp_has_frags"] },
];

/** Never throws for what the host lacks. */
export function readKernelFacts(): KernelFacts {
  const version = parseVersion(release());
  // Together they allow every attempt; some of them would fail for want of privilege otherwise.
  const canTry = missingCapabilities()?.length === 0;
  const types = readKernelTypes();
  return {
    release: release(),
    version,
    features: FEATURES.map(({ feature, since, types: names, attempt }) => {
      const tried = canTry && attempt !== undefined ? tryOut(attempt) : undefined;
      if (tried !== undefined) return { feature, since, isThere: tried, how: "tried" };
      if (types !== undefined) {
        return { feature, since, isThere: names.some((name) => types.includes(`\0${name}\0`)), how: "types" };
      }
      return { feature, since, isThere: isAtLeast(version, since), how: "version" };
    }),
    isJitted: canTry ? tryOut(isCompiled) : undefined,
    jit: readSysctl("net", "core", "bpf_jit_enable"),
    jitHarden: readSysctl("net", "core", "bpf_jit_harden"),
    lockdown: /\[([a-z]+)\]/.exec(readHostFile("/sys/kernel/security/lockdown") ?? "")?.[1],
    memlockBytes: memlockLimit(readHostFile("/proc/self/limits") ?? ""),
    onlineCpus: parseCpuList(readHostFile("/sys/devices/system/cpu/online") ?? ""),
  };
}

/** The soft limit of /proc/self/limits (proc_pid_limits(5)), in bytes. */
export function memlockLimit(limits: string): number | undefined {
  const soft = /^Max locked memory\s+([0-9]+)\s/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

/** The strings of BTF are zero-terminated and each there once. Several megabytes, so that they are searched and not taken apart. */
function readKernelTypes(): Buffer | undefined {
  try {
    return readFileSync("/sys/kernel/btf/vmlinux");
  } catch {
    return undefined;
  }
}

/** Undefined: could not be tried, as libbpf is missing. */
function tryOut(attempt: () => boolean | undefined): boolean | undefined {
  try {
    return attempt();
  } catch {
    return undefined;
  }
}

const BPF_PROG_TYPE_XDP = 6;
const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_RINGBUF = 27;
const BPF_F_MMAPABLE = 1 << 10;
/** struct bpf_map_create_opts and bpf_map_batch_opts of libbpf 1.0. */
const CREATE_OPTIONS = { sizeBytes: 48, mapFlags: 28 };
const BATCH_OPTIONS_BYTES = 24;

function canLoadXdp(): boolean {
  return libbpf().libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, null) === 1;
}

/** struct bpf_prog_load_opts up to log_buf (libbpf 1.0), and where bpf_prog_info has how long the machine code is. */
const LOAD_OPTIONS_BYTES = 104;
const PROGRAM_INFO = { sizeBytes: 20, jitedLength: 16 };

/** Loads a program that passes every packet, and attaches it nowhere. */
function isCompiled(): boolean | undefined {
  const code = encode(assemble("r0 = 2\nexit"), IS_LITTLE_ENDIAN);
  const options = new NativeStruct(LOAD_OPTIONS_BYTES, { hasSize: true });
  const fd = libbpf().bpf_prog_load(
    BPF_PROG_TYPE_XDP,
    "lamna_probe",
    "Dual MIT/GPL",
    code,
    code.length / 8,
    options.bytes,
  );
  if (fd < 0) return undefined;
  const program = new Descriptor(fd, "program of a probe");
  try {
    return readInfo(program, PROGRAM_INFO.sizeBytes).u32(PROGRAM_INFO.jitedLength) > 0;
  } finally {
    program.close();
  }
}

function canMakeRingBuffer(): boolean {
  return libbpf().libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, null) === 1;
}

function canMakeMmapable(): boolean {
  return withArray(BPF_F_MMAPABLE, () => true);
}

function canUpdateBatch(): boolean {
  return withArray(0, (map) => {
    const options = new NativeStruct(BATCH_OPTIONS_BYTES, { hasSize: true });
    const count = Uint32Array.of(1);
    return (
      libbpf().bpf_map_update_batch(map.fd, new Uint8Array(4), new Uint8Array(8), count, options.bytes) === 0
    );
  });
}

/** An array of one element, for as long as the call lasts. */
function withArray(flags: number, use: (map: Descriptor) => boolean): boolean {
  const options = new NativeStruct(CREATE_OPTIONS.sizeBytes, { hasSize: true });
  options.setU32(CREATE_OPTIONS.mapFlags, flags);
  const fd = libbpf().bpf_map_create(BPF_MAP_TYPE_ARRAY, "lamna_probe", 4, 8, 1, options.bytes);
  if (fd < 0) return false;
  const map = new Descriptor(fd, "map of a probe");
  try {
    return use(map);
  } finally {
    map.close();
  }
}
