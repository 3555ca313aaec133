import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { waitGracePeriod } from "../../../dataplane/kernel/grace-period.ts";
import { lacks, libbpf, root } from "../../needs.ts";

describe.skipIf(lacks("grace periods", root, libbpf))("a grace period", () => {
  test.for([{ useMembarrier: true }, { useMembarrier: false }])(
    "is waited for off the event loop (%o)",
    async (how) => {
      const before = readdirSync("/proc/self/fd").length;
      let isEnded = false;
      let turns = 0;
      const waiting = waitGracePeriod(how).then(() => {
        isEnded = true;
      });
      // Timers go on meanwhile.
      while (!isEnded) {
        turns++;
        await new Promise((resolve) => setImmediate(resolve));
      }
      await waiting;
      expect(turns).toBeGreaterThan(1);
      expect(readdirSync("/proc/self/fd").length).toBe(before);
    },
  );

  test("can be waited for by many at once", async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => waitGracePeriod({ useMembarrier: i % 2 === 0 })));
  });
});
