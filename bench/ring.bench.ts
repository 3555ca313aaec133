/**
 * Building rings of 65537 slots, hashing and sorting included. The goal is 2.0 ms for 1000 weighted backends, which is what
 * Katran's C++ takes.
 */
import { bench, describe } from "vitest";
import { buildRing, type MaglevAlgorithm, type RingBackend } from "../control/ring/maglev.ts";

const CASES: readonly { algorithm: MaglevAlgorithm; count: number; family: 4 | 6 }[] = [
  { algorithm: "v2", count: 10, family: 4 },
  { algorithm: "v2", count: 100, family: 4 },
  { algorithm: "v2", count: 1000, family: 4 },
  { algorithm: "v2", count: 1000, family: 6 },
  { algorithm: "v1", count: 1000, family: 4 },
];

describe("a ring", () => {
  for (const { algorithm, count, family } of CASES) {
    const backends = weightedBackends(count, family);
    bench(
      `${algorithm}, ${count} weighted IPv${family} backends`,
      () => {
        buildRing({ algorithm, backends });
      },
      { warmupIterations: 50 },
    );
  }
});

/** Weights 1 to 100, in no order. */
function weightedBackends(count: number, family: 4 | 6): readonly RingBackend[] {
  return Array.from({ length: count }, (_, index) => {
    const address = new Uint8Array(family === 4 ? 4 : 16);
    address[0] = family === 4 ? 10 : 0xfc;
    address[address.length - 2] = index >> 8;
    address[address.length - 1] = index;
    return { address, weight: ((index * 37) % 100) + 1 };
  });
}
