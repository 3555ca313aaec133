import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { lockDirectory } from "../../../dataplane/kernel/directory-lock.ts";
import { bpffs, lacks, root } from "../../needs.ts";

describe.skipIf(lacks("locks on pin directories", root, bpffs))("a lock on a directory", () => {
  const directory = `/sys/fs/bpf/lamna-test-lock-${process.pid}`;
  const children: ChildProcess[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) {
      const isOver = child.exitCode !== null || child.signalCode !== null;
      if (!isOver && child.kill("SIGKILL")) await once(child, "exit");
    }
    if (existsSync(directory)) rmdirSync(directory);
  });
  const exclusive = { mode: "exclusive", isMade: true, waitMs: 0 } as const;
  const shared = { mode: "shared", isMade: false, waitMs: 0 } as const;

  /** Another process that has the lock until it is killed. */
  async function holder(): Promise<ChildProcess> {
    mkdirSync(directory, { recursive: true });
    const child = spawn("flock", ["--no-fork", directory, "sh", "-c", "echo locked; exec sleep 60"]);
    children.push(child);
    await once(child.stdout, "data");
    return child;
  }

  test("excludes another, and readers, until it is given back", async () => {
    const lock = await lockDirectory(directory, exclusive);
    await expect(lockDirectory(directory, exclusive)).rejects.toMatchObject({ code: "busy" });
    await expect(lockDirectory(directory, shared)).rejects.toMatchObject({ code: "busy" });
    lock!.close();
    const [first, second] = [await lockDirectory(directory, shared), await lockDirectory(directory, shared)];
    await expect(lockDirectory(directory, exclusive)).rejects.toMatchObject({ code: "busy" });
    first!.close();
    second!.close();
    (await lockDirectory(directory, exclusive))!.close();
  });

  test("who has it is said", async () => {
    const { pid } = await holder();
    await expect(lockDirectory(directory, { ...exclusive, waitMs: 50 })).rejects.toThrow(
      new RegExp(`lock ${directory}: process ${pid} \\((sh|sleep) .*\\) is changing it; try again`),
    );
  });

  test("goes with the process that has it", async () => {
    const child = await holder();
    const waiting = lockDirectory(directory, { ...exclusive, waitMs: 30_000 });
    child.kill("SIGKILL");
    (await waiting)!.close();
  });

  test("is that of the directory that is there now, not of one that was removed meanwhile", async () => {
    const lock = await lockDirectory(directory, exclusive);
    const waiting = lockDirectory(directory, { ...exclusive, waitMs: 30_000 });
    rmdirSync(directory);
    lock!.close();
    const next = await waiting;
    expect(existsSync(directory)).toBe(true);
    await expect(lockDirectory(directory, exclusive)).rejects.toMatchObject({ code: "busy" });
    next!.close();
  });

  test("of a directory that is not there is none, where none is to be made", async () => {
    expect(await lockDirectory(directory, shared)).toBeUndefined();
    expect(existsSync(directory)).toBe(false);
  });
});
