import { describe, expect, test } from "vitest";
import {
  type ClockSample,
  measureTicksPerSecond,
  ticksPerSecondOf,
} from "../../../dataplane/kernel/jiffies.ts";
import { lacks, libbpf, root } from "../../needs.ts";

/** A machine whose readings take `stepNs`, and which now and then stands still. */
interface Trouble {
  readonly stepNs?: bigint;
  readonly lateNs?: (jiffy: number) => bigint;
  readonly pauseNs?: () => bigint;
}

function machine(
  hz: number,
  { stepNs = 2000n, lateNs = () => 0n, pauseNs = () => 0n }: Trouble = {},
): () => ClockSample {
  let timeNs = 123_456_789n;
  return () => {
    timeNs += stepNs + pauseNs();
    const exact = Number(timeNs) * (hz / 1e9);
    // Jiffies are counted by an interrupt, which may come late but never early.
    const late = Number(lateNs(Math.floor(exact))) * (hz / 1e9);
    return { jiffies: BigInt(Math.floor(exact - late)), timeNs };
  };
}

test.for([100, 250, 300, 1000])("%i ticks a second are recognized on a quiet machine", (hz) => {
  expect(ticksPerSecondOf(machine(hz))).toBe(hz);
});

test.for([100, 250, 300, 1000])(
  "%i ticks a second are recognized when the process is often held up",
  (hz) => {
    let seed = 1;
    const random = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
      return seed / 0x7fff_ffff;
    };
    const pauseNs = (): bigint => (random() < 0.002 ? BigInt(Math.floor(random() * 9e6)) : 0n);
    expect(ticksPerSecondOf(machine(hz, { pauseNs }))).toBe(hz);
  },
);

test.for([100, 250, 300, 1000])("%i ticks a second are recognized when interrupts come late", (hz) => {
  const lateNs = (jiffy: number): bigint => BigInt((jiffy % 5) * Math.floor(2e5 / (hz / 100)));
  expect(ticksPerSecondOf(machine(hz, { lateNs }))).toBe(hz);
});

test("an unusual clock is refused, not rounded", () => {
  expect(() => ticksPerSecondOf(machine(180))).toThrow(
    expect.objectContaining({ name: "KernelError", code: "io", message: expect.stringMatching(/180/) }),
  );
});

test("a clock that stands still is refused", () => {
  expect(() => ticksPerSecondOf(machine(0))).toThrow(expect.objectContaining({ code: "io" }));
});

describe.skipIf(lacks("the kernel's jiffies", root, libbpf))("this kernel", () => {
  test("counts at one of the usual rates, and says the same again", () => {
    const ticks = measureTicksPerSecond();
    expect([100, 250, 300, 1000]).toContain(ticks);
    expect(measureTicksPerSecond()).toBe(ticks);
  });
});
