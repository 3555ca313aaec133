/**
 * Every helper there is, by number, but bpf_tail_call, which is the engines' own; and the names of those the kernel has and this machine has not.
 */
import { ENVIRONMENT_HELPERS } from "./environment-helpers.ts";
import { FIB_HELPER } from "./fib-helper.ts";
import type { Helper } from "./helper.ts";
import { MAP_HELPERS } from "./map-helpers.ts";
import { helperName } from "./names.ts";
import { OUTPUT_HELPERS } from "./output-helpers.ts";
import { PACKET_HELPERS } from "./packet-helpers.ts";
import { PROGRAM_HELPERS } from "./program-helpers.ts";
import { REDIRECT_HELPERS } from "./redirect-helpers.ts";

const HELPERS: (Helper | undefined)[] = [];
for (const helper of [
  ...MAP_HELPERS,
  ...ENVIRONMENT_HELPERS,
  ...PACKET_HELPERS,
  ...REDIRECT_HELPERS,
  FIB_HELPER,
  ...OUTPUT_HELPERS,
  ...PROGRAM_HELPERS,
]) {
  HELPERS[helper.number] = helper;
}

export function helperByNumber(number: number): Helper | undefined {
  return HELPERS[number];
}

/** Why there is no such helper, for a fault. */
export function explainUnknownHelper(number: number): string {
  const name = helperName(number);
  return name === undefined
    ? `there is no helper ${number}`
    : `helper ${number}, bpf_${name}, is not available here`;
}
