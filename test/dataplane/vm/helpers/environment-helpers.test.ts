import { describe, expect, test } from "vitest";
import { Machine } from "../../../../dataplane/vm/machine.ts";
import { seededRandom } from "../../../../dataplane/vm/random.ts";
import { ENGINES } from "../engines.ts";
import { run } from "../run.ts";

describe.for(ENGINES)("$name", (engine) => {
  const machine = new Machine([], {
    cpuCount: 3,
    clock: { ticksPerSecond: 1000, suspendedNs: 5n, taiOffsetNs: 37_000_000_000n },
  });

  test.for([
    { name: "ktime_get_ns", helper: 5, result: 1_700_000_000_123_456_789n },
    { name: "ktime_get_boot_ns", helper: 125, result: 1_700_000_000_123_456_794n },
    { name: "ktime_get_tai_ns", helper: 208, result: 1_700_000_037_123_456_789n },
    { name: "ktime_get_coarse_ns", helper: 160, result: 1_700_000_000_123_000_000n },
    { name: "jiffies64", helper: 118, result: 1_700_000_000_123n },
  ])("$name reads the clock that was set", ({ helper, result }) => {
    machine.clock.monotonicNs = 1_700_000_000_123_456_789n;
    expect(run(engine, machine, `call ${helper}\nexit`)).toBe(result);
  });

  test("time stands still until it is set", () => {
    machine.clock.monotonicNs = 77n;
    expect(run(engine, machine, "call 5\nr6 = r0\ncall 5\nr0 -= r6\nexit")).toBe(0n);
    machine.clock.monotonicNs = 2n ** 64n - 1n;
    expect(run(engine, machine, "call 5\nexit")).toBe(2n ** 64n - 1n);
  });

  test("a program knows its CPU, and that there is one memory", () => {
    for (const cpu of [0, 1, 2]) {
      expect(run(engine, machine, "call 8\nr6 = r0\ncall 42\nr0 <<= 8\nr0 |= r6\nexit", { cpu })).toBe(
        BigInt(cpu),
      );
    }
  });

  test("the same seed gives the same random numbers", () => {
    const numbers = (seed: number): bigint[] => {
      const seeded = new Machine([], { random: seededRandom(seed) });
      return Array.from({ length: 20 }, () => run(engine, seeded, "call 7\nexit"));
    };
    expect(numbers(1)).toEqual(numbers(1));
    expect(numbers(1)).not.toEqual(numbers(2));
    expect(new Set(numbers(1)).size).toBe(20);
    for (const number of numbers(1)) expect(number).toBeLessThan(2n ** 32n);
  });
});
