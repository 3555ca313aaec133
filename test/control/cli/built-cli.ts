/**
 * The `lamna` command as users run it: compiled, in a process of its own. The sources are compiled to a folder of the test's
 * own, so that neither a stale dist/ nor another test file matters.
 */
import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll } from "vitest";

export const ROOT: string = join(import.meta.dirname, "../../..");

/** The compiled main.js. Call at the top of a test file: the folder goes away after its tests. */
export function buildCli(): string {
  // Below node_modules, so that the compiled code finds its dependencies and, above them, the package's other files.
  const folder = join(ROOT, "node_modules/.cache/lamna-test", String(process.pid));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const build = spawnSync(
    process.execPath,
    [tsc, "-p", join(ROOT, "tsconfig.build.json"), "--outDir", folder],
    {
      encoding: "utf8",
    },
  );
  const main = join(folder, "control/cli/main.js");
  if (!existsSync(main)) throw new Error(`tsc made no ${main}:\n${build.stdout}${build.stderr}`);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return main;
}

export interface CliRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end. Nothing of our own environment decides about colours. */
export function runCli(
  main: string,
  args: readonly string[],
  {
    environment = {},
    ...options
  }: {
    readonly environment?: NodeJS.ProcessEnv;
    readonly input?: string | Uint8Array;
    readonly cwd?: string;
  } = {},
): CliRun {
  const { NO_COLOR: _no, FORCE_COLOR: _force, LAMNA_DEBUG: _debug, ...inherited } = process.env;
  const all: SpawnSyncOptionsWithStringEncoding = {
    encoding: "utf8",
    env: { ...inherited, ...environment },
    timeout: 60_000,
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], all);
  return { status, stdout, stderr };
}
