/** A share of what `npm run fuzz:kernel` does for as many packets as it is told to. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { REASON_NAMES } from "../../control/model/reasons.ts";
import { decodeCapture } from "../../dataplane/capture/capture-contents.ts";
import { lacks, libbpf, root } from "../needs.ts";
import { fuzzKernel, writeKernelFailure } from "./kernel-fuzz.ts";

describe.skipIf(lacks("random packets on the kernel", root, libbpf))("on the running kernel", () => {
  test("random and damaged packets end as in the interpreter, while configurations change between them", async () => {
    const { failure, ...result } = await fuzzKernel({ seed: 17, count: 20_000 });
    if (failure !== undefined) expect.fail(writeKernelFailure(failure, join(tmpdir(), "lamna-kernel-fuzz")));
    expect(result.packets).toBe(20_000);
    expect([...result.reasons.values()].reduce((sum, count) => sum + count)).toBe(20_000);
    expect(result.notComparable["too-short"]).toBeGreaterThan(0);

    // Not by luck: every way there is to end was taken, but for those that a sound dataplane does not have.
    const missing = REASON_NAMES.filter((name) => !result.reasons.has(name));
    expect(missing).toEqual(["internal_error", "no_headroom"]);
  }, 300_000);

  test("a difference is found and written down, with its config, its packets and the trace", async () => {
    const folder = mkdtempSync(join(tmpdir(), "lamna-kernel-fuzz-"));
    try {
      const { failure, packets } = await fuzzKernel({
        seed: 3,
        count: 2000,
        changeProbability: 0,
        // A kernel that takes every time to live of 64 for 63.
        distort: (kernel) => {
          const process = kernel.process.bind(kernel);
          kernel.process = (...packet) => {
            const result = process(...packet);
            const frame = result.frame.map((byte, i) => (i === 22 && byte === 64 ? 63 : byte));
            return { ...result, frame };
          };
        },
      });
      expect(failure).toBeDefined();
      const text = writeKernelFailure(failure!, folder);
      expect(text).toMatch(/^round of seed 3\n/);
      expect(text).toMatch(/time to live 63, expected 64/);
      expect(text).toMatch(/balancer\.bpf\.c:\d+/);
      expect(readFileSync(join(folder, "config.yaml"), "utf8")).toBe(failure!.config);
      const written = await decodeCapture(join(folder, "history.pcapng"));
      expect(written.packets.length).toBe(failure!.history.length);
      expect(written.packets.at(-1)!.bytes[22] ?? 0).toBe(failure!.history.at(-1)!.frame[22] ?? 0);
      const [difference] = failure!.report.differences;
      expect(difference!.packet).toBe(failure!.history.length - 1);
      expect(packets).toBe(failure!.report.packets);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }, 60_000);
});
