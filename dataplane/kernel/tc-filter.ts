/**
 * A program as a filter at a network interface's ingress, through the clsact qdisc (Linux 4.5; libbpf does the netlink). There is one place that
 * is ours: a priority and handle that nobody else is likely to use. The filter keeps its program alive, whatever becomes of the process
 * that attached it, and goes with the interface.
 *
 * Interfaces are those of the calling thread's network namespace.
 */
import type { Descriptor } from "./descriptor.ts";
import { errnoName, type KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { withLibbpfMessages } from "./libbpf-messages.ts";
import { NativeStruct } from "./native.ts";
import { countTcFilters } from "./tc-filter-dump.ts";
import type { NetworkInterface } from "./xdp-state.ts";

/** struct bpf_tc_hook and bpf_tc_opts of libbpf 1.0. */
const HOOK = { sizeBytes: 24, ifindex: 8, attachPoint: 12 };
const OPTIONS = { sizeBytes: 32, programFd: 8, flags: 12, programId: 16, handle: 20, priority: 24 };
const BPF_TC_INGRESS = 1 << 0;
const BPF_TC_EGRESS = 1 << 1;
const BPF_TC_F_REPLACE = 1 << 0;

/** "LA" and "LN" in ASCII. Lower priorities go first. */
const PRIORITY = 0x4c41;
const HANDLE = 0x4c4e;

/**
 * Attaches the program, or replaces the one that is in our place: each packet sees one or the other. Says whether the interface had no
 * clsact, and so got one. Throws KernelError.
 */
export function attachTcFilter(program: Descriptor, target: NetworkInterface): { isQdiscMade: boolean } {
  const operation = `attach to the tc ingress of ${target.name}`;
  const hook = hookOf(target, BPF_TC_INGRESS);
  const made = quietly(() => libbpf().bpf_tc_hook_create(hook.bytes));
  if (made < 0 && errnoName(made) !== "EEXIST") throw failure(operation, made);
  const options = ourPlace().setU32(OPTIONS.programFd, program.fd).setU32(OPTIONS.flags, BPF_TC_F_REPLACE);
  const result = quietly(() => libbpf().bpf_tc_attach(hook.bytes, options.bytes));
  if (result >= 0) return { isQdiscMade: made >= 0 };
  const error = failure(operation, result);
  if (made >= 0) removeTcQdisc(target);
  throw error;
}

/** The id of the program in our place; undefined: none. Throws KernelError. */
export function queryTcFilter(target: NetworkInterface): number | undefined {
  const options = ourPlace();
  const hook = hookOf(target, BPF_TC_INGRESS);
  const result = quietly(() => libbpf().bpf_tc_query(hook.bytes, options.bytes));
  if (result >= 0) return options.u32(OPTIONS.programId);
  if (isNothingThere(result)) return undefined;
  throw failure(`ask ${target.name} for its tc filter`, result);
}

/** Takes away what is in our place. Harmless when nothing is. Throws KernelError. */
export function detachTcFilter(target: NetworkInterface): void {
  const options = ourPlace();
  const hook = hookOf(target, BPF_TC_INGRESS);
  const result = quietly(() => libbpf().bpf_tc_detach(hook.bytes, options.bytes));
  if (result < 0 && !isNothingThere(result))
    throw failure(`detach from the tc ingress of ${target.name}`, result);
}

/** Takes the clsact qdisc away, unless some filter needs it. Throws KernelError. */
export function removeTcQdisc(target: NetworkInterface): void {
  if (countTcFilters(target) > 0) return;
  const hook = hookOf(target, BPF_TC_INGRESS | BPF_TC_EGRESS);
  const result = quietly(() => libbpf().bpf_tc_hook_destroy(hook.bytes));
  if (result < 0 && !isNothingThere(result))
    throw failure(`remove the clsact qdisc of ${target.name}`, result);
}

/** Without the qdisc the kernel says EINVAL, without filter or priority ENOENT. */
function isNothingThere(result: number): boolean {
  return ["ENOENT", "EINVAL", "ENODEV"].includes(errnoName(result));
}

function hookOf({ ifindex }: NetworkInterface, attachPoint: number): NativeStruct {
  return new NativeStruct(HOOK.sizeBytes, { hasSize: true })
    .setU32(HOOK.ifindex, ifindex)
    .setU32(HOOK.attachPoint, attachPoint);
}

function ourPlace(): NativeStruct {
  return new NativeStruct(OPTIONS.sizeBytes, { hasSize: true })
    .setU32(OPTIONS.handle, HANDLE)
    .setU32(OPTIONS.priority, PRIORITY);
}

/** libbpf warns of what is no error here. */
function quietly(call: () => number): number {
  return withLibbpfMessages([], call);
}

function failure(operation: string, result: number): KernelError {
  const errno = errnoName(result);
  if (errno === "ENODEV")
    return systemError(operation, result, { remedy: "ip link shows those that there are" });
  if (errno === "EOPNOTSUPP" || errno === "ENOENT") {
    return systemError(operation, result, {
      code: "no-feature",
      why: "this kernel lacks clsact or BPF filters (CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)",
      remedy: "load the modules sch_ingress and cls_bpf, or use --hook xdp",
    });
  }
  return systemError(operation, result);
}
