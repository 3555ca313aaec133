/**
 * However a run of these tests ends, no namespace, pin, file or process of it remains: neither when it passes, nor when it fails, nor when
 * it is interrupted. What a killed one cannot remove itself, the next run does.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { lacks, namespaces } from "../needs.ts";
import { leftovers } from "./harness/leftovers.ts";
import { PREFIX_VARIABLE } from "./harness/owned-name.ts";
import { HANGING } from "./leftovers/hanging.ts";

const ROOT = join(import.meta.dirname, "../..");
const VITEST = join(ROOT, "node_modules/vitest/vitest.mjs");
const CONFIG = "test/e2e/leftovers/vitest.config.ts";

describe.skipIf(lacks("what end-to-end tests leave behind", namespaces))("nothing is left behind", () => {
  test.for([
    { how: "passes", says: /1 passed/, status: 0 },
    { how: "fails", says: /expected .* to have a length of 2 but got 1/, status: 1 },
    { how: "fails-to-build", says: /ip link add .*mtu/, status: 1 },
  ])("by a run that $how", async ({ how, says, status }) => {
    const run = startRun(how);
    const said = collected(run.child);
    expect(await once(run.child, "close"), said()).toEqual([status, null]);
    expect(said()).toMatch(says);
    expect(remainsOf(run.prefix)).toEqual([]);
  });

  test.for(["SIGINT", "SIGTERM"] as const)("by a run that is interrupted by %s", async (signal) => {
    const run = startRun("hangs");
    const worker = await hangingProcess(run.child);
    const running = remainsOf(run.prefix);
    // Namespaces, pins and scratch folders, and the programs that run from these.
    for (const kind of ["/run/netns/", "/sys/fs/bpf/", tmpdir(), process.execPath]) {
      expect(
        running.filter((remain) => remain.startsWith(kind)),
        kind,
      ).not.toEqual([]);
    }
    process.kill(worker, signal);
    await once(run.child, "close");
    await expect.poll(() => remainsOf(run.prefix), { timeout: 20_000 }).toEqual([]);
  });

  test("but namespaces and files by a run that is killed, and the next run removes them", async () => {
    const run = startRun("hangs");
    const worker = await hangingProcess(run.child);
    process.kill(worker, "SIGKILL");
    await once(run.child, "close");
    // Its processes have seen their standard input end.
    await expect.poll(() => processesOf(run.prefix), { timeout: 20_000 }).toEqual([]);
    expect(remainsOf(run.prefix)).not.toEqual([]);

    const next = startRun("passes", run.prefix);
    await once(next.child, "close");
    expect(remainsOf(run.prefix)).toEqual([]);
  });
});

interface Run {
  readonly child: ChildProcess;
  readonly prefix: string;
}

let runs = 0;

/** Starts vitest on one of the cases, by a prefix that no other run has: none sweeps away what we look for. */
function startRun(how: string, prefix?: string): Run {
  runs += 1;
  const own = prefix ?? `lamna-run${process.pid}-${runs}`;
  const child = spawn(process.execPath, [VITEST, "run", "--config", CONFIG, `leftovers/${how}.case`], {
    cwd: ROOT,
    env: { ...process.env, [PREFIX_VARIABLE]: own, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, prefix: own };
}

function collected(child: ChildProcess): () => string {
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data) => {
      said += String(data);
    });
  }
  return () => said;
}

/** The process of the test that hangs, once it does. */
async function hangingProcess(child: ChildProcess): Promise<number> {
  const said = collected(child);
  for await (const line of createInterface({ input: child.stderr! })) {
    const match = new RegExp(`${HANGING} (\\d+)`).exec(line);
    if (match !== null) return Number(match[1]);
  }
  throw new Error(`the run ended: ${said()}`);
}

function remainsOf(prefix: string): string[] {
  return [...leftovers(prefix).map(({ path }) => path), ...processesOf(prefix)];
}

/** Command lines that name something of the prefix: programs run from a folder of their run, and commands in its namespaces. */
function processesOf(prefix: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => commandLine(pid))
    .filter((line) => line.includes(`${prefix}-`));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
