/**
 * One instruction of the BPF instruction set (RFC 9669), decoded. A program is an array with one element per 8-byte slot, so
 * that a jump is an addition to an index:
 *
 *     byte   0         1             2        4                8
 *            +---------+------+------+--------+----------------+
 *            | opcode  | src  | dst  | offset | imm            |      little-endian: dst in the low nibble of byte 1
 *            +---------+------+------+--------+----------------+      big-endian:    dst in the high nibble
 *              8 bits    4      4      16       32
 *
 *     opcode, arithmetic and jumps        opcode, loads and stores
 *     bit    7      4   3   2     0       bit    7   5   4  3   2     0
 *            +------+---+-------+                +------+------+-------+
 *            | code | X | class |                | mode | size | class |
 *            +------+---+-------+                +------+------+-------+
 *
 * The 64-bit immediate load (section 5.4) takes two slots. The first holds all of it, `imm64` included; the second is a
 * placeholder with opcode 0, as it is on the wire, which cannot be executed.
 */
export interface Instruction {
  readonly opcode: number;
  /** 0 to 10. */
  readonly dst: number;
  /** 0 to 10; for some opcodes not a register but a kind (64-bit immediate loads, calls). */
  readonly src: number;
  /** Signed 16 bits. */
  readonly offset: number;
  /** Signed 32 bits. In a 64-bit immediate load the low half, in its placeholder the high half. */
  readonly imm: number;
  /** The whole immediate of a 64-bit immediate load, unsigned; undefined for every other instruction and for the placeholder. */
  readonly imm64: bigint | undefined;
}

export const SLOT_SIZE_BYTES = 8;

/** `lddw`: the opcode of the two-slot 64-bit immediate load. */
export const LD_IMM64 = 0x18;

/** The fields of an instruction; those left out are 0. */
export function instruction(fields: {
  readonly opcode: number;
  readonly dst?: number;
  readonly src?: number;
  readonly offset?: number;
  readonly imm?: number;
}): Instruction {
  const { opcode, dst = 0, src = 0, offset = 0, imm = 0 } = fields;
  return { opcode, dst, src, offset, imm, imm64: undefined };
}

/** Both slots of a 64-bit immediate load. `src` is its kind (RFC 9669, section 5.4), 0 for a plain number. */
export function loadImmediate64(dst: number, imm64: bigint, src = 0): readonly [Instruction, Instruction] {
  const unsigned = BigInt.asUintN(64, imm64);
  const imm = Number(BigInt.asIntN(32, unsigned));
  const high = Number(BigInt.asIntN(32, unsigned >> 32n));
  return [
    { opcode: LD_IMM64, dst, src, offset: 0, imm, imm64: unsigned },
    { opcode: 0, dst: 0, src: 0, offset: 0, imm: high, imm64: undefined },
  ];
}

/** Bytes, fields or text that are no instruction. */
export class InstructionError extends Error {
  readonly code: "bad-length" | "unknown-opcode" | "bad-register" | "bad-field" | "bad-text";
  /** Slot from the first of the program; for text the slot it would have taken. */
  readonly slot: number;
  /** Byte from the first of the program, or undefined where there are no bytes. */
  readonly byte: number | undefined;

  constructor(code: InstructionError["code"], slot: number, byte: number | undefined, why: string) {
    super(byte === undefined ? `slot ${slot}: ${why}` : `slot ${slot} (byte ${byte}): ${why}`);
    this.name = "InstructionError";
    this.code = code;
    this.slot = slot;
    this.byte = byte;
  }
}
