/** What this process may do, and with what: capabilities, user namespace, libbpf, BPF file system. */
import { accessSync, constants, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { type Capability, hasCapability, NEEDED_CAPABILITIES } from "./capabilities.ts";
import { readHostFile } from "./host-files.ts";
import { KernelError } from "./kernel-error.ts";
import { libbpfVersion } from "./libbpf.ts";

export interface PrivilegeFacts {
  /** Capabilities in effect, and whether this process has each; undefined where /proc does not say. */
  readonly capabilities: readonly { readonly name: Capability; readonly isHeld: boolean | undefined }[];
  readonly isRoot: boolean;
  /** Capabilities of a user namespace do not count for BPF. */
  readonly isInUserNamespace: boolean;
  readonly libbpf: LibbpfFact;
  readonly bpffs: BpffsFact;
}

export type LibbpfFact =
  | { readonly isThere: true; readonly version: string }
  | { readonly isThere: false; readonly why: string; readonly remedy: string | undefined };

export interface BpffsFact {
  /** The directory that was looked at: the one asked for, or the nearest above it that exists. */
  readonly path: string;
  readonly isBpffs: boolean;
  readonly isWritable: boolean;
}

/** All that Lamna may need, CAP_SYS_ADMIN for what CAP_BPF stands for before 5.8 and for naming other programs. */
const CAPABILITIES: readonly Capability[] = [...NEEDED_CAPABILITIES, "CAP_SYS_ADMIN"];
/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;
/** The whole range of ids, of the first user namespace. */
const ALL_IDS = /^\s*0\s+0\s+4294967295\s*$/;

/** Never throws for what the host lacks. */
export function readPrivilegeFacts(pinDirectory: string): PrivilegeFacts {
  return {
    capabilities: CAPABILITIES.map((name) => ({ name, isHeld: hasCapability(name) })),
    isRoot: process.geteuid?.() === 0,
    isInUserNamespace: !ALL_IDS.test(readHostFile("/proc/self/uid_map") ?? "0 0 4294967295"),
    libbpf: readLibbpf(),
    bpffs: readBpffs(pinDirectory),
  };
}

function readLibbpf(): LibbpfFact {
  try {
    return { isThere: true, version: libbpfVersion() };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    return { isThere: false, why: error.message, remedy: error.remedy };
  }
}

function readBpffs(directory: string): BpffsFact {
  let path = directory;
  for (;;) {
    try {
      const isBpffs = statfsSync(path).type === BPF_FS_MAGIC;
      return { path, isBpffs, isWritable: isBpffs && canWrite(path) };
    } catch {
      if (path === dirname(path)) return { path, isBpffs: false, isWritable: false };
      path = dirname(path);
    }
  }
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
