import { describe, expect, test } from "vitest";
import type { MapSpec } from "../../../../dataplane/object/spec.ts";
import { Machine } from "../../../../dataplane/vm/machine.ts";
import { BPF_MAP_TYPE_ARRAY } from "../../../../dataplane/vm/maps/map-type.ts";
import { ENGINES } from "../engines.ts";
import { faultOf, run } from "../run.ts";

const WORDS: MapSpec = {
  name: ".rodata",
  type: BPF_MAP_TYPE_ARRAY,
  keySizeBytes: 4,
  valueSizeBytes: 8,
  maxEntries: 1,
  flags: 0,
  isReadonly: true,
  contents: new Uint8Array(Buffer.from("abc\0wxyz", "latin1")),
};

// bpf_loop is in the corpus, calls.txt.
describe.for(ENGINES)("strncmp, $name", (engine) => {
  const compare = (first: string, size: number, second = 0): string => `
    r1 = ${[...Buffer.from(first.padEnd(4, "\0"), "latin1")].reduce((sum, byte, i) => sum + byte * 256 ** i, 0)} ll
    *(u64 *)(r10 - 8) = r1
    r1 = r10
    r1 += -8
    r2 = ${size}
    r3 = map_val(map_by_fd(1)) + ${second}
    call 182
    exit`;

  test.for([
    { first: "abc", size: 4, result: 0n },
    { first: "abd", size: 4, result: 1n },
    { first: "ab", size: 4, result: -1n },
    { first: "abd", size: 2, result: 0n },
    { first: "abcd", size: 4, result: 1n },
    { first: "abc", size: 8, result: 0n },
    { first: "\xff", size: 1, result: 1n },
  ])("$first with abc, $size bytes", ({ first, size, result }) => {
    const machine = new Machine([WORDS]);
    expect(BigInt.asIntN(64, run(engine, machine, compare(first, size)))).toBe(result);
  });

  test("a string that does not end is refused", () => {
    const fault = faultOf(() => run(engine, new Machine([WORDS]), compare("abc", 4, 4)));
    expect(fault.message).toContain("a string that does not end");
  });

  test("a size of 0 and a size beyond all memory are refused", () => {
    const zero = faultOf(() => run(engine, new Machine([WORDS]), compare("abc", 0)));
    expect(zero.message).toContain("argument 2 is a size of 0");
    const source = compare("abc", 1).replace("r2 = 1", "r2 = -1");
    const huge = faultOf(() => run(engine, new Machine([WORDS]), source));
    expect(huge.message).toContain("a size of 0xffffffffffffffff");
  });
});
