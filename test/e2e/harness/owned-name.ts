/**
 * Names of what tests leave on the machine while they run: namespaces, folders of pins, scratch folders. Each carries the process that
 * made it, so that test files that run at the same time do not meet, and what a dead one left behind can be told from what is in use.
 */
const PREFIX = "lamna-e2e-";

let count = 0;

/** A name that nothing else on this machine has. */
export function ownedName(): string {
  count += 1;
  return `${PREFIX}${process.pid}-${count}`;
}

/** The process that made what is called so; undefined when no test of ours did. */
export function ownerOf(name: string): number | undefined {
  const match = /^lamna-e2e-(\d+)-/.exec(name);
  return match === null ? undefined : Number(match[1]);
}
