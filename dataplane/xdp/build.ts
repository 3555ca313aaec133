/**
 * Builds the objects, `balancer.bpf.o` and `decap.bpf.o`, each beside its source; with `--check`, fails when a committed one is not
 * what the sources give. Needs clang-19 and llvm-strip-19; the objects are committed so that nobody else does.
 *
 * The bytes depend on the sources and the compiler only: no system header is read, and no path is recorded.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";

const CLANG_MAJOR = 19;
/** The program files, from the checkout's root, without `.bpf.c` and `.bpf.o`. */
const PROGRAMS = ["dataplane/xdp/balancer", "dataplane/decap/decap"];
const COMPILE = [
  "-target",
  "bpf",
  "-mcpu=v3",
  "-std=gnu17",
  "-O2",
  "-g",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-nostdinc",
  // The flow table and the header parsers read two fields at once.
  "-fno-strict-aliasing",
  "-fdebug-compilation-dir=.",
  // Otherwise clang may put a loop's body so that it ends by falling through to its head, which Linux 5.10 refuses
  // ("back-edge from insn"): there, only a jump may close a loop. Costs nothing measurable.
  "-mllvm",
  "-disable-block-placement",
];

class BuildError extends Error {}

/** The checkout: two folders up, or three when this runs from `dist/`. */
function rootDirectory(): string {
  const root = join(import.meta.dirname, "../..");
  return existsSync(join(root, `${PROGRAMS[0]}.bpf.c`)) ? root : join(root, "..");
}

function run(command: string, args: readonly string[], directory: string): string {
  const result = spawnSync(command, args, {
    cwd: directory,
    encoding: "utf8",
    env: { PATH: process.env.PATH, LC_ALL: "C" },
  });
  if (result.error !== undefined) {
    throw new BuildError(
      `${command}: ${result.error.message}. The object is built with LLVM ${CLANG_MAJOR} (Debian: clang-${CLANG_MAJOR}, llvm-${CLANG_MAJOR})`,
    );
  }
  if (result.status !== 0) throw new BuildError(`${command} ${args.join(" ")}\n${result.stderr}`);
  return result.stdout;
}

/** Compiles `<program>.bpf.c`, in its own folder, so that the paths recorded are the same everywhere. */
function build(program: string, output: string): void {
  const directory = dirname(program);
  const clang = process.env.CLANG ?? `clang-${CLANG_MAJOR}`;
  const strip = process.env.LLVM_STRIP ?? `llvm-strip-${CLANG_MAJOR}`;
  const version = run(clang, ["--version"], directory);
  const major = /clang version (\d+)/.exec(version)?.[1];
  if (major !== String(CLANG_MAJOR)) {
    throw new BuildError(
      `${clang} is version ${major ?? "unknown"}: the object is built with clang ${CLANG_MAJOR}, since another version gives other bytes`,
    );
  }
  run(clang, [...COMPILE, "-c", `${basename(program)}.bpf.c`, "-o", output], directory);
  // Drops DWARF, which only debuggers read, and keeps BTF, which loaders read.
  run(strip, ["-g", output], directory);
}

/** Builds in place, and says what came of it: only a changed object is news, and wants the codecs made anew. */
function rebuild(program: string): void {
  const object = `${program}.bpf.o`;
  const before = existsSync(object) ? readFileSync(object) : undefined;
  build(program, object);
  const after = readFileSync(object);
  const news =
    before === undefined
      ? "new; now: npm run gen"
      : before.equals(after)
        ? "unchanged"
        : `changed, ${before.length} bytes before; now: npm run gen`;
  console.log(`build:xdp: wrote ${relative(process.cwd(), object)}, ${after.length} bytes (${news})`);
}

function check(program: string): void {
  const scratch = mkdtempSync(join(tmpdir(), "lamna-xdp-"));
  try {
    const fresh = join(scratch, "fresh.bpf.o");
    build(program, fresh);
    const committed = `${program}.bpf.o`;
    if (!existsSync(committed) || !readFileSync(committed).equals(readFileSync(fresh))) {
      throw new BuildError(`${committed} is not what its sources give. Run: npm run build:xdp`);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function main(args: readonly string[]): void {
  const isCheck = args.length === 1 && args[0] === "--check";
  if (args.length > 0 && !isCheck) throw new BuildError(`usage: build.js [--check], not "${args.join(" ")}"`);
  const root = rootDirectory();
  for (const program of PROGRAMS) (isCheck ? check : rebuild)(join(root, program));
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  console.error(`build:xdp: ${error.message}`);
  process.exitCode = 1;
}
