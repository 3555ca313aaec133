/** Small text files by which the kernel tells about the host: /proc and /sys. What is not there, or not for this process to read, is an answer. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Without the newline at the end; undefined where it cannot be read. */
export function readHostFile(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trimEnd();
  } catch {
    return undefined;
  }
}

/** A whole number out of /proc/sys, by the parts of its name: interfaces have dots in theirs. Undefined where it cannot be read. */
export function readSysctl(...parts: readonly string[]): number | undefined {
  const text = readHostFile(join("/proc/sys", ...parts));
  return text !== undefined && /^-?[0-9]+$/.test(text) ? Number(text) : undefined;
}

/** More CPUs than any kernel is built for. */
const CPUS_MAX = 8192;

/** "0-2,5" as [0, 1, 2, 5]; what is no list of CPUs as []. */
export function parseCpuList(text: string): number[] {
  const cpus: number[] = [];
  for (const part of text.split(",")) {
    const range = /^([0-9]+)(?:-([0-9]+))?$/.exec(part.trim());
    if (range === null) continue;
    const first = Number(range[1]);
    const last = range[2] === undefined ? first : Number(range[2]);
    for (let cpu = first; cpu <= last && cpu < CPUS_MAX; cpu++) cpus.push(cpu);
  }
  return cpus;
}
