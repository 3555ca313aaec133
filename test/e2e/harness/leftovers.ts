/** Everything on this machine that carries a name of ours: to find what was left behind, and to remove what a killed run left. */
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./command.ts";
import { ownerOf } from "./owned-name.ts";

export const NAMESPACES = "/run/netns";
export const BPFFS = "/sys/fs/bpf";

export interface Leftover {
  readonly path: string;
  readonly owner: number;
  remove(): void;
}

/** What there is of ours, or of the runs of another prefix; of living owners too. */
export function leftovers(prefix?: string): Leftover[] {
  const removeTree = (path: string) => () => rmSync(path, { recursive: true, force: true });
  return [
    // Pins first: a link that is pinned there holds on to its interface's program.
    ...owned(BPFFS, prefix, removeTree),
    ...owned(
      NAMESPACES,
      prefix,
      (path) => () => run("ip", ["netns", "delete", path.slice(NAMESPACES.length + 1)]),
    ),
    ...owned(tmpdir(), prefix, removeTree),
  ];
}

/** Removes what processes left that are gone. What another run removes at the same moment is no error. */
export function sweep(): void {
  for (const leftover of leftovers()) {
    if (isAlive(leftover.owner)) continue;
    try {
      leftover.remove();
    } catch (error) {
      if (leftovers().some(({ path }) => path === leftover.path)) throw error;
    }
  }
}

function owned(folder: string, prefix: string | undefined, remove: (path: string) => () => void): Leftover[] {
  return listed(folder).flatMap((name) => {
    const owner = ownerOf(name, prefix);
    const path = join(folder, name);
    return owner === undefined ? [] : [{ path, owner, remove: remove(path) }];
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // Without any namespace there is no folder of them.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
