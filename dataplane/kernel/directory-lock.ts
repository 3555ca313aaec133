/**
 * One process at a time: a lock (flock(2)) on a directory, which the kernel takes away from a process that dies. Who holds it may
 * remove the directory and make it again: who gets the lock then has that of a directory that nobody can find, notices, and
 * tries again.
 */
import { constants, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Descriptor } from "./descriptor.ts";
import { errnoName, errnoNumber, KernelError, systemError } from "./kernel-error.ts";
import { libc } from "./libc.ts";
import { lastErrno } from "./native.ts";
import { makePinDirectory } from "./pins.ts";

export interface LockOptions {
  /** shared: with others who share it, for reading. */
  readonly mode: "exclusive" | "shared";
  /** Make the directory where it is not there. */
  readonly isMade: boolean;
  /** How long to wait for others, before saying who they are. */
  readonly waitMs: number;
}

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;
const RETRY_MS = 20;

/**
 * Undefined when there is no such directory, and it is not to be made. Closing the descriptor gives the lock back. Rejects with
 * KernelError, "busy" when others keep the lock for too long.
 */
export async function lockDirectory(path: string, options: LockOptions): Promise<Descriptor | undefined> {
  const operation = (options.mode === "exclusive" ? LOCK_EX : LOCK_SH) | LOCK_NB;
  const deadline = performance.now() + options.waitMs;
  for (;;) {
    if (options.isMade) makePinDirectory(path);
    const directory = openDirectory(path);
    if (directory === undefined) {
      if (!options.isMade) return undefined;
      continue; // it was removed since
    }
    const isLocked = libc().flock(directory.fd, operation) === 0;
    const errno = isLocked ? "" : errnoName(lastErrno());
    if (isLocked && isAt(path, directory)) return directory;
    const holder = isLocked ? undefined : holderOf(directory);
    directory.close();
    if (isLocked) continue;
    if (errno !== "EAGAIN" && errno !== "EINTR") throw systemError(`lock ${path}`, errnoNumber(errno) ?? 0);
    if (performance.now() >= deadline) {
      throw new KernelError("busy", `lock ${path}`, `${holder ?? "another process"} is changing it`, {
        errno,
        remedy: "try again when it is done",
      });
    }
    await sleep(RETRY_MS);
  }
}

function openDirectory(path: string): Descriptor | undefined {
  try {
    return new Descriptor(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), `lock of ${path}`);
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    const number = errnoNumber(code);
    if (number === undefined) throw error;
    throw systemError(`open ${path}`, number, {
      cause: error,
      remedy:
        code === "ENOTDIR" ? "expected a directory" : "run as its owner, or name another with --pin-dir",
    });
  }
}

function isAt(path: string, directory: Descriptor): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const { ino, dev } = fstatSync(directory.fd);
  return there !== undefined && there.ino === ino && there.dev === dev;
}

/** Who has the lock, as /proc/locks knows it (proc_locks(5)): `process 42 (node main.js attach e0)`. */
function holderOf(directory: Descriptor): string | undefined {
  const { ino, dev } = fstatSync(directory.fd);
  const file = `${hex(major(dev))}:${hex(minor(dev))}:${ino}`;
  try {
    for (const line of readFileSync("/proc/locks", "utf8").split("\n")) {
      const [, kind, , , pid, locked] = line.trim().split(/\s+/);
      if (kind !== "FLOCK" || locked !== file) continue;
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return `process ${pid} (${command})`;
    }
  } catch {
    // It is gone, or /proc hides it.
  }
  return undefined;
}

/** Of st_dev, as glibc packs them (gnu_dev_major in sys/sysmacros.h). */
function major(device: number): number {
  return Math.floor(device / 2 ** 8) & 0xfff;
}

function minor(device: number): number {
  return (device & 0xff) | (Math.floor(device / 2 ** 12) & 0xfffff00);
}

function hex(number: number): string {
  return number.toString(16).padStart(2, "0");
}
