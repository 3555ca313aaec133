/**
 * Files in a BPF file system (bpffs): each keeps a map, program or link alive for as long as it is there, whatever becomes of the
 * process that made it. Nothing is mounted here. A pin never overwrites another; a rename does, in one step.
 *
 * bpffs refuses names with a dot (bpf_lookup in kernel/bpf/inode.c, Linux 6.18), which network interfaces may have (eth0.100). So
 * a dot is written as "%2E" and "%" itself as "%25", as in URLs (RFC 3986 section 2.1); other characters stay.
 *
 * bpffs has symbolic links as well, and a pin directory may belong to another user than the one who removes it: a link in it leads nowhere,
 * or root would remove what the user chose.
 */
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  type Stats,
  statfsSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { Descriptor } from "./descriptor.ts";
import { errnoName, errnoNumber, KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";

/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

export function escapePinName(name: string): string {
  return name.replaceAll("%", "%25").replaceAll(".", "%2E");
}

export function unescapePinName(pin: string): string {
  return pin.replaceAll("%2E", ".").replaceAll("%25", "%");
}

/**
 * The directory's absolute path, without symbolic links. Throws KernelError "no-bpffs" when neither it nor what it would be made in is in a BPF file system, or
 * when it cannot have its name there.
 */
export function requirePinDirectory(directory: string): string {
  const named = resolve(directory);
  const operation = `keep pins in ${named}`;
  let there = named;
  while (!isThere(there)) there = dirname(there);
  const existing = onFile("look for", there, () => realpathSync(there));
  const path = join(existing, named.slice(there.length));
  if (statfsSync(existing).type !== BPF_FS_MAGIC) {
    throw new KernelError("no-bpffs", operation, `${existing} is not in a BPF file system`, {
      remedy:
        'mount one as root with "mount -t bpf bpf /sys/fs/bpf", or name a directory of one with --pin-dir',
    });
  }
  if (
    path
      .slice(existing.length)
      .split(sep)
      .some((name) => name.includes("."))
  ) {
    throw new KernelError("no-bpffs", operation, "a BPF file system has no names with a dot", {
      remedy: "name a directory without one with --pin-dir",
    });
  }
  if (existing === path && statSync(dirname(path)).dev !== statSync(path).dev) {
    throw new KernelError("no-bpffs", operation, "that is the BPF file system itself, which others use too", {
      remedy: `name a directory in it with --pin-dir, such as ${join(path, "lamna")}`,
    });
  }
  return path;
}

/** A BPF file system answers EPERM for names that it cannot have. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPERM" && basename(path).includes(".")) return false;
    return onFile("look for", path, () => {
      throw error;
    });
  }
}

/** Makes the directory, and those that it is in, where they are not there. */
export function makePinDirectory(path: string): void {
  onFile("make directory", path, () => mkdirSync(path, { recursive: true }));
}

/** Names in a directory, in no order; [] when there is no such directory. */
export function listPins(directory: string): string[] {
  refuseSymlink("list", directory);
  return unlessMissing(() => onFile("list", directory, () => readdirSync(directory))) ?? [];
}

/** Throws KernelError "io" with errno EEXIST when there is a file of that name. */
export function pin(descriptor: Descriptor, path: string): void {
  const result = libbpf().bpf_obj_pin(descriptor.fd, path);
  if (result < 0) throw systemError(`pin ${descriptor.what} as ${path}`, result);
}

/** A descriptor of what is pinned; undefined when nothing is. `what` is what messages call it. */
export function openPin(path: string, what: string): Descriptor | undefined {
  refuseSymlink("open", path);
  const result = libbpf().bpf_obj_get(path);
  if (errnoName(result) === "ENOENT") return undefined;
  if (result < 0) {
    throw systemError(`open ${path}`, result, { remedy: FILE_REMEDIES[errnoName(result)] });
  }
  return new Descriptor(result, what);
}

/** Takes the place of what is there. */
export function movePin(from: string, to: string): void {
  onFile("move", from, () => renameSync(from, to));
}

/** Harmless when it is not there. */
export function unpin(path: string): void {
  unlessMissing(() => onFile("remove", path, () => unlinkSync(path)));
}

/** Removes the directory when it is empty and may be removed; harmless when it is not there. */
export function removePinDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // Not empty, or in a directory that belongs to somebody else: whoever made it may remove it.
  }
}

/** With the files in it, and in directories in it. */
export function removePins(path: string): void {
  for (const name of listPins(path)) {
    const file = join(path, name);
    const isDirectory = lookAt("look for", file)?.isDirectory() === true;
    if (isDirectory) removePins(file);
    else unpin(file);
  }
  removePinDirectory(path);
}

function refuseSymlink(verb: string, path: string): void {
  if (lookAt(verb, path)?.isSymbolicLink() !== true) return;
  throw new KernelError("wrong-layout", `${verb} ${path}`, "it is a symbolic link, which lamna never makes", {
    remedy: "find out who made it, and remove it",
  });
}

/** Of a symbolic link, the link itself. */
function lookAt(verb: string, path: string): Stats | undefined {
  return onFile(verb, path, () => lstatSync(path, { throwIfNoEntry: false }));
}

function onFile<T>(verb: string, path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const number = code === undefined ? undefined : errnoNumber(code);
    if (number === undefined) throw error;
    throw systemError(`${verb} ${path}`, number, { cause: error, remedy: FILE_REMEDIES[code!] });
  }
}

const FILE_REMEDIES: Readonly<Record<string, string>> = {
  EACCES: "run as the owner of the directory, or name one of your own with --pin-dir",
  EPERM: "run as the owner of the directory, or name one of your own with --pin-dir",
  EEXIST: "expected a directory; remove what is there, or name another with --pin-dir",
  ENOTDIR: "expected a directory; remove what is there, or name another with --pin-dir",
};

function unlessMissing<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof KernelError && error.errno === "ENOENT") return undefined;
    throw error;
  }
}
