import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Machine } from "../../../../dataplane/vm/machine.ts";
import { ENGINES } from "../engines.ts";
import { faultOf, run } from "../run.ts";

// Edges of the frame are in the corpus (xdp.txt) and compared with the kernel's (kernel.test.ts).
describe.for(ENGINES)("csum_diff, $name", (engine) => {
  const source = (from: number, to: number, seed: number): string => `
    r6 = *(u32 *)(r1 + 0)
    r1 = r6
    r2 = ${from}
    r3 = r6
    r3 += ${from}
    r4 = ${to}
    r5 = ${seed} ll
    call 28
    exit`;

  test("is the ones' complement sum of RFC 1071, to whatever of equal numbers it folds", () => {
    const machine = new Machine([]);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(0xffff_ffff),
        (from, to, seed) => {
          const frame = Uint8Array.of(...from, ...to);
          const result = run(engine, machine, source(from.length, to.length, seed), { frame });
          expect(result).toBeLessThan(0x10000n);
          const expected = (BigInt(seed) - wordsOf(from) + wordsOf(to)) % 0xffffn;
          expect((result - expected) % 0xffffn).toBe(0n);
        },
      ),
    );
  });

  test("nothing is as good as null", () => {
    const machine = new Machine([]);
    const nothing = "r1 = 0\nr2 = 0\nr3 = 0\nr4 = 0\nr5 = 0x1234\ncall 28\nexit";
    expect(run(engine, machine, nothing)).toBe(0x1234n);
    const fault = faultOf(() => run(engine, machine, nothing.replace("r2 = 0", "r2 = 4")));
    expect(fault).toMatchObject({ code: "bad-helper-argument", slot: 5, address: 0n });
  });
});

function wordsOf(bytes: Uint8Array): bigint {
  return bytes.reduce((sum, byte, i) => sum + (BigInt(byte) << (i % 2 === 0 ? 0n : 8n)), 0n);
}
