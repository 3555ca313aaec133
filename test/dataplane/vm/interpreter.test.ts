import { describe, expect, test } from "vitest";
import type { LineInfo } from "../../../dataplane/object/spec.ts";
import { interpreter } from "../../../dataplane/vm/interpreter.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";
import { faultOf, run } from "./run.ts";

describe.for(ENGINES)("$name", (engine) => {
  const line = (slot: number, number: number, text: string): LineInfo => ({
    slot,
    file: "balancer.bpf.c",
    line: number,
    column: 1,
    text,
  });
  const lines = [line(0, 10, "int x = 0;"), line(1, 12, "return *x;"), line(3, 13, "}")];
  const source = "r1 = 0\nr2 = 1\nr0 = *(u64 *)(r1 + 8)\nexit";

  test("a fault has its facts as fields, and all of them in its message", () => {
    const fault = faultOf(() => run(engine, new Machine([]), source, { spec: { lines } }));
    expect(fault).toMatchObject({
      code: "out-of-bounds",
      slot: 2,
      instruction: "r0 = *(u64 *)(r1 + 8)",
      source: "balancer.bpf.c:12: return *x;",
      address: 8n,
    });
    expect(fault.message).toBe(
      "slot 2: r0 = *(u64 *)(r1 + 8) (balancer.bpf.c:12: return *x;): load of 8 bytes at 0x8: a null pointer",
    );
  });

  test("a fault in a program without line info has no source", () => {
    expect(faultOf(() => run(engine, new Machine([]), source)).source).toBeUndefined();
  });

  test("the machine stays usable after a fault, in a function and in a callback too", () => {
    const machine = new Machine([]);
    const inCallback = `
      r1 = 1
      r2 = code_addr(bad)
      r3 = 0
      r4 = 0
      call 181
      exit
    bad:
      call worse
      exit
    worse:
      r1 = 0
      *(u8 *)(r1 + 0) = 1
      exit`;
    const bad = engine.prepare(linkProgram(machine, programOf(inCallback)), machine);
    const good = "r1 = r10\nr1 += -8\n*(u64 *)(r1 + 0) = 3\nr0 = *(u64 *)(r10 - 8)\nexit";
    for (let round = 0; round < 3; round++) {
      expect(faultOf(() => bad.run(0, 0, 0)).code).toBe("out-of-bounds");
      expect(run(engine, machine, good)).toBe(3n);
    }
  });

  test("one prepared program runs on every CPU", () => {
    const machine = new Machine([], { cpuCount: 3 });
    const program = engine.prepare(linkProgram(machine, programOf("call 8\nexit")), machine);
    expect([2, 0, 1, 2].map((cpu) => program.run(0, 0, cpu))).toEqual([2n, 0n, 1n, 2n]);
  });

  test("registers and frames of one run are not seen by the next", () => {
    const machine = new Machine([]);
    const first = "r0 = 9\nr3 = 9\nr6 = 9\nr9 = 9\nexit";
    run(engine, machine, first);
    expect(run(engine, machine, "r0 |= r3\nr0 |= r6\nr0 |= r9\nexit")).toBe(0n);
  });
});

describe("tracing", () => {
  test("shows every instruction with the registers it finds", () => {
    const machine = new Machine([]);
    const seen: [number, bigint][] = [];
    const engine = interpreter({ trace: (slot, registers) => seen.push([slot, registers[0]!]) });
    const source = "r0 = 2\ncall next\nr0 += 1\nexit\nnext:\nr0 = 0x123456789 ll\nexit";
    expect(run(engine, machine, source)).toBe(0x12345678an);
    expect(seen).toEqual([
      [0, 0n],
      [1, 2n],
      [4, 0n],
      [6, 0x123456789n],
      [2, 0x123456789n],
      [3, 0x12345678an],
    ]);
  });

  test("stops where the run would stop without", () => {
    const source = "again:\nr0 += 1\ngoto again\nexit";
    for (const trace of [undefined, () => undefined]) {
      const engine = interpreter({ stepLimit: 7, ...(trace === undefined ? {} : { trace }) });
      expect(faultOf(() => run(engine, new Machine([]), source))).toMatchObject({
        code: "step-limit",
        slot: 1,
      });
    }
  });
});

test("the interpreter tells every store before it is made, atomic ones too, and no load", () => {
  const machine = new Machine([]);
  const frame = machine.cpu(0).framePointer(0);
  const seen: [number, number][] = [];
  const engine = interpreter({
    onStore: (address, sizeBytes) => {
      seen.push([address - frame, sizeBytes]);
      if (seen.length === 2) expect(machine.memory.view.getUint32(address, true)).toBe(7);
    },
  });
  const source = `
*(u64 *)(r10 - 8) = 7
r1 = 9
*(u16 *)(r10 - 8) = r1
r2 = *(u32 *)(r10 - 4)
lock *(u32 *)(r10 - 8) += w1
r0 = *(u32 *)(r10 - 8)
exit`;
  expect(run(engine, machine, source)).toBe(18n);
  expect(seen).toEqual([
    [-8, 8],
    [-8, 2],
    [-8, 4],
  ]);
});

test("a step limit as long as the program lets it through", () => {
  const source = "r0 = 1\nr0 += 1\nexit";
  expect(run(interpreter({ stepLimit: 3 }), new Machine([]), source)).toBe(2n);
  expect(faultOf(() => run(interpreter({ stepLimit: 2 }), new Machine([]), source)).slot).toBe(2);
});
