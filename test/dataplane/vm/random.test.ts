import { expect, test } from "vitest";
import { seededRandom } from "../../../dataplane/vm/random.ts";

test("numbers are unsigned, 32 bits wide, and spread over them", () => {
  const random = seededRandom(7);
  const buckets = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) {
    const number = random();
    expect(Number.isInteger(number) && number >= 0 && number < 2 ** 32).toBe(true);
    buckets[Math.floor(number / 2 ** 28)]!++;
  }
  // 1000 each, standard deviation about 31.
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(200);
});

test("every seed has a sequence of its own, and keeps it", () => {
  const first = (seed: number): number[] => {
    const random = seededRandom(seed);
    return [random(), random(), random()];
  };
  const sequences = [0, 1, 2, 0xffff_ffff].map((seed) => first(seed).join());
  expect(new Set(sequences).size).toBe(4);
  expect(first(1)).toEqual(first(1));
});

test("the generator is xoshiro128**", () => {
  // From the reference's definition, by BigInt, with the state that seed 0 gives.
  let mix = 0n;
  const m32 = (value: bigint): bigint => value & 0xffff_ffffn;
  const rotate = (value: bigint, count: bigint): bigint => m32((value << count) | (value >> (32n - count)));
  let [a, b, c, d] = Array.from({ length: 4 }, () => {
    mix = m32(mix + 0x9e3779b9n);
    let z = m32((mix ^ (mix >> 16n)) * 0x85ebca6bn);
    z = m32((z ^ (z >> 13n)) * 0xc2b2ae35n);
    return z ^ (z >> 16n);
  }) as [bigint, bigint, bigint, bigint];
  const random = seededRandom(0);
  for (let i = 0; i < 100; i++) {
    expect(BigInt(random())).toBe(m32(rotate(m32(b * 5n), 7n) * 9n));
    const shifted = m32(b << 9n);
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotate(d, 11n);
  }
});
