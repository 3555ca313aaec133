/**
 * Failures of the kernel, of libbpf or of the host. The kernel answers in error numbers that mean one thing here and another there; an error
 * says the operation, what it means, and what to do.
 */
import { constants } from "node:os";
import { missingCapabilities } from "./capabilities.ts";

export type KernelErrorCode =
  | "no-libbpf" // the library, or a function of a newer one
  | "no-privilege"
  | "no-feature" // of this kernel, driver or platform
  | "no-bpffs"
  | "no-interface"
  | "busy" // somebody else has what was wanted
  | "rejected" // by the verifier, or an object that libbpf cannot load
  | "closed" // a handle that was used after its close()
  | "not-found"
  | "wrong-layout" // what is there is not what was expected to be
  | "no-space"
  | "not-comparable" // a frame that comes in on wires but that the kernel's test run does not take
  | "io";

export interface KernelErrorFacts {
  /** The name of the kernel's error number, "EPERM". */
  readonly errno?: string | undefined;
  /** What to do, as a clause: `install it with "apt-get install libbpf1"`. */
  readonly remedy?: string | undefined;
  /** The verifier's log, whole. */
  readonly log?: string | undefined;
  readonly cause?: unknown;
}

/** Any failure of kernel, libbpf or host. The message names the operation, what went wrong and the remedy; the log stays in its field. */
export class KernelError extends Error {
  readonly code: KernelErrorCode;
  /** What was being done, as a noun phrase or verb: `load program "balance"`. */
  readonly operation: string;
  readonly errno: string | undefined;
  readonly remedy: string | undefined;
  readonly log: string | undefined;

  constructor(code: KernelErrorCode, operation: string, why: string, facts: KernelErrorFacts = {}) {
    const { errno, remedy, log, cause } = facts;
    super(
      `${operation}: ${why}${remedy === undefined ? "" : `; ${remedy}`}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = "KernelError";
    this.code = code;
    this.operation = operation;
    this.errno = errno;
    this.remedy = remedy;
    this.log = log;
  }
}

export interface SystemErrorOptions extends Omit<KernelErrorFacts, "errno"> {
  /** Where the number means something of its own here; default: what it means mostly. */
  readonly code?: KernelErrorCode;
  /** Further words for the message. */
  readonly why?: string;
}

/**
 * The error for a number that a system call or libbpf returned, negative or positive. A lack of privileges names the capabilities
 * that this process lacks.
 */
export function systemError(
  operation: string,
  number: number,
  { code, why, remedy, ...facts }: SystemErrorOptions = {},
): KernelError {
  const errno = errnoName(number);
  const meant = code ?? CODES[errno] ?? "io";
  const words = [errnoText(errno), why].filter((text) => text !== undefined).join(": ");
  if (meant !== "no-privilege") return new KernelError(meant, operation, words, { ...facts, errno, remedy });
  return new KernelError(meant, operation, words, {
    ...facts,
    errno,
    remedy: remedy ?? privilegeRemedy(),
  });
}

/** "EPERM" for 1 and -1. Numbers without a name keep their digits. */
export function errnoName(number: number): string {
  const positive = Math.abs(number);
  return NAMES.get(positive) ?? `error ${positive}`;
}

/** The number of a name, positive; undefined where this platform has no such error. */
export function errnoNumber(name: string): number | undefined {
  for (const [number, known] of NAMES) if (known === name) return number;
  return undefined;
}

function errnoText(errno: string): string {
  const text = TEXTS[errno];
  return text === undefined ? errno : `${errno} (${text})`;
}

/** What loading and attaching take on a kernel from 5.8 on (include/uapi/linux/capability.h). */
function privilegeRemedy(): string {
  const missing = missingCapabilities();
  if (missing === undefined || missing.length === 0) {
    return "this process has the capabilities that are needed, so it is in a user namespace, or a security module forbids it, or RLIMIT_MEMLOCK is too low (before Linux 5.11)";
  }
  const which = missing.join(", ");
  return `this process lacks ${which}: run as root, or grant ${which}`;
}

/** ENOTSUPP was never meant to leave the kernel but does (include/linux/errno.h); from 4000 on they are libbpf's own (libbpf.h). */
const NAMES: ReadonlyMap<number, string> = new Map([
  // Some numbers have two names; the first is the one to be found in manual pages.
  ...Object.entries(constants.errno)
    .map(([name, number]): [number, string] => [number, name])
    .reverse(),
  [constants.errno.EAGAIN, "EAGAIN"],
  [constants.errno.EOPNOTSUPP, "EOPNOTSUPP"],
  [524, "ENOTSUPP"],
  // Those that Node has no name for (include/uapi/asm-generic/errno.h).
  [121, "EREMOTEIO"],
  [4000, "LIBBPF_ERRNO__LIBELF"],
  [4001, "LIBBPF_ERRNO__FORMAT"],
  [4002, "LIBBPF_ERRNO__KVERSION"],
  [4003, "LIBBPF_ERRNO__ENDIAN"],
  [4004, "LIBBPF_ERRNO__INTERNAL"],
  [4005, "LIBBPF_ERRNO__RELOC"],
  [4006, "LIBBPF_ERRNO__LOAD"],
  [4007, "LIBBPF_ERRNO__VERIFY"],
  [4008, "LIBBPF_ERRNO__PROG2BIG"],
  [4009, "LIBBPF_ERRNO__KVER"],
  [4010, "LIBBPF_ERRNO__PROGTYPE"],
  [4011, "LIBBPF_ERRNO__WRNGPID"],
  [4012, "LIBBPF_ERRNO__INVSEQ"],
  [4013, "LIBBPF_ERRNO__NLPARSE"],
]);

const CODES: Readonly<Record<string, KernelErrorCode>> = {
  EPERM: "no-privilege",
  EACCES: "no-privilege",
  EBUSY: "busy",
  ENOENT: "not-found",
  ESRCH: "not-found",
  ENODEV: "no-interface",
  ENXIO: "no-interface",
  ENOSPC: "no-space",
  ENOMEM: "no-space",
  E2BIG: "no-space",
  EMFILE: "no-space",
  ENFILE: "no-space",
  ENOSYS: "no-feature",
  EOPNOTSUPP: "no-feature",
  ENOTSUPP: "no-feature",
  EPROTONOSUPPORT: "no-feature",
  EAFNOSUPPORT: "no-feature",
};

const TEXTS: Readonly<Record<string, string>> = {
  EPERM: "not permitted",
  EACCES: "permission denied",
  EBUSY: "busy",
  EEXIST: "exists already",
  ENOENT: "no such thing",
  ENODEV: "no such device",
  ENXIO: "no such device",
  EINVAL: "invalid argument",
  ENOSPC: "no room left",
  ENOMEM: "out of memory",
  E2BIG: "too many entries, or too big",
  EMFILE: "too many open files in this process",
  ENFILE: "too many open files on this host",
  ENOSYS: "not in this kernel",
  EOPNOTSUPP: "not supported",
  ENOTSUPP: "not supported",
  EBADF: "bad file descriptor",
  LIBBPF_ERRNO__FORMAT: "no BPF object file",
  LIBBPF_ERRNO__ENDIAN: "an object file of the other byte order",
};
