/** Started by /init of a guest: runs every check, and prints each result as soon as it is known. */
import { writeSync } from "node:fs";
import { release } from "node:os";
import { libbpfVersion } from "../../../dataplane/kernel/libbpf.ts";
import { allChecks } from "./all-checks.ts";
import type { Check, ResultLine } from "./check.ts";

/** Of one check; what hangs without giving the event loop back is for the host to kill. */
const CHECK_TIMEOUT_MS = 90_000;
const FAILURE_LENGTH_MAX = 8000;

print({ kind: "start", release: release(), libbpf: libbpfVersion(), node: process.version });
for (const check of allChecks()) {
  const startMs = performance.now();
  const failure = await failureOf(check);
  print({ kind: "check", name: check.name, failure, seconds: (performance.now() - startMs) / 1000 });
}
print({ kind: "end" });
process.exit();

async function failureOf({ run }: Check): Promise<string | null> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const error = new Error(`not done after ${CHECK_TIMEOUT_MS / 1000} s`);
    timer = setTimeout(() => reject(error), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([run(), timeout]);
    return null;
  } catch (error) {
    return describe(error).slice(0, FAILURE_LENGTH_MAX);
  } finally {
    clearTimeout(timer);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const log = "log" in error && typeof error.log === "string" ? `\n${error.log.slice(-4000)}` : "";
  const cause = error.cause === undefined ? "" : `\ncaused by ${describe(error.cause)}`;
  return `${error.stack ?? error.message}${cause}${log}`;
}

function print(line: ResultLine): void {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  // A serial line takes as much as it has room for.
  for (let offset = 0; offset < bytes.length; ) offset += writeSync(1, bytes, offset);
}
