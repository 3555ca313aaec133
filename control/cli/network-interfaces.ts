/** Interfaces that are named on the command line. */
import { type InterfaceInfo, listInterfaces } from "../../dataplane/kernel/links.ts";
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

function noSuchInterface(name: string, known: readonly InterfaceInfo[]): string {
  const names = known.filter(({ isLoopback }) => !isLoopback).map((candidate) => candidate.name);
  const meant = nearestWord(name, names);
  const problem = `no interface "${printable(name)}" in this network namespace`;
  if (meant !== undefined) return `${problem}; did you mean "${printable(meant)}"?`;
  return names.length === 0
    ? `${problem}, which has none but the loopback interface`
    : `${problem}, expected one of ${names.map((other) => `"${printable(other)}"`).join(", ")}`;
}
