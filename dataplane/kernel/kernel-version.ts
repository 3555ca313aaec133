/** What came with which kernel, where the kernel itself does not refuse what it does not know. */
import { release } from "node:os";

export type KernelVersion = readonly [major: number, minor: number];

/** "6.1.0-18-amd64" as [6, 1]; [0, 0] for what is no version. Distributions keep to the name, whatever else they change. */
export function parseVersion(text: string): KernelVersion {
  const match = /^([0-9]+)\.([0-9]+)/.exec(text);
  return match === null ? [0, 0] : [Number(match[1]), Number(match[2])];
}

export function isAtLeast([major, minor]: KernelVersion, [leastMajor, leastMinor]: KernelVersion): boolean {
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

/** Whether the running kernel is of this version or later. */
export function isLinuxSince(major: number, minor: number): boolean {
  return isAtLeast(parseVersion(release()), [major, minor]);
}
