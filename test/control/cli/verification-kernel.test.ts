/** What only a comparison with the running kernel shows: that it holds on any CPU, and that a map changed behind its back is noticed. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openProgrammedKernel } from "../../../control/cli/replay-kernel.ts";
import { openReference, type TimedFrame, Verification } from "../../../control/cli/verification.ts";
import { readConfig } from "../../../control/model/config-file.ts";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import { pinThread } from "../../../dataplane/kernel/cpu-affinity.ts";
import { libc } from "../../../dataplane/kernel/libc.ts";
import { balancerObject } from "../../model/program.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { ROOT } from "./built-cli.ts";

const CASE = join(ROOT, "pcap-fixtures", "edge-mix");

async function framesOfCase(): Promise<TimedFrame[]> {
  const { packets } = await decodeCapture(join(CASE, "in.pcapng"));
  return packets.slice(0, 3000).map(({ bytes, timeNs }) => ({ frame: bytes, timeNs: timeNs! }));
}

/** With the thread where it is to be, `use` gets both engines. */
async function withBoth(
  use: (
    verification: Verification,
    kernel: Awaited<ReturnType<typeof openProgrammedKernel>>,
  ) => Promise<void>,
): Promise<void> {
  const config = readConfig(join(CASE, "config.yaml"));
  const kernel = await openProgrammedKernel(config, balancerObject());
  try {
    const { cpuCount } = kernel.dataplane;
    const reference = await openReference(config, balancerObject(), { queue: kernel.cpu, cpuCount });
    await use(new Verification(reference, [kernel], balancerObject()), kernel);
    await reference.programmed.close();
  } finally {
    await kernel.close();
  }
}

describe.skipIf(lacks("verification on the kernel", root, libbpf))("on the running kernel", () => {
  test("what runs on the last CPU is alike, in that CPU's tables", async () => {
    const last = availableParallelism() - 1;
    const original = pinThread();
    const only = new Uint8Array(128);
    only[last >> 3] = 1 << (last & 7);
    // Where the process may not run on that CPU, the first is as good.
    libc().sched_setaffinity(0, only.length, only);
    try {
      const frames = await framesOfCase();
      await withBoth(async (verification, kernel) => {
        expect([last, original.cpu]).toContain(kernel.cpu);
        expect(kernel.dataplane.cpuCount).toBe(kernel.cpu + 1);
        expect(verification.check(frames)).toBeUndefined();
        expect(verification.compareAllMaps()).toBeUndefined();
        const reasons = kernel.dataplane.map("reason_counters").read(kernel.cpu);
        expect(reasons.some((byte) => byte !== 0)).toBe(true);
      });
    } finally {
      original.release();
    }
  });

  test("what somebody changed in the kernel between two slices is noticed, and put right", async () => {
    const frames = await framesOfCase();
    await withBoth(async (verification, kernel) => {
      expect(verification.check(frames.slice(0, 1000))).toBeUndefined();
      const flows = kernel.dataplane.map("flows_ipv4").inner(kernel.cpu);
      flows.withView(0, flows.maxEntries, (bytes) => {
        const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
        // The third word of an entry: flow_vip and backend. Every flow goes to another backend.
        for (let at = 2; at < words.length; at += 4)
          if (words[at] !== 0) words[at] = words[at]! ^ 0x0001_0000;
      });
      const difference = verification.check(frames.slice(1000));
      expect(difference).toBeDefined();
      // It was there before the first packet, and running again from where the slice began puts it right.
      expect(difference!.elements).toEqual([]);
      expect(verification.check(frames.slice(1000 + difference!.index + 1))).toBeUndefined();
    });
  });
});
