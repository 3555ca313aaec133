/** What doctor says: one line for each thing it looked at. */

/**
 * ok: as it should be. warning: works, but not as well as it could, or only under a condition. problem: does not work so. unknown: could not be
 * seen, by this process or on this kernel.
 */
export type FindingState = "ok" | "warning" | "problem" | "unknown";

export interface Finding {
  /** What was looked at, in few words; stable, for programs. */
  readonly check: string;
  readonly state: FindingState;
  /** What was found: a clause. */
  readonly found: string;
  /** What to do, as a clause; absent where there is nothing to do. */
  readonly remedy?: string;
}

/** Findings about one thing. */
export interface FindingGroup {
  /** "kernel", "interface e0". */
  readonly topic: string;
  readonly findings: readonly Finding[];
}

export function ok(check: string, found: string): Finding {
  return { check, state: "ok", found };
}

export function warning(check: string, found: string, remedy: string): Finding {
  return { check, state: "warning", found, remedy };
}

export function problem(check: string, found: string, remedy: string): Finding {
  return { check, state: "problem", found, remedy };
}

export function unknown(check: string, found: string, remedy?: string): Finding {
  return remedy === undefined
    ? { check, state: "unknown", found }
    : { check, state: "unknown", found, remedy };
}

/** "a", "a and b", "a, b and 3 more": at most `max` of them by name. */
export function listed(names: readonly string[], max = 4): string {
  const shown = names.slice(0, max);
  const rest = names.length - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  return shown.length < 2 ? shown.join("") : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** "1 queue", "2 queues". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
