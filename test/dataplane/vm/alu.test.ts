/**
 * Random programs of arithmetic and conditional jumps, against an evaluator that knows nothing but BigInt and the words of RFC 9669,
 * sections 4.1 to 4.3. Operands come from the borders where carries, signs and halves meet as often as from anywhere.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Instruction, instruction, loadImmediate64 } from "../../../dataplane/isa/instruction.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";

const REGISTERS = 6;
const JUMP_CODES = [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd];
const ALU_CODES = [0x0, 0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0x8, 0x9, 0xa, 0xb, 0xc];

const border = fc.constantFrom(
  ...[0n, 1n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn],
  ...[0x1_0000_0000n, 0x1_ffff_ffffn, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n],
  ...[0x8000_0000_0000_0001n, 0xffff_ffff_0000_0000n, 0xffff_ffff_7fff_ffffn, 0xffff_ffff_8000_0000n],
  ...[0xffff_ffff_ffff_fffen, 0xffff_ffff_ffff_ffffn],
);
const number64 = fc.oneof(border, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const number32 = fc.oneof(
  fc.constantFrom(0, 1, -1, 2, 31, 32, 33, 63, 64, 2 ** 31 - 1, -(2 ** 31)),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
);

interface Operation {
  readonly code: number;
  readonly is64: boolean;
  readonly isRegister: boolean;
  readonly dst: number;
  readonly src: number;
  readonly imm: number;
  readonly variant: number;
}

const operands = {
  is64: fc.boolean(),
  isRegister: fc.boolean(),
  dst: fc.nat(REGISTERS - 1),
  src: fc.nat(REGISTERS - 1),
  imm: number32,
  variant: fc.nat(3),
};
const alu: fc.Arbitrary<Operation> = fc.record({ code: fc.constantFrom(...ALU_CODES), ...operands });
const swap: fc.Arbitrary<Operation> = fc.record({ code: fc.constant(0xd), ...operands });
const jump: fc.Arbitrary<Operation> = fc.record({ code: fc.constantFrom(...JUMP_CODES), ...operands });
const step = fc.oneof(
  { weight: 10, arbitrary: alu.map((operation) => ({ kind: "alu" as const, operation })) },
  { weight: 1, arbitrary: swap.map((operation) => ({ kind: "swap" as const, operation })) },
  { weight: 4, arbitrary: jump.map((operation) => ({ kind: "jump" as const, operation })) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

describe.for(ENGINES)("$name", (engine) => {
  test("computes what BigInt computes", () => {
    fc.assert(
      fc.property(
        fc.array(number64, { minLength: REGISTERS, maxLength: REGISTERS }),
        fc.array(step, { minLength: 1, maxLength: 24 }),
        (values, steps) => {
          const machine = new Machine([], { memory: { maximumBytes: 1 << 20 } });
          const out = machine.allocateRegion({ name: "out", sizeBytes: 8 * REGISTERS, isWritable: true });
          const program = linkProgram(machine, programOf(assembled(values, steps, out)));
          engine.prepare(program, machine).run(out, 0, 0);

          const found = values.map((_, register) =>
            machine.memory.view.getBigUint64(out + 8 * register, true),
          );
          expect(found).toEqual(evaluated(values, steps));
        },
      ),
      { numRuns: 1500 },
    );
  });
});

/** Loads the values, does the steps, stores the registers at `out`. A jump that is taken skips the next step. */
function assembled(values: readonly bigint[], steps: readonly Step[], out: number): Instruction[] {
  const built: Instruction[] = [];
  for (const [register, value] of values.entries()) built.push(...loadImmediate64(register, value));
  for (const each of steps) built.push(encoded(each));
  // So that a jump in the last step has something to skip.
  built.push(instruction({ opcode: 0xb7, dst: 9, imm: 0 }));
  built.push(...loadImmediate64(8, BigInt(out)));
  for (let register = 0; register < values.length; register++) {
    built.push(instruction({ opcode: 0x7b, dst: 8, src: register, offset: 8 * register }));
  }
  return [...built, instruction({ opcode: 0x95 })];
}

function encoded({ kind, operation }: Step): Instruction {
  const { code, is64, isRegister, dst, imm } = operation;
  const src = isRegister ? operation.src : 0;
  const source = isRegister ? 0x08 : 0x00;
  if (kind === "jump") {
    const opcode = (code << 4) | source | (is64 ? 0x05 : 0x06);
    return instruction({ opcode, dst, src, offset: 1, imm: isRegister ? 0 : imm });
  }
  if (kind === "swap") {
    const opcode = is64 ? 0xd7 : 0xd4 | source;
    return instruction({ opcode, dst, imm: widthOf(operation) });
  }
  const opcode = (code << 4) | source | (is64 ? 0x07 : 0x04);
  if (code === 0x8) return instruction({ opcode: opcode & ~0x08, dst });
  return instruction({ opcode, dst, src, offset: variantOf(operation), imm: isRegister ? 0 : imm });
}

function widthOf({ variant }: Operation): number {
  return [16, 32, 64][variant % 3]!;
}

/** 1 makes division signed; 8, 16, 32 make a move sign-extend. */
function variantOf({ code, variant, isRegister, is64 }: Operation): number {
  if (code === 0x3 || code === 0x9) return variant & 1;
  if (code === 0xb && isRegister) return [0, 8, 16, is64 ? 32 : 0][variant]!;
  return 0;
}

function evaluated(values: readonly bigint[], steps: readonly Step[]): bigint[] {
  const registers = [...values];
  for (let i = 0; i < steps.length; i++) {
    const { kind, operation } = steps[i]!;
    const bits = operation.is64 ? 64 : 32;
    const raw = operation.isRegister ? registers[operation.src]! : BigInt.asUintN(64, BigInt(operation.imm));
    const a = registers[operation.dst]!;
    if (kind === "jump") {
      if (holds(operation.code, BigInt.asUintN(bits, a), BigInt.asUintN(bits, raw), bits)) i++;
    } else if (kind === "swap") {
      const isSwap = operation.is64 || operation.isRegister;
      registers[operation.dst] = swapped(a, widthOf(operation), isSwap);
    } else {
      const result = calculated(operation, BigInt.asUintN(bits, a), BigInt.asUintN(bits, raw), bits);
      registers[operation.dst] = BigInt.asUintN(bits, result);
    }
  }
  return registers;
}

function calculated(operation: Operation, a: bigint, b: bigint, bits: number): bigint {
  const shift = b % BigInt(bits);
  const isVariant = variantOf(operation);
  const [signedA, signedB] = [BigInt.asIntN(bits, a), BigInt.asIntN(bits, b)];
  switch (operation.code) {
    case 0x0:
      return a + b;
    case 0x1:
      return a - b;
    case 0x2:
      return a * b;
    case 0x3:
      if (b === 0n) return 0n;
      return isVariant ? signedA / signedB : a / b;
    case 0x4:
      return a | b;
    case 0x5:
      return a & b;
    case 0x6:
      return a << shift;
    case 0x7:
      return a >> shift;
    case 0x8:
      return -a;
    case 0x9:
      if (b === 0n) return a;
      return isVariant ? signedA % signedB : a % b;
    case 0xa:
      return a ^ b;
    case 0xb:
      return isVariant ? BigInt.asIntN(isVariant, b) : b;
    default:
      return signedA >> shift;
  }
}

function swapped(value: bigint, bits: number, isSwap: boolean): bigint {
  const low = BigInt.asUintN(bits, value);
  if (!isSwap) return low;
  const digits = low.toString(16).padStart(bits / 4, "0");
  return BigInt(`0x${digits.match(/../g)!.reverse().join("")}`);
}

function holds(code: number, a: bigint, b: bigint, bits: number): boolean {
  const [signedA, signedB] = [BigInt.asIntN(bits, a), BigInt.asIntN(bits, b)];
  switch (code) {
    case 0x1:
      return a === b;
    case 0x2:
      return a > b;
    case 0x3:
      return a >= b;
    case 0x4:
      return (a & b) !== 0n;
    case 0x5:
      return a !== b;
    case 0x6:
      return signedA > signedB;
    case 0x7:
      return signedA >= signedB;
    case 0xa:
      return a < b;
    case 0xb:
      return a <= b;
    case 0xc:
      return signedA < signedB;
    default:
      return signedA <= signedB;
  }
}
