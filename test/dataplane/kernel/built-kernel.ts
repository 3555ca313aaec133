/**
 * Runs a script on the built kernel modules in a process of its own: for what could end a process, or changes it for good. The script finds
 * `load(name)`, which imports dataplane/kernel/<name>, and `openDescriptors()`. Its standard output is the answer.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const DIST = join(import.meta.dirname, "../../../dist/dataplane");

const PRELUDE = `
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
const load = (name) => import(${JSON.stringify(DIST)} + "/kernel/" + name + ".js");
const openDescriptors = () => readdirSync("/proc/self/fd").length;
const collect = async () => { for (let i = 0; i < 3; i++) { global.gc(); await sleep(1); } };
`;

export interface ScriptOutcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runScript(script: string, environment: NodeJS.ProcessEnv = {}): ScriptOutcome {
  const { status, signal, stdout, stderr } = spawnSync(
    process.execPath,
    ["--expose-gc", "--input-type=module", "--eval", PRELUDE + script],
    { encoding: "utf8", env: { ...process.env, ...environment } },
  );
  return { status, signal, stdout, stderr };
}
