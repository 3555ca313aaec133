/** What came with which kernel, where the kernel itself does not refuse what it does not know. */
import { release } from "node:os";

/** Whether the running kernel is of this version or later, by its name, which distributions keep true. */
export function isLinuxSince(major: number, minor: number): boolean {
  const [thisMajor = 0, thisMinor = 0] = release().split(".").map(Number.parseFloat);
  return thisMajor > major || (thisMajor === major && thisMinor >= minor);
}
