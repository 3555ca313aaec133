/**
 * Instructions to bytes and back. `decode` refuses what RFC 9669 does not define, reserved fields that are not 0 included,
 * so that what it returns is canonical: encoding it gives the same bytes, and its text says all of it.
 */
import { type Instruction, InstructionError, LD_IMM64, SLOT_SIZE_BYTES } from "./instruction.ts";
import { isLegacyPacketAccess, type Operand, type Operation, operationOf, operationsOf } from "./opcodes.ts";

const REGISTER_MAX = 10;

/** One element per slot. `bytes` is a whole program or function. Throws InstructionError. */
export function decode(bytes: Uint8Array, isLittleEndian: boolean): Instruction[] {
  if (bytes.length % SLOT_SIZE_BYTES !== 0) {
    const slot = Math.floor(bytes.length / SLOT_SIZE_BYTES);
    throw new InstructionError(
      "bad-length",
      slot,
      slot * SLOT_SIZE_BYTES,
      `${bytes.length} bytes, expected a multiple of ${SLOT_SIZE_BYTES}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slotCount = bytes.length / SLOT_SIZE_BYTES;
  const instructions: Instruction[] = [];
  for (let slot = 0; slot < slotCount; slot++) {
    const first = decodeSlot(view, slot, isLittleEndian);
    if (first.opcode !== LD_IMM64) {
      check(first, slot, slot * SLOT_SIZE_BYTES);
      instructions.push(first);
      continue;
    }
    if (slot + 1 === slotCount) {
      throw new InstructionError(
        "bad-length",
        slot,
        slot * SLOT_SIZE_BYTES,
        "a 64-bit immediate load needs a second slot, and the program ends here",
      );
    }
    const second = decodeSlot(view, slot + 1, isLittleEndian);
    checkPlaceholder(second, slot + 1);
    const imm64 = (BigInt(second.imm >>> 0) << 32n) | BigInt(first.imm >>> 0);
    const whole = { ...first, imm64 };
    check(whole, slot, slot * SLOT_SIZE_BYTES);
    instructions.push(whole, second);
    slot++;
  }
  return instructions;
}

/** Undoes `decode`. Throws InstructionError when an instruction is none, so that nothing wrong reaches a kernel. */
export function encode(instructions: readonly Instruction[], isLittleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(instructions.length * SLOT_SIZE_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [slot, instruction] of instructions.entries()) {
    const { opcode, dst, src, offset, imm } = instruction;
    const previous = instructions[slot - 1];
    if (previous?.opcode === LD_IMM64) {
      checkPlaceholder(instruction, slot);
      if (previous.imm64 !== ((BigInt(imm >>> 0) << 32n) | BigInt(previous.imm >>> 0))) {
        throw new InstructionError("bad-field", slot, undefined, "imm64 is not what its two halves make");
      }
    } else {
      check(instruction, slot, undefined);
      if (opcode === LD_IMM64 && slot + 1 === instructions.length) {
        throw new InstructionError(
          "bad-length",
          slot,
          undefined,
          "a 64-bit immediate load lacks its second slot",
        );
      }
    }
    const at = slot * SLOT_SIZE_BYTES;
    view.setUint8(at, opcode);
    view.setUint8(at + 1, isLittleEndian ? (src << 4) | dst : (dst << 4) | src);
    view.setInt16(at + 2, offset, isLittleEndian);
    view.setInt32(at + 4, imm, isLittleEndian);
  }
  return bytes;
}

function decodeSlot(view: DataView, slot: number, isLittleEndian: boolean): Instruction {
  const at = slot * SLOT_SIZE_BYTES;
  const registers = view.getUint8(at + 1);
  const low = registers & 0x0f;
  const high = registers >> 4;
  return {
    opcode: view.getUint8(at),
    dst: isLittleEndian ? low : high,
    src: isLittleEndian ? high : low,
    offset: view.getInt16(at + 2, isLittleEndian),
    imm: view.getInt32(at + 4, isLittleEndian),
    imm64: undefined,
  };
}

function checkPlaceholder(instruction: Instruction, slot: number): void {
  const { opcode, dst, src, offset } = instruction;
  if (opcode === 0 && dst === 0 && src === 0 && offset === 0) return;
  throw new InstructionError(
    "bad-field",
    slot,
    slot * SLOT_SIZE_BYTES,
    `second slot of a 64-bit immediate load has opcode ${hex(opcode)}, dst ${dst}, src ${src}, offset ${offset}, expected 0`,
  );
}

/** The fields must be in range, and those the operation does not use must be 0. */
function check(instruction: Instruction, slot: number, byte: number | undefined): void {
  const operation = operationOf(instruction);
  if (operation === undefined) throw unknown(instruction, slot, byte);
  const { dst, src, offset, imm } = instruction;
  const fail = (field: string, value: number, allowed: string): InstructionError =>
    new InstructionError(
      "bad-field",
      slot,
      byte,
      `${operation.mnemonic}: ${field} ${value}, expected ${allowed}`,
    );

  if (uses(operation, "dst") ? !isRegister(dst) : dst !== 0) throw registerError("dst", dst);
  if (uses(operation, "src") ? !isRegister(src) : src !== reserved(operation, "src"))
    throw registerError("src", src);
  if (
    uses(operation, "offset") ? (offset << 16) >> 16 !== offset : offset !== reserved(operation, "offset")
  ) {
    throw fail("offset", offset, uses(operation, "offset") ? "a signed 16-bit number" : "0");
  }
  const hasImm = uses(operation, "imm") || uses(operation, "lo") || uses(operation, "imm64");
  if (hasImm ? (imm | 0) !== imm : imm !== reserved(operation, "imm")) {
    throw fail("imm", imm, hasImm ? "a signed 32-bit number" : "0");
  }
  if (operation.opcode === LD_IMM64 && !uses(operation, "imm64") && !uses(operation, "next")) {
    const high = Number(BigInt.asIntN(32, (instruction.imm64 ?? 0n) >> 32n));
    if (high !== 0) throw fail("second imm", high, "0");
  }

  function registerError(field: "dst" | "src", value: number): InstructionError {
    const allowed = uses(operation!, field) ? `0 to ${REGISTER_MAX}` : "0, it is reserved";
    const text = `${operation!.mnemonic}: ${field} register ${value}, expected ${allowed}`;
    return new InstructionError("bad-register", slot, byte, text);
  }
}

function unknown(
  { opcode, src, offset, imm }: Instruction,
  slot: number,
  byte: number | undefined,
): InstructionError {
  if (isLegacyPacketAccess(opcode)) {
    const why = `opcode ${hex(opcode)}: legacy packet access (LD_ABS, LD_IND) is not supported`;
    return new InstructionError("unknown-opcode", slot, byte, why);
  }
  const siblings = operationsOf(opcode);
  const field = siblings[0]?.variant?.field;
  if (field === undefined) {
    return new InstructionError("unknown-opcode", slot, byte, `opcode ${hex(opcode)} does not exist`);
  }
  const found = { src, offset, imm }[field];
  const allowed = siblings
    .map((sibling) => `${hex(sibling.variant!.value)} (${sibling.mnemonic})`)
    .join(", ");
  const why = `opcode ${hex(opcode)} with ${field} ${hex(found)} does not exist, expected ${allowed}`;
  return new InstructionError("unknown-opcode", slot, byte, why);
}

function uses(operation: Operation, operand: Operand): boolean {
  return operation.operands.has(operand);
}

/** What a field that is no operand must hold. */
function reserved(operation: Operation, field: "src" | "offset" | "imm"): number {
  return operation.variant?.field === field ? operation.variant.value : 0;
}

function isRegister(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= REGISTER_MAX;
}

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}
