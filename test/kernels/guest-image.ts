/**
 * The root file system of a guest: the product as it is packed for users, with what it needs (Node, libbpf), the tools that build networks,
 * the checks, and an /init that runs them. Programs and libraries are this machine's own.
 */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { libbpfVersion } from "../../dataplane/kernel/libbpf.ts";
import { run } from "../e2e/harness/command.ts";
import { CpioWriter } from "./cpio.ts";
import type { DebianKernel } from "./debian-kernel.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Where tsconfig.json of guest/ writes to. */
const CHECKS = join(ROOT, "node_modules/.cache/lamna/guest");
/** In the guest. What is compiled lies below the product, so that imports find its dependencies. */
const PRODUCT = "/lamna";

/** By name, as the checks and the networks of test/e2e call them. */
const PROGRAMS = ["ip", "tc", "ethtool", "nsenter", "unshare", "setpriv", "taskset"] as const;
/** Also those that scripts of the harness use in `sh -c`. */
const BUSYBOX_APPLETS = ["sh", "mount", "insmod", "cat", "poweroff"] as const;

const INIT = `#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
for module in $(cat /modules/order); do insmod /modules/$module; done
LAMNA_E2E_PROGRAMS=${PRODUCT}/checks/test/e2e/programs /usr/bin/node ${PRODUCT}/checks/test/kernels/guest/main.js > /dev/ttyS1
poweroff -f
`;

/** Compiles the checks; the product is to be built already. */
export function compileChecks(): void {
  rmSync(CHECKS, { recursive: true, force: true });
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  run(process.execPath, [tsc, "-p", join(import.meta.dirname, "guest/tsconfig.json")]);
}

/** Writes the image for a kernel, about 150 MB. */
export function writeGuestImage(kernel: DebianKernel, target: string): void {
  const image = new CpioWriter(target);
  addSystem(image, kernel);
  addPrograms(image);
  addProduct(image);
  addChecks(image);
  image.finish();
}

function addSystem(image: CpioWriter, kernel: DebianKernel): void {
  image.file("/init", Buffer.from(INIT), 0o755);
  for (const folder of ["/proc", "/sys", "/dev", "/run", "/tmp"]) image.directory(folder);
  // The kernel opens it for /init before anything is mounted.
  image.characterDevice("/dev/console", { major: 5, minor: 1 });
  addFile(image, kernel.busybox, "/bin/busybox", 0o755);
  for (const applet of BUSYBOX_APPLETS) image.symlink(`/bin/${applet}`, "busybox");
  for (const module of kernel.modules) addFile(image, module, `/modules/${basename(module)}`);
  const order = kernel.modules.map((module) => `${basename(module)}\n`).join("");
  image.file("/modules/order", Buffer.from(order));
  const accounts = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n";
  image.file("/etc/passwd", Buffer.from(accounts));
}

function addPrograms(image: CpioWriter): void {
  addBinary(image, process.execPath, "/usr/bin/node");
  for (const name of PROGRAMS) {
    const file = run("sh", ["-c", `PATH="$PATH:/usr/sbin:/sbin" command -v ${name}`]).trim();
    addBinary(image, file, `/usr/bin/${name}`);
  }
  const libbpf = loadedLibrary("libbpf.so.1");
  addBinary(image, libbpf, join(dirname(libbpf), "libbpf.so.1"));
}

/** A program or library, with the libraries that it is linked with, where it looks for them. */
function addBinary(image: CpioWriter, file: string, path: string): void {
  if (!image.has(path)) addFile(image, file, path, 0o755);
  for (const [, library] of run("ldd", [file]).matchAll(/(\/\S+) \(0x/g)) {
    if (!image.has(library!)) addFile(image, library!, library!, 0o755);
  }
}

/** The file of a library of this process, so that the guest has the one that is tested here. */
function loadedLibrary(name: string): string {
  libbpfVersion();
  for (const line of readFileSync("/proc/self/maps", "utf8").split("\n")) {
    const file = line.slice(line.indexOf("/"));
    if (basename(file).startsWith(name)) return file;
  }
  throw new Error(`${name} is not among the libraries of this process`);
}

/** What `npm pack` would pack and `npm install` install with it; and the fixtures. */
function addProduct(image: CpioWriter): void {
  const npm = (...args: string[]): string => run("npm", ["--prefix", ROOT, ...args]);
  const [packed] = JSON.parse(npm("pack", ROOT, "--dry-run", "--json", "--ignore-scripts")) as [
    { files: readonly { path: string }[] },
  ];
  const add = (file: string): void => {
    const path = `${PRODUCT}/${relative(ROOT, file)}`;
    if (!image.has(path)) addFile(image, file, path);
  };
  for (const { path } of packed.files) add(join(ROOT, path));
  const dependencies = npm("ls", "--omit=dev", "--all", "--parseable").trim().split("\n").slice(1);
  for (const folder of [...dependencies, join(ROOT, "pcap-fixtures")]) {
    for (const file of filesBelow(folder)) add(join(folder, file));
  }
}

function addChecks(image: CpioWriter): void {
  const add = (from: string, to: string): void => {
    for (const file of filesBelow(from)) addFile(image, join(from, file), `${PRODUCT}/checks/${to}${file}`);
  };
  add(CHECKS, "");
  // What the networks of test/e2e look for beside themselves.
  add(join(ROOT, "test/e2e/objects"), "test/e2e/objects/");
  image.symlink(`${PRODUCT}/checks/dist`, "../dist");
}

/** By path below the folder. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    statSync(join(folder, file)).isFile(),
  );
}

/** Links are followed. */
function addFile(image: CpioWriter, source: string, path: string, mode?: number): void {
  image.file(path, readFileSync(source), mode);
}
