/**
 * Arithmetic and comparisons (RFC 9669, sections 4.1 to 4.3), on registers kept as two 32-bit words (registers.ts). `dst` is the
 * index of the destination's low word; (low, high) is the second operand, which for an immediate is its sign extension.
 *
 * Only 64-bit division of numbers beyond 32 bits makes BigInts.
 */
import * as opcodes from "../isa/opcodes.ts";

// Constants of this module for the reason that interpreter.ts gives.
const {
  BPF_ADD,
  BPF_AND,
  BPF_ARSH,
  BPF_DIV,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JLE,
  BPF_JLT,
  BPF_JNE,
  BPF_JSET,
  BPF_JSGE,
  BPF_JSGT,
  BPF_JSLT,
  BPF_LSH,
  BPF_MOD,
  BPF_MOV,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_XOR,
} = opcodes;

/** All but byte swaps. `offset` is the instruction's: 1 makes DIV and MOD signed, 8, 16 and 32 make MOV sign-extend. */
export function alu64(
  code: number,
  offset: number,
  words: Int32Array,
  dst: number,
  low: number,
  high: number,
): void {
  switch (code) {
    case BPF_ADD: {
      const sum = (words[dst]! >>> 0) + (low >>> 0);
      words[dst] = sum;
      words[dst + 1] = words[dst + 1]! + high + (sum > 0xffff_ffff ? 1 : 0);
      return;
    }
    case BPF_SUB: {
      const difference = (words[dst]! >>> 0) - (low >>> 0);
      words[dst] = difference;
      words[dst + 1] = words[dst + 1]! - high - (difference < 0 ? 1 : 0);
      return;
    }
    case BPF_MUL:
      multiply64(words, dst, low, high);
      return;
    case BPF_DIV:
    case BPF_MOD:
      divide64(code, offset === 1, words, dst, low, high);
      return;
    case BPF_OR:
      words[dst]! |= low;
      words[dst + 1]! |= high;
      return;
    case BPF_AND:
      words[dst]! &= low;
      words[dst + 1]! &= high;
      return;
    case BPF_XOR:
      words[dst]! ^= low;
      words[dst + 1]! ^= high;
      return;
    case BPF_LSH:
      shiftLeft64(words, dst, low & 63);
      return;
    case BPF_RSH:
      shiftRight64(words, dst, low & 63);
      return;
    case BPF_ARSH:
      shiftRightSigned64(words, dst, low & 63);
      return;
    case BPF_NEG: {
      const wasZero = words[dst] === 0;
      words[dst] = -words[dst]!;
      words[dst + 1] = wasZero ? -words[dst + 1]! : ~words[dst + 1]!;
      return;
    }
    case BPF_MOV:
      if (offset === 0) {
        words[dst] = low;
        words[dst + 1] = high;
      } else {
        const extended = signExtend(low, offset);
        words[dst] = extended;
        words[dst + 1] = extended >> 31;
      }
      return;
  }
}

/** The same on the low halves; the high half of the destination becomes 0. */
export function alu32(code: number, offset: number, words: Int32Array, dst: number, operand: number): void {
  words[dst] = result32(code, offset, words[dst]!, operand);
  words[dst + 1] = 0;
}

function result32(code: number, offset: number, a: number, b: number): number {
  switch (code) {
    case BPF_ADD:
      return (a + b) | 0;
    case BPF_SUB:
      return (a - b) | 0;
    case BPF_MUL:
      return Math.imul(a, b);
    case BPF_DIV:
      if (b === 0) return 0;
      return offset === 1 ? (a / b) | 0 : ((a >>> 0) / (b >>> 0)) >>> 0;
    case BPF_MOD:
      if (b === 0) return a;
      return offset === 1 ? (a % b) | 0 : (a >>> 0) % (b >>> 0);
    case BPF_OR:
      return a | b;
    case BPF_AND:
      return a & b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return a << (b & 31);
    case BPF_RSH:
      return a >>> (b & 31);
    case BPF_ARSH:
      return a >> (b & 31);
    case BPF_NEG:
      return -a | 0;
    default: // BPF_MOV
      return offset === 0 ? b : signExtend(b, offset);
  }
}

/** Section 4.2: keeps the low `bits` (16, 32, 64), reversed when `isSwap`; the rest becomes 0. */
export function byteSwap(words: Int32Array, dst: number, bits: number, isSwap: boolean): void {
  const low = words[dst]!;
  const high = words[dst + 1]!;
  switch (bits) {
    case 16:
      words[dst] = isSwap ? reverseBytes(low) >>> 16 : low & 0xffff;
      words[dst + 1] = 0;
      return;
    case 32:
      words[dst] = isSwap ? reverseBytes(low) : low;
      words[dst + 1] = 0;
      return;
    default:
      if (!isSwap) return;
      words[dst] = reverseBytes(high);
      words[dst + 1] = reverseBytes(low);
  }
}

/** Whether the condition of a 64-bit jump holds. */
export function holds64(code: number, words: Int32Array, dst: number, low: number, high: number): boolean {
  const aLow = words[dst]!;
  const aHigh = words[dst + 1]!;
  switch (code) {
    case BPF_JEQ:
      return aLow === low && aHigh === high;
    case BPF_JNE:
      return aLow !== low || aHigh !== high;
    case BPF_JSET:
      return (aLow & low) !== 0 || (aHigh & high) !== 0;
    case BPF_JGT:
      return isLess(low, high >>> 0, aLow, aHigh >>> 0);
    case BPF_JGE:
      return !isLess(aLow, aHigh >>> 0, low, high >>> 0);
    case BPF_JLT:
      return isLess(aLow, aHigh >>> 0, low, high >>> 0);
    case BPF_JLE:
      return !isLess(low, high >>> 0, aLow, aHigh >>> 0);
    case BPF_JSGT:
      return isLess(low, high, aLow, aHigh);
    case BPF_JSGE:
      return !isLess(aLow, aHigh, low, high);
    case BPF_JSLT:
      return isLess(aLow, aHigh, low, high);
    default: // BPF_JSLE
      return !isLess(low, high, aLow, aHigh);
  }
}

/** The same for a 32-bit jump: `a` and `b` are low halves, signed. */
export function holds32(code: number, a: number, b: number): boolean {
  switch (code) {
    case BPF_JEQ:
      return a === b;
    case BPF_JNE:
      return a !== b;
    case BPF_JSET:
      return (a & b) !== 0;
    case BPF_JGT:
      return a >>> 0 > b >>> 0;
    case BPF_JGE:
      return a >>> 0 >= b >>> 0;
    case BPF_JLT:
      return a >>> 0 < b >>> 0;
    case BPF_JLE:
      return a >>> 0 <= b >>> 0;
    case BPF_JSGT:
      return a > b;
    case BPF_JSGE:
      return a >= b;
    case BPF_JSLT:
      return a < b;
    default: // BPF_JSLE
      return a <= b;
  }
}

/** Of the low 8, 16 or 32 bits. */
export function signExtend(value: number, bits: number): number {
  return (value << (32 - bits)) >> (32 - bits);
}

/** a < b, where the high halves come as the comparison sees them, signed or not. */
function isLess(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  return aHigh === bHigh ? aLow >>> 0 < bLow >>> 0 : aHigh < bHigh;
}

function reverseBytes(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word & 0xff00) << 8) | (word << 24);
}

/** The low 64 bits of the product, from the products of 16-bit digits: those of whole words would need more than 53 bits. */
function multiply64(words: Int32Array, dst: number, low: number, high: number): void {
  const aLow = words[dst]!;
  const aHigh = words[dst + 1]!;
  const a0 = aLow & 0xffff;
  const a1 = aLow >>> 16;
  const b0 = low & 0xffff;
  const b1 = low >>> 16;
  const bottom = a0 * b0;
  const middle = a1 * b0 + (bottom >>> 16);
  const middleCarried = a0 * b1 + (middle & 0xffff);
  words[dst] = (middleCarried << 16) | (bottom & 0xffff);
  words[dst + 1] =
    a1 * b1 + (middle >>> 16) + (middleCarried >>> 16) + Math.imul(aLow, high) + Math.imul(aHigh, low);
}

/** By 0: a quotient of 0, a remainder of the dividend. The least number by -1: itself, 0. */
function divide64(
  code: number,
  isSigned: boolean,
  words: Int32Array,
  dst: number,
  low: number,
  high: number,
): void {
  if (low === 0 && high === 0) {
    if (code === BPF_MOD) return;
    words[dst] = 0;
    words[dst + 1] = 0;
    return;
  }
  const aLow = words[dst]! >>> 0;
  const aHigh = words[dst + 1]!;
  if (aHigh === 0 && high === 0) {
    // Both are less than 2^32 and not negative, so signs do not matter and doubles are exact.
    words[dst] = code === BPF_MOD ? aLow % (low >>> 0) : Math.floor(aLow / (low >>> 0));
    words[dst + 1] = 0;
    return;
  }
  const a = toBigInt(aLow, aHigh, isSigned);
  const b = toBigInt(low, high, isSigned);
  const result = BigInt.asUintN(64, code === BPF_MOD ? a % b : a / b);
  words[dst] = Number(result & 0xffff_ffffn);
  words[dst + 1] = Number(result >> 32n);
}

function toBigInt(low: number, high: number, isSigned: boolean): bigint {
  return (BigInt(isSigned ? high : high >>> 0) << 32n) | BigInt(low >>> 0);
}

function shiftLeft64(words: Int32Array, dst: number, count: number): void {
  if (count === 0) return;
  const low = words[dst]!;
  if (count < 32) {
    words[dst + 1] = (words[dst + 1]! << count) | (low >>> (32 - count));
    words[dst] = low << count;
  } else {
    words[dst + 1] = low << (count - 32);
    words[dst] = 0;
  }
}

function shiftRight64(words: Int32Array, dst: number, count: number): void {
  if (count === 0) return;
  const high = words[dst + 1]!;
  if (count < 32) {
    words[dst] = (words[dst]! >>> count) | (high << (32 - count));
    words[dst + 1] = high >>> count;
  } else {
    words[dst] = high >>> (count - 32);
    words[dst + 1] = 0;
  }
}

function shiftRightSigned64(words: Int32Array, dst: number, count: number): void {
  if (count === 0) return;
  const high = words[dst + 1]!;
  if (count < 32) {
    words[dst] = (words[dst]! >>> count) | (high << (32 - count));
    words[dst + 1] = high >> count;
  } else {
    words[dst] = high >> (count - 32);
    words[dst + 1] = high >> 31;
  }
}
