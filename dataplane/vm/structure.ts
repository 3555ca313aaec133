/**
 * Whether a program has a structure that any engine can run: every instruction exists, every jump lands on one, in the same function,
 * and no function is left but by an exit or a jump. Accesses and arguments are checked while it runs.
 *
 * The rules are those of check_subprogs in Linux' verifier (kernel/bpf/verifier.c, 6.18).
 */
import type { Instruction } from "../isa/instruction.ts";
import {
  BPF_CALL,
  BPF_EXIT,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  operationOf,
} from "../isa/opcodes.ts";
import type { ProgramSpec } from "../object/spec.ts";
import type { VmFault } from "./engine.ts";
import { faultAt } from "./fault.ts";

const CALL = BPF_JMP | BPF_CALL;
const EXIT = BPF_JMP | BPF_EXIT;
const GOTO = BPF_JMP | BPF_JA;
const GOTO_LONG = BPF_JMP32 | BPF_JA;

/** Throws VmFault "bad-program". Returns the first slots of the functions, ascending. */
export function checkStructure(program: ProgramSpec): readonly number[] {
  const { instructions } = program;
  if (instructions.length === 0) throw fail(0, "the program has no instruction");
  for (let slot = 0; slot < instructions.length; slot++) {
    const instruction = instructions[slot]!;
    if (isSecondHalf(slot)) continue;
    if (operationOf(instruction) === undefined) throw fail(slot, "no such instruction");
    const { opcode, dst, src } = instruction;
    if (dst > 10 || src > 10) throw fail(slot, `registers are r0 to r10, found r${Math.max(dst, src)}`);
    if (opcode === CALL && src === BPF_PSEUDO_KFUNC_CALL)
      throw fail(slot, "kernel functions are not there to call");
    if (writesDst(instruction) && dst === 10) throw fail(slot, "r10 is read-only");
  }

  const starts = functionStarts();
  for (const [index, start] of starts.entries())
    checkFunction(start, starts[index + 1] ?? instructions.length);
  return starts;

  function functionStarts(): number[] {
    const found = new Set([0]);
    for (const reference of program.references) {
      if (reference.kind === "function") found.add(target(reference.slot, reference.targetSlot));
    }
    const referenced = new Set(program.references.map(({ slot }) => slot));
    for (const [slot, { opcode, src, imm, imm64 }] of instructions.entries()) {
      const isLocalCall = opcode === CALL && src === BPF_PSEUDO_CALL;
      const isFunctionLoad = imm64 !== undefined && src === BPF_PSEUDO_FUNC && !referenced.has(slot);
      if (isLocalCall || isFunctionLoad) found.add(target(slot, slot + 1 + imm));
    }
    return [...found].sort((a, b) => a - b);
  }

  function target(slot: number, to: number): number {
    if (to >= 0 && to < instructions.length && !isSecondHalf(to)) return to;
    throw fail(slot, `there is no function at slot ${to}`);
  }

  function checkFunction(start: number, end: number): void {
    for (let slot = start; slot < end; slot++) {
      if (isSecondHalf(slot)) continue;
      const to = jumpTarget(instructions[slot]!, slot);
      if (to === undefined) continue;
      if (to < start || to >= end)
        throw fail(slot, `jump to slot ${to}, out of its function (${start} to ${end - 1})`);
      if (isSecondHalf(to)) throw fail(slot, `jump to slot ${to}, into the middle of an instruction`);
    }
    const last = instructions[end - 1]!;
    const isLeft = [EXIT, GOTO, GOTO_LONG].includes(last.opcode) && !isSecondHalf(end - 1);
    if (!isLeft)
      throw fail(end - 1, "the function goes on past its last instruction: neither an exit nor a jump");
  }

  function isSecondHalf(slot: number): boolean {
    return instructions[slot - 1]?.imm64 !== undefined;
  }

  function fail(slot: number, why: string): VmFault {
    return faultAt(program, slot, { code: "bad-program", why });
  }
}

/** Where the instruction at `slot` may jump to; undefined when it does not jump. */
export function jumpTarget({ opcode, offset, imm }: Instruction, slot: number): number | undefined {
  if (opcode === GOTO_LONG) return slot + 1 + imm;
  const family = opcode & 0x07;
  if (family !== BPF_JMP && family !== BPF_JMP32) return undefined;
  const code = opcode & 0xf0;
  return code === BPF_CALL || code === BPF_EXIT ? undefined : slot + 1 + offset;
}

function writesDst({ opcode, imm64 }: Instruction): boolean {
  const family = opcode & 0x07;
  // Arithmetic (4, 7), loads (1) and 64-bit immediates.
  return family === 0x04 || family === 0x07 || family === 0x01 || imm64 !== undefined;
}
