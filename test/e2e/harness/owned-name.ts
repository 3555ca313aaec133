/**
 * Names of what tests leave on the machine while they run: namespaces, folders of pins, scratch folders. Each carries the process that
 * made it, so that test files that run at the same time do not meet, and what a dead one left behind can be told from what is in use.
 */
/** A run that is itself under test takes another, so that no other run sweeps away what it left. */
export const PREFIX_VARIABLE = "LAMNA_E2E_PREFIX";
const DEFAULT_PREFIX = "lamna-e2e";
const prefix = process.env[PREFIX_VARIABLE] ?? DEFAULT_PREFIX;

let count = 0;

/** A name that nothing else on this machine has. */
export function ownedName(): string {
  count += 1;
  return `${prefix}-${process.pid}-${count}`;
}

/** The process that made what is called so; undefined when no run of that prefix did. */
export function ownerOf(name: string, ofPrefix: string = prefix): number | undefined {
  if (!name.startsWith(`${ofPrefix}-`)) return undefined;
  const match = /^(\d+)-\d/.exec(name.slice(ofPrefix.length + 1));
  return match === null ? undefined : Number(match[1]);
}
