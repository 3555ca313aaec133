/** Return codes of XDP programs (enum xdp_action, linux/bpf.h). */
import type { VerdictName } from "../model/reasons.ts";

const NAMES: readonly VerdictName[] = ["aborted", "drop", "pass", "tx", "redirect"];

/** What becomes of a packet: a code that does not exist ends it as XDP_ABORTED does. */
export function verdictName(code: number): VerdictName {
  return NAMES[code] ?? "aborted";
}

/** "tx (3)", and a code that does not exist as that. */
export function describeVerdict(code: number | bigint): string {
  return `${NAMES[Number(code)] ?? "no such verdict"} (${code})`;
}
