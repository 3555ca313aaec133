import fc from "fast-check";
import {
  type Instruction,
  instruction,
  LD_IMM64,
  loadImmediate64,
} from "../../../dataplane/isa/instruction.ts";
import { OPERATIONS, type Operand } from "../../../dataplane/isa/opcodes.ts";

/** Any valid instruction of the opcode table, as the one or two slots it takes. */
export function anyInstruction(): fc.Arbitrary<readonly Instruction[]> {
  const register = fc.integer({ min: 0, max: 10 });
  return fc
    .record({
      operation: fc.constantFrom(...OPERATIONS),
      dst: register,
      src: register,
      offset: fc.integer({ min: -32768, max: 32767 }),
      imm: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      next: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    })
    .map(({ operation, next, ...values }) => {
      const { operands, variant, opcode } = operation;
      const field = (name: "dst" | "src" | "offset" | "imm"): number =>
        variant?.field === name ? variant.value : operands.has(name) ? values[name] : 0;
      if (opcode !== LD_IMM64) {
        return [
          instruction({
            opcode,
            dst: field("dst"),
            src: field("src"),
            offset: field("offset"),
            imm: field("imm"),
          }),
        ];
      }
      const has = (operand: Operand): boolean => operands.has(operand) || operands.has("imm64");
      const high = has("next") ? BigInt(next >>> 0) : 0n;
      return loadImmediate64(values.dst, (high << 32n) | BigInt(values.imm >>> 0), field("src"));
    });
}
