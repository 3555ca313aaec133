/** How many packets ended for which reason, as the program has counted them. */
import { possibleCpuCount, type RawMap } from "../kernel/raw-map.ts";
import { REASON_NAMES, reasonBlock } from "./generated/decap.ts";

/** Packets by reason, in the order of reasons.h, over all CPUs. Throws KernelError. */
export function readReasons(reasons: RawMap): Map<string, bigint> {
  const total = new Map(REASON_NAMES.map((name) => [name, 0n]));
  for (let cpu = 0; cpu < possibleCpuCount(); cpu++) {
    const value = reasons.lookup(new Uint8Array(Uint32Array.of(cpu).buffer));
    // The host has more CPUs than when the map was made: not seen, as possible CPUs are fixed at boot.
    if (value === undefined) break;
    const { packets } = reasonBlock.read(value);
    for (const [reason, name] of REASON_NAMES.entries()) total.set(name, total.get(name)! + packets[reason]!);
  }
  return total;
}
