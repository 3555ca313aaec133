/** Building rings, hashing and sorting included. */
import { buildRing, type MaglevAlgorithm, type RingBackend } from "../control/ring/maglev.ts";
import type { Suite } from "./suite.ts";

const CASES: readonly { algorithm: MaglevAlgorithm; count: number; family: 4 | 6 }[] = [
  { algorithm: "v2", count: 10, family: 4 },
  { algorithm: "v2", count: 100, family: 4 },
  { algorithm: "v2", count: 1000, family: 4 },
  { algorithm: "v2", count: 1000, family: 6 },
  { algorithm: "v1", count: 1000, family: 4 },
];

export function ringSuite(): Suite {
  return {
    name: "build a ring of 65537 slots",
    goal: "goal: 2.0 ms for 1000 weighted backends",
    tasks: CASES.map(({ algorithm, count, family }) => {
      const backends = weightedBackends(count, family);
      return {
        name: `${algorithm}, ${count} weighted IPv${family} backends`,
        run: () => buildRing({ algorithm, backends }),
      };
    }),
  };
}

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
