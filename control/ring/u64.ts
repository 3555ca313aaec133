/**
 * 64-bit arithmetic modulo 2^64 on two 32-bit halves. The hashes of a ring are 64-bit, and a ring of 1000 backends takes
 * some 40,000 such operations: as BigInt they cost more than filling the ring (1.6 ms for MurmurHash3 alone on Node 20,
 * where this takes 0.1 ms).
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
  // The carry out of the low halves' product, by schoolbook multiplication of 16-bit digits.
  const a0 = valueLo & 0xffff;
  const a1 = valueLo >>> 16;
  const b0 = lo & 0xffff;
  const b1 = lo >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = a1 * b1 + (middle >>> 16) + ((a0 * b1 + (middle & 0xffff)) >>> 16);
  values[2 * at] = Math.imul(valueLo, lo);
  values[2 * at + 1] = Math.imul(valueHi, lo) + Math.imul(valueLo, hi) + carry;
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
