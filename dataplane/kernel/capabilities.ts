/** What this process may do, as the kernel sees it: /proc/self/status, CapEff (proc_pid_status(5)). */
import { readFileSync } from "node:fs";

/** Bits of include/uapi/linux/capability.h. */
const CAPABILITIES = {
  CAP_NET_ADMIN: 12,
  CAP_SYS_ADMIN: 21,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
} as const;

export type Capability = keyof typeof CAPABILITIES;

/** All that Lamna needs to load, attach and pin, from kernel 5.8 on. */
export const NEEDED_CAPABILITIES: readonly Capability[] = ["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"];

/** Whether this process has it in effect; undefined where /proc does not say. */
export function hasCapability(name: Capability): boolean | undefined {
  const effective = effectiveCapabilities();
  return effective === undefined ? undefined : ((effective >> BigInt(CAPABILITIES[name])) & 1n) === 1n;
}

/** Those of `wanted` that this process lacks; CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON. Undefined where /proc does not say. */
export function missingCapabilities(
  wanted: readonly Capability[] = NEEDED_CAPABILITIES,
): Capability[] | undefined {
  if (effectiveCapabilities() === undefined) return undefined;
  const isAdmin = hasCapability("CAP_SYS_ADMIN") === true;
  return wanted.filter((name) => {
    if (isAdmin && (name === "CAP_BPF" || name === "CAP_PERFMON")) return false;
    return hasCapability(name) === false;
  });
}

function effectiveCapabilities(): bigint | undefined {
  try {
    const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return digits === undefined ? undefined : BigInt(`0x${digits}`);
  } catch {
    return undefined;
  }
}
