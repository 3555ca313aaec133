import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { pinThread } from "../../../dataplane/kernel/cpu-affinity.ts";

/** CPUs that the calling thread may run on, "0-1". Workers of a test runner are threads, so not /proc/self/status. */
function allowedCpus(): string {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/thread-self/status", "utf8"))![1]!;
}

test("the thread is kept on the first CPU it may run on, and then let go", () => {
  const before = allowedCpus();
  const pinned = pinThread();
  try {
    expect(allowedCpus()).toBe(String(pinned.cpu));
    expect(before).toMatch(new RegExp(`^${pinned.cpu}\\b`));
    const again = pinThread();
    expect(again.cpu).toBe(pinned.cpu);
    again.release();
    expect(allowedCpus()).toBe(String(pinned.cpu));
  } finally {
    pinned.release();
  }
  expect(allowedCpus()).toBe(before);
  pinned.release();
  expect(allowedCpus()).toBe(before);
});
