/**
 * What some tests need beyond Node and the repository. Where it is absent they are skipped, which is said on standard error with the
 * reason; where `CI` is set a test fails instead, as a skip there would go unnoticed.
 */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { libbpfVersion } from "../dataplane/kernel/libbpf.ts";
import { debianMirror, isKernelCached, KERNELS, kernelCache } from "./kernels/debian-kernel.ts";
import { QEMU } from "./kernels/machine.ts";

const ROOT = join(import.meta.dirname, "..");
const BPFFS = "/sys/fs/bpf";
const BPF_FS_MAGIC = 0xcafe4a11;

/** What the machine lacks, in words for the message, or undefined. */
type Need = () => string | undefined;

// Programs and their Debian packages.
export const tshark: Need = programs({ tshark: "tshark" });
export const wireshark: Need = programs({
  tshark: "tshark",
  capinfos: "wireshark-common",
  editcap: "wireshark-common",
  mergecap: "wireshark-common",
});
export const clang: Need = programs({ "clang-19": "clang-19", "llvm-strip-19": "llvm-19" });
export const objdump: Need = programs({ "llvm-objdump-19": "llvm-19" });
export const bpftool: Need = programs({ bpftool: "bpftool" });

/** Not every mkfifo knows --version: it is enough that it is there. */
export const mkfifo: Need = () =>
  spawnSync("mkfifo").error === undefined ? undefined : "mkfifo (Debian: apt-get install coreutils)";

export const root: Need = () => (process.getuid?.() === 0 ? undefined : "root");

/** The library, of version 1; it says itself what to install. */
export const libbpf: Need = () => {
  try {
    libbpfVersion();
    return undefined;
  } catch (error) {
    return `libbpf 1 (${(error as Error).message})`;
  }
};

export const bpffs: Need = () =>
  isWritableBpffs() ? undefined : `a writable BPF file system at ${BPFFS} (mount -t bpf bpf ${BPFFS})`;

/** A kernel that lets this process load programs, make maps and pin them. */
export const kernelBpf: Need = () => {
  const lack = root() ?? bpftool() ?? bpffs();
  if (lack !== undefined) return lack;
  const list = spawnSync("bpftool", ["prog", "list"], { encoding: "utf8" });
  return list.status === 0 ? undefined : `a kernel that lets root use BPF (${list.stderr.trim()})`;
};

/** Network namespaces with veth pairs between them, and what builds them. */
export const namespaces: Need = () => {
  const lack = root() ?? programs({ nsenter: "util-linux", ethtool: "ethtool" })();
  if (lack !== undefined) return lack;
  // ip knows no --version.
  if (spawnSync("ip", ["-V"]).status !== 0) return "ip (Debian: apt-get install iproute2)";
  // One that is removed again at once, as many a container may not make any.
  const probe = spawnSync("unshare", ["--net", "ip", "link", "add", "type", "veth"], { encoding: "utf8" });
  return probe.status === 0 ? undefined : `network namespaces and veth (${probe.stderr.trim()})`;
};

/** What runs a program as another user with chosen capabilities. */
export const setpriv: Need = programs({ setpriv: "util-linux" });

/** A Node that other users can run as well, which one in somebody's home directory may not be. */
export const nodeForEverybody: Need = () => {
  const lack = root() ?? setpriv();
  if (lack !== undefined) return lack;
  const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const probe = spawnSync("setpriv", [...user, process.execPath, "--version"], { cwd: "/" });
  return probe.status === 0 ? undefined : `a Node that every user can run, unlike ${process.execPath}`;
};

/** Virtual machines of this architecture, kernels to boot in them, and what is put into them. */
export const virtualMachines: Need = () => {
  if (process.arch !== "x64") return `an x86-64 machine, and this is ${process.arch}`;
  const lack = programs({
    [QEMU]: "qemu-system-x86",
    setpriv: "util-linux",
    nsenter: "util-linux",
    ethtool: "ethtool",
    xz: "xz-utils",
    "dpkg-deb": "dpkg",
  })();
  if (lack !== undefined) return lack;
  if (spawnSync("ip", ["-V"]).status !== 0) return "ip (Debian: apt-get install iproute2)";
  if (KERNELS.every(({ series }) => isKernelCached(series)) || debianMirror() !== undefined) return undefined;
  return `Debian's archive among the sources of apt, or kernels in ${kernelCache()}`;
};

/** For what differs in kernels before this version. */
export function linuxSince(major: number, minor: number): Need {
  const [thisMajor = 0, thisMinor = 0] = release().split(".").map(Number.parseFloat);
  const isOlder = thisMajor < major || (thisMajor === major && thisMinor < minor);
  return () => (isOlder ? `Linux ${major}.${minor} or later, and this is ${release()}` : undefined);
}

/** The vectors of bpf_conformance (github.com/Alan-Jowett/bpf_conformance, commit f558566), assembled to bytes. */
export const CONFORMANCE_VECTORS: string = join(ROOT, "../shared/conformance/bpf_conformance.json");
/** They are no part of the repository, so that the tests that read them may be skipped in CI as well. */
export const conformanceVectors: Need = () =>
  existsSync(CONFORMANCE_VECTORS)
    ? undefined
    : `${relative(ROOT, CONFORMANCE_VECTORS)}, which is not in the repository`;

/**
 * For `test.skipIf` and `describe.skipIf`: whether a need is not met. Then says so, naming `what` is not tested, or, in CI, adds a test
 * that fails. Call while tests are collected.
 */
export function lacks(what: string, ...needs: readonly Need[]): boolean {
  let isLacking = false;
  for (const need of needs) {
    const lack = need();
    if (lack === undefined) continue;
    isLacking = true;
    const file = relative(ROOT, expect.getState().testPath ?? "");
    const message = `skipped: ${file}: ${what}: needs ${lack}`;
    if (isCi() && need !== conformanceVectors) {
      test(`nothing is skipped in CI (${what})`, () => {
        throw new Error(`${message}. With CI set, that is a failure`);
      });
    } else {
      process.stderr.write(`${message}\n`);
    }
  }
  return isLacking;
}

function isCi(): boolean {
  return !["", "0", "false"].includes(process.env.CI ?? "");
}

function programs(packages: Readonly<Record<string, string>>): Need {
  return () => {
    const missing = Object.keys(packages).filter((name) => spawnSync(name, ["--version"]).status !== 0);
    if (missing.length === 0) return undefined;
    const wanted = new Set(missing.map((name) => packages[name]));
    return `${missing.join(", ")} (Debian: apt-get install ${[...wanted].join(" ")})`;
  };
}

function isWritableBpffs(): boolean {
  try {
    accessSync(BPFFS, constants.W_OK);
    return statfsSync(BPFFS).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}
