import { describe, expect, test } from "vitest";
import {
  type ClockSample,
  measureTicksPerSecond,
  ticksPerSecondOf,
} from "../../../dataplane/kernel/jiffies.ts";
import { lacks, libbpf, root } from "../../needs.ts";

/** A machine that is held up for a while at each reading and each pause, and whose interrupts come late. */
interface Trouble {
  readonly heldUpNs?: () => bigint;
  readonly lateNs?: () => bigint;
}

function ticksOf(hz: number, { heldUpNs = () => 0n, lateNs = () => 0n }: Trouble = {}): number {
  let timeNs = 123_456_789n;
  const sample = (): ClockSample => {
    timeNs += 2000n + heldUpNs();
    // Jiffies are counted by an interrupt, which may come late but never early.
    return { jiffies: BigInt(Math.floor((Number(timeNs - lateNs()) * hz) / 1e9)), timeNs };
  };
  return ticksPerSecondOf(sample, (ms) => {
    timeNs += BigInt(ms) * 1_000_000n + heldUpNs();
  });
}

function randomNs(max: number): () => bigint {
  let seed = 1;
  return () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fff_ffff;
    return BigInt(Math.floor((seed / 0x7fff_ffff) * max));
  };
}

const RATES = [100, 250, 300, 1000];

test.for(RATES)("%i ticks a second are recognized on a quiet machine", (hz) => {
  expect(ticksOf(hz)).toBe(hz);
});

test.for(RATES)("%i ticks a second are recognized when the process is held up all the time", (hz) => {
  for (const max of [1e6, 9e6, 300e6]) {
    const heldUpNs = randomNs(max);
    for (let run = 0; run < 50; run++) expect(ticksOf(hz, { heldUpNs })).toBe(hz);
  }
});

test.for(RATES)("%i ticks a second are recognized when interrupts come late", (hz) => {
  const lateNs = randomNs(4e8 / hz);
  for (let run = 0; run < 50; run++) expect(ticksOf(hz, { lateNs })).toBe(hz);
});

test("an unusual clock is refused, not rounded", () => {
  expect(() => ticksOf(180)).toThrow(
    expect.objectContaining({ name: "KernelError", code: "io", message: expect.stringMatching(/180/) }),
  );
});

test("a clock that stands still is refused", () => {
  expect(() => ticksOf(0)).toThrow(expect.objectContaining({ code: "io" }));
});

describe.skipIf(lacks("the kernel's jiffies", root, libbpf))("this kernel", () => {
  test("counts at one of the usual rates, and says the same again", () => {
    const ticks = measureTicksPerSecond();
    expect([100, 250, 300, 1000]).toContain(ticks);
    expect(measureTicksPerSecond()).toBe(ticks);
  });
});
