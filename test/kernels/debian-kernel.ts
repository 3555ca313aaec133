/**
 * Kernels to boot, out of Debian's archive. apt fetches them, from the mirror this machine already uses for Debian and into a state of their own:
 * nothing is installed, and the machine's package lists stay as they are. apt verifies what it fetches, as ever: the archive's signature
 * over each suite's index, and by it each package's checksum. A suite whose signature is missing or has expired is an error here, not a
 * warning, since the kernel that comes of it is booted with the host's files beside it.
 */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { run } from "../e2e/harness/command.ts";

/** The kernels, each of the Debian release that has it as its own. */
export const KERNELS = [
  { series: "5.10", suite: "bullseye" },
  { series: "6.1", suite: "bookworm" },
  { series: "6.12", suite: "trixie" },
] as const;

export type KernelSeries = (typeof KERNELS)[number]["series"];

/** What the checks need beyond the kernel itself; modules that these depend on come along. */
const MODULES = ["veth", "ipip", "sit", "ip6_tunnel", "sch_ingress", "cls_bpf"] as const;

/** Files of one kernel, in the cache. */
export interface DebianKernel {
  /** What `uname -r` will say: "5.10.0-32-cloud-amd64". */
  readonly release: string;
  readonly image: string;
  /** In the order they are to be inserted in. */
  readonly modules: readonly string[];
  /** Linked statically, of the same Debian release. */
  readonly busybox: string;
}

const ROOT = join(import.meta.dirname, "../..");
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";
const MANIFEST = "kernel.json";

/** Where fetched kernels are kept: removing it fetches them anew, with newer point releases. */
export function kernelCache(): string {
  const cacheHome = process.env.XDG_CACHE_HOME ?? "";
  const lamnaCache = cacheHome === "" ? join(ROOT, "node_modules/.cache/lamna") : join(cacheHome, "lamna");
  return join(lamnaCache, "kernels");
}

/** The URI of Debian's archive as this machine's apt is configured; undefined where there is none. */
export function debianMirror(): string | undefined {
  const result = spawnSync("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], {
    encoding: "utf8",
  });
  if (result.status !== 0) return undefined;
  return result.stdout.split("\n").find((uri) => /\/debian\/?$/.test(uri));
}

export function isKernelCached(series: KernelSeries): boolean {
  return existsSync(join(kernelCache(), series, MANIFEST));
}

/** The kernel from the cache, or else from the archive. `report` is told what takes time. */
export function debianKernel(series: KernelSeries, report: (what: string) => void): DebianKernel {
  const folder = join(kernelCache(), series);
  if (!isKernelCached(series)) fetchKernel(series, folder, report);
  const manifest = JSON.parse(readFileSync(join(folder, MANIFEST), "utf8")) as DebianKernel;
  const inFolder = (file: string): string => join(folder, file);
  return {
    release: manifest.release,
    image: inFolder(manifest.image),
    modules: manifest.modules.map(inFolder),
    busybox: inFolder(manifest.busybox),
  };
}

function fetchKernel(series: KernelSeries, folder: string, report: (what: string) => void): void {
  const scratch = `${folder}.${process.pid}`;
  try {
    const debs = download(series, join(scratch, "apt"), report);
    const unpacked = join(scratch, "unpacked");
    for (const deb of debs) run("dpkg-deb", ["--extract", deb, unpacked]);
    const finished = join(scratch, "finished");
    mkdirSync(finished);
    const manifest = gather(unpacked, finished);
    writeFileSync(join(finished, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`);
    // Whole or not at all; another process may have been as quick.
    rmSync(folder, { recursive: true, force: true });
    renameSync(finished, folder);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Downloads the packages; returns their files. */
function download(series: KernelSeries, folder: string, report: (what: string) => void): string[] {
  const mirror = debianMirror();
  if (mirror === undefined) throw new Error("no Debian archive among the sources of this machine's apt");
  const suite = KERNELS.find((kernel) => kernel.series === series)!.suite;
  for (const part of ["lists/partial", "cache/archives/partial"])
    mkdirSync(join(folder, part), { recursive: true });
  const sources = join(folder, "sources.list");
  writeFileSync(sources, `deb [arch=amd64 signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    "Dir::Etc::sourceparts=/dev/null",
    `Dir::State::lists=${join(folder, "lists")}`,
    `Dir::Cache=${join(folder, "cache")}`,
    "Acquire::Languages=none",
    "APT::Update::Error-Mode=any",
    "APT::Architecture=amd64",
    // As root, apt fetches as a user who may not write here.
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);

  report(`reading the index of Debian ${suite}`);
  run("apt-get", [...options, "update", "-qq"]);
  const pattern = `^linux-image-${series.replace(".", "\\.")}[.0-9+a-z-]*-cloud-amd64-unsigned$`;
  const found = run("apt-cache", [...options, "search", "--names-only", pattern]);
  const names = found.split("\n").flatMap((line) => /^linux-image-\S+/.exec(line)?.[0] ?? []);
  const newest = names.sort((a, b) => (isNewer(options, a, b) ? 1 : -1)).at(-1);
  if (newest === undefined) throw new Error(`no package ${pattern} in Debian ${suite}`);

  report(`downloading ${newest}`);
  const result = spawnSync("apt-get", [...options, "download", "-qq", newest, "busybox-static"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (result.status !== 0) throw new Error(`apt-get download ${newest}: ${result.stderr}`);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".deb"))
    .map((file) => join(folder, file));
}

function isNewer(options: readonly string[], a: string, b: string): boolean {
  const version = (name: string): string =>
    /^Version: (\S+)/m.exec(run("apt-cache", [...options, "show", "--no-all-versions", name]))![1]!;
  return spawnSync("dpkg", ["--compare-versions", version(a), "gt", version(b)]).status === 0;
}

/** Picks out of the unpacked packages what is wanted; names in the result are relative to `target`. */
function gather(unpacked: string, target: string): DebianKernel {
  const files = readdirSync(unpacked, { recursive: true, encoding: "utf8" }).map((file) =>
    join(unpacked, file),
  );
  const take = (pattern: RegExp): string => {
    const file = files.find((each) => pattern.test(each));
    if (file === undefined) throw new Error(`no ${pattern} in the packages`);
    copyFileSync(file, join(target, basename(file)));
    return basename(file);
  };
  const image = take(/\/boot\/vmlinuz-/);
  const modules: string[] = [];
  for (const name of MODULES) addModule(name, { files, target, modules });
  return { release: image.slice("vmlinuz-".length), image, modules, busybox: take(/\/bin\/busybox$/) };
}

interface ModuleSearch {
  readonly files: readonly string[];
  readonly target: string;
  readonly modules: string[];
}

/** Adds a module behind those it depends on. What is built into the kernel has no file. */
function addModule(name: string, search: ModuleSearch): void {
  const { files, target, modules } = search;
  if (modules.includes(`${name}.ko`)) return;
  const file = files.find((each) => each.endsWith(`/${name}.ko`) || each.endsWith(`/${name}.ko.xz`));
  if (file === undefined) {
    const builtin = files.find((each) => each.endsWith("/modules.builtin"));
    if (builtin !== undefined && readFileSync(builtin, "utf8").includes(`/${name}.ko\n`)) return;
    throw new Error(`the kernel's package has no module "${name}"`);
  }
  const bytes = file.endsWith(".xz") ? unpackXz(file) : readFileSync(file);
  // In the section .modinfo, one of several texts that each end with a zero byte (include/linux/moduleparam.h).
  const dependencies = /\0depends=([^\0]*)\0/.exec(bytes.toString("latin1"))?.[1] ?? "";
  for (const dependency of dependencies.split(",")) if (dependency !== "") addModule(dependency, search);
  writeFileSync(join(target, `${name}.ko`), bytes);
  modules.push(`${name}.ko`);
}

function unpackXz(file: string): Buffer {
  const { status, stdout, stderr } = spawnSync("xz", ["--decompress", "--stdout", file], {
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(`xz ${file}: ${stderr}`);
  return stdout;
}
