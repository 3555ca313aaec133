/** Interfaces of this network namespace: those that are named on the command line, and those that links are on. */
import { type InterfaceInfo, listInterfaces } from "../../dataplane/kernel/links.ts";
import type { PinnedLink } from "../../dataplane/kernel/pin-layout.ts";
import { nearestWord } from "../model/nearest.ts";
import { UsageError } from "./exit.ts";
import { printable } from "./printable.ts";

/** In the order of the names, each once. Throws UsageError for one that is not there, with what may have been meant; KernelError. */
export function findInterfaces(names: readonly string[]): InterfaceInfo[] {
  const known = listInterfaces();
  return [...new Set(names)].map((name) => {
    const found = known.find((candidate) => candidate.name === name);
    if (found === undefined) throw new UsageError(noSuchInterface(name, known));
    return found;
  });
}

/**
 * The interface that a link is on. Undefined where it is detached, or in another network namespace, in which the same ifindex is another
 * interface: so its program must be the link's as well.
 */
export function interfaceOf(
  { ifindex, programId }: PinnedLink,
  interfaces: readonly InterfaceInfo[],
): InterfaceInfo | undefined {
  if (ifindex === 0) return undefined;
  return interfaces.find(
    (info) => info.ifindex === ifindex && info.xdp?.programs.some((each) => each.programId === programId),
  );
}

function noSuchInterface(name: string, known: readonly InterfaceInfo[]): string {
  const names = known.filter(({ isLoopback }) => !isLoopback).map((candidate) => candidate.name);
  const meant = nearestWord(name, names);
  const problem = `no interface "${printable(name)}" in this network namespace`;
  if (meant !== undefined) return `${problem}; did you mean "${printable(meant)}"?`;
  return names.length === 0
    ? `${problem}, which has none but the loopback interface`
    : `${problem}, expected one of ${names.map((other) => `"${printable(other)}"`).join(", ")}`;
}
