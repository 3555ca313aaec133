/**
 * 64-bit arithmetic modulo 2^64 on two 32-bit halves: BigInt takes about ten times as long.
 *
 * A value is two elements of a Uint32Array, low half first, so that nothing is allocated and nothing has to return a pair.
 * `at` counts values, not halves.
 */
export type U64s = Uint32Array;

export function u64s(...values: readonly bigint[]): U64s {
  return new Uint32Array(BigUint64Array.from(values).buffer);
}

export function toBigint(values: U64s, at: number): bigint {
  return (BigInt(values[2 * at + 1]!) << 32n) | BigInt(values[2 * at]!);
}

/** `values[at] += hi:lo` */
export function add(values: U64s, at: number, hi: number, lo: number): void {
  const sum = values[2 * at]! + (lo >>> 0);
  values[2 * at] = sum;
  values[2 * at + 1] = values[2 * at + 1]! + hi + (sum > 0xffffffff ? 1 : 0);
}

/** `values[at] ^= hi:lo` */
export function xor(values: U64s, at: number, hi: number, lo: number): void {
  values[2 * at] = values[2 * at]! ^ lo;
  values[2 * at + 1] = values[2 * at + 1]! ^ hi;
}

/** `values[at] *= hi:lo` */
export function multiply(values: U64s, at: number, hi: number, lo: number): void {
  const valueLo = values[2 * at]!;
  const valueHi = values[2 * at + 1]!;
  values[2 * at] = Math.imul(valueLo, lo);
  values[2 * at + 1] = Math.imul(valueHi, lo) + Math.imul(valueLo, hi) + carryOfProduct(valueLo, lo);
}

/** `values[at] = values[at] rotated left by count`, 0 < count < 64. */
export function rotateLeft(values: U64s, at: number, count: number): void {
  const isLong = count >= 32;
  const lo = values[2 * at + (isLong ? 1 : 0)]!;
  const hi = values[2 * at + (isLong ? 0 : 1)]!;
  const bits = count & 31;
  // Two shifts, since one by 32 - 0 would be a shift by nothing.
  values[2 * at] = (lo << bits) | ((hi >>> 1) >>> (31 - bits));
  values[2 * at + 1] = (hi << bits) | ((lo >>> 1) >>> (31 - bits));
}

/** `values[at] ^= values[at] >>> count`, 32 <= count < 64: only the low half changes. */
export function xorShiftRight(values: U64s, at: number, count: number): void {
  values[2 * at] = values[2 * at]! ^ (values[2 * at + 1]! >>> (count - 32));
}

/** The high half of the 64-bit product of two 32-bit numbers, by schoolbook multiplication of 16-bit digits. */
export function carryOfProduct(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  // Each sum below fits 32 bits unsigned.
  const middle = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) >>> 0;
  const low = (Math.imul(a0, b1) + (middle & 0xffff)) >>> 0;
  return (Math.imul(a1, b1) + (middle >>> 16) + (low >>> 16)) | 0;
}
