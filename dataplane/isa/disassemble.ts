/**
 * Instructions as text, in the style of the kernel and of llvm-objdump, numbers in decimal:
 *
 *     r0 = *(u32 *)(r1 + 4)
 *     if w2 s> -5 goto +3
 *     lock *(u64 *)(r1 + 0) += r2
 *     call 44
 *
 * The text says everything: `assemble` turns it back into the same instruction.
 */
import { type Instruction, LD_IMM64 } from "./instruction.ts";
import { operationOf } from "./opcodes.ts";

/** One instruction. What is no instruction is said to be none, with its fields, so that faults can show it. */
export function disassemble(instruction: Instruction): string {
  const operation = operationOf(instruction);
  if (operation === undefined) {
    const { opcode, dst, src, offset, imm } = instruction;
    return `(no instruction: opcode 0x${opcode.toString(16)}, dst ${dst}, src ${src}, offset ${offset}, imm ${imm})`;
  }
  return operation.text.replace(/\{(\+?)( ?)(\w+)\}/g, (_, plus: string, space: string, operand: string) => {
    const value = operandValue(instruction, operand);
    if (typeof value === "bigint") return `0x${value.toString(16)}`;
    if (plus === "") return String(value);
    return `${value < 0 ? "-" : "+"}${space}${Math.abs(value)}`;
  });
}

/** One line for each instruction; the second slots of 64-bit immediate loads have none. */
export function disassembleAll(instructions: readonly Instruction[]): string {
  return instructions
    .filter((_, slot) => instructions[slot - 1]?.opcode !== LD_IMM64)
    .map((instruction) => `${disassemble(instruction)}\n`)
    .join("");
}

function operandValue(instruction: Instruction, operand: string): number | bigint {
  switch (operand) {
    case "dst":
    case "src":
    case "offset":
    case "imm":
      return instruction[operand];
    case "lo":
      return instruction.imm;
    case "next":
      return Number(BigInt.asIntN(32, (instruction.imm64 ?? 0n) >> 32n));
    case "imm64":
      return instruction.imm64 ?? 0n;
    default:
      throw new Error(`the opcode table names an operand "${operand}" that does not exist`);
  }
}
