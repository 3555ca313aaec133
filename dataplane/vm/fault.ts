/** Makes the VmFault of an instruction: its text, and the source line the compiler's line info has for it. */

import { disassemble } from "../isa/disassemble.ts";
import type { Instruction } from "../isa/instruction.ts";
import type { LineInfo, ProgramSpec } from "../object/spec.ts";
import { VmFault, type VmFaultCode } from "./engine.ts";

export function faultAt(
  program: ProgramSpec,
  slot: number,
  facts: { readonly code: VmFaultCode; readonly why: string; readonly address?: bigint },
): VmFault {
  const instruction = program.instructions[slot];
  return new VmFault({
    code: facts.code,
    slot,
    instruction:
      instruction === undefined ? "(past the end)" : textOf(instruction, program.instructions[slot - 1]),
    source: sourceOf(program.lines, slot),
    address: facts.address,
    why: facts.why,
  });
}

function textOf(instruction: Instruction, previous: Instruction | undefined): string {
  return previous?.imm64 === undefined
    ? disassemble(instruction)
    : "(second half of a 64-bit immediate load)";
}

/** `file:line: text` of the last line that begins at or before the slot. */
function sourceOf(lines: readonly LineInfo[], slot: number): string | undefined {
  const line = lines.findLast((candidate) => candidate.slot <= slot);
  return line === undefined ? undefined : `${line.file}:${line.line}: ${line.text}`;
}
