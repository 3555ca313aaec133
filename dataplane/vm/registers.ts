/**
 * The registers of a running program. A register is two 32-bit words, low word first, and the same bytes as one 64-bit number:
 *
 *     words[2 * r]      low half, as a signed 32-bit number       u64[r]   the whole, unsigned
 *     words[2 * r + 1]  high half
 *
 * The interpreter works on the words, so that its loop allocates nothing: with BigInts a loop of 64-bit arithmetic ran as fast but made
 * garbage (96 million instructions on Node 20.20: 1242 collections, against 5 while it warmed up). The views agree on a little-endian
 * host only, which every platform of Node but one (s390x) is.
 */
export class Registers {
  readonly u64: BigUint64Array;
  readonly words: Int32Array;

  constructor() {
    const buffer = new ArrayBuffer(REGISTER_COUNT * 8);
    this.u64 = new BigUint64Array(buffer);
    this.words = new Int32Array(buffer);
  }

  /** The low half, unsigned: a u32 argument, or an address that was checked to be one. */
  low(register: number): number {
    return this.words[2 * register]! >>> 0;
  }

  /** The low half, signed: an `int` argument. */
  signedLow(register: number): number {
    return this.words[2 * register]!;
  }

  high(register: number): number {
    return this.words[2 * register + 1]! >>> 0;
  }

  /** A number from -2^31 to 2^53, sign-extended. */
  set(register: number, value: number): void {
    this.words[2 * register] = value;
    this.words[2 * register + 1] = Math.floor(value / 2 ** 32);
  }

  /** Halves as `low` and `high` return them. */
  setHalves(register: number, low: number, high: number): void {
    this.words[2 * register] = low;
    this.words[2 * register + 1] = high;
  }
}

export const FRAME_POINTER = 10;
/** r0 to r10. */
const REGISTER_COUNT = 11;
