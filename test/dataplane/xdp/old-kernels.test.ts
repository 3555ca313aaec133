/**
 * What Linux 5.10 asks of a program and the kernel that runs the tests may not. Not all of it, of course: what made trouble once.
 */
import { expect, test } from "vitest";
import type { Instruction } from "../../../dataplane/isa/instruction.ts";
import { BPF_CALL, BPF_EXIT, BPF_JA, BPF_JMP, BPF_JMP32 } from "../../../dataplane/isa/opcodes.ts";
import { balancerObject } from "../../model/program.ts";
import { decapObject } from "../decap/decapsulator.ts";

const CLASS_MASK = 0x07;
const CODE_MASK = 0xf0;
/** bpf_jiffies64 came with 5.6 and is the newest helper used; 5.10 has 155 of them. */
const HELPERS_OF_5_10 = 155;
const PROGRAMS = [balancerObject(), decapObject()].flatMap(({ programs }) => programs);

test("only a jump closes a loop (check_cfg in kernel/bpf/verifier.c of 5.10)", () => {
  for (const { instructions } of PROGRAMS) expect(loopsClosedByFallingThrough(instructions)).toEqual([]);
});

test("a loop closed by falling through is found", () => {
  const add: Instruction = { opcode: 0x07, dst: 1, src: 0, offset: 0, imm: 1, imm64: undefined };
  const exit: Instruction = { ...add, opcode: BPF_JMP | BPF_EXIT, imm: 0 };
  const jumpIf = (offset: number): Instruction => ({ ...add, opcode: BPF_JMP | 0x10, offset });
  const jump = (offset: number): Instruction => ({ ...add, opcode: BPF_JMP | BPF_JA, offset, imm: 0 });
  // 0: to 2. 1: add, into 2. 2: back to 1 or on.
  expect(loopsClosedByFallingThrough([jump(1), add, jumpIf(-2), exit])).toEqual([1]);
  expect(loopsClosedByFallingThrough([add, add, jumpIf(-2), exit])).toEqual([]);
});

test("no helper is newer than 5.10", () => {
  const helpers = PROGRAMS.flatMap(({ instructions }) =>
    instructions
      .filter(({ opcode, src }) => opcode === (BPF_JMP | BPF_CALL) && src === 0)
      .map(({ imm }) => imm),
  );
  expect(Math.max(...helpers)).toBeLessThan(HELPERS_OF_5_10);
});

/** Slots whose instruction is no jump and is followed by one that is on the way to it, in a walk in the kernel's order. */
function loopsClosedByFallingThrough(instructions: readonly Instruction[]): number[] {
  const found: number[] = [];
  const state = new Map<number, "on the way" | "done">([[0, "on the way"]]);
  const way = [{ slot: 0, next: successors(instructions, 0) }];
  for (let last = way.at(-1); last !== undefined; last = way.at(-1)) {
    const target = last.next.slots.shift();
    if (target === undefined) {
      state.set(last.slot, "done");
      way.pop();
    } else if (state.get(target) === undefined) {
      state.set(target, "on the way");
      way.push({ slot: target, next: successors(instructions, target) });
    } else if (state.get(target) === "on the way" && !last.next.isJump) {
      found.push(last.slot);
    }
  }
  return found;
}

function successors(
  instructions: readonly Instruction[],
  slot: number,
): { slots: number[]; isJump: boolean } {
  const { opcode, offset } = instructions[slot]!;
  const isJumpClass = [BPF_JMP, BPF_JMP32].includes(opcode & CLASS_MASK);
  const code = opcode & CODE_MASK;
  if (!isJumpClass || code === BPF_CALL) return { slots: [slot + 1], isJump: false };
  if (code === BPF_EXIT) return { slots: [], isJump: true };
  if (code === BPF_JA) return { slots: [slot + 1 + offset], isJump: true };
  return { slots: [slot + 1, slot + 1 + offset], isJump: true };
}
