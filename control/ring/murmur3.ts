/**
 * MurmurHash3 x64-128 (Austin Appleby, public domain) of exactly 16 bytes, which is all that Maglev permutations need: one
 * block and no tail. Of the 128 bits the first 64 are kept.
 */
import { add, multiply, rotateLeft, type U64s, u64s, xor, xorShiftRight } from "./u64.ts";

const KEY_BYTES = 16;

/** Hashes keys one after another in buffers of its own. */
export class Murmur3 {
  /** h1, h2, and the word being mixed in. */
  readonly #state: U64s = u64s(0n, 0n, 0n);

  /**
   * Hashes the two 64-bit words keyHi:keyLo and wordHi:wordLo, taken as 16 little-endian bytes. `hi` and `lo` hold the result
   * until the next call.
   */
  hash(keyHi: number, keyLo: number, wordHi: number, wordLo: number, seed: number): void {
    const s = this.#state;
    s.fill(0);
    s[0] = seed;
    s[2] = seed;

    s[4] = keyLo;
    s[5] = keyHi;
    multiply(s, 2, 0x87c37b91, 0x114253d5);
    rotateLeft(s, 2, 31);
    multiply(s, 2, 0x4cf5ad43, 0x2745937f);
    xor(s, 0, s[5]!, s[4]!);
    rotateLeft(s, 0, 27);
    add(s, 0, s[3]!, s[2]!);
    multiply(s, 0, 0, 5);
    add(s, 0, 0, 0x52dce729);

    s[4] = wordLo;
    s[5] = wordHi;
    multiply(s, 2, 0x4cf5ad43, 0x2745937f);
    rotateLeft(s, 2, 33);
    multiply(s, 2, 0x87c37b91, 0x114253d5);
    xor(s, 1, s[5]!, s[4]!);
    rotateLeft(s, 1, 31);
    add(s, 1, s[1]!, s[0]!);
    multiply(s, 1, 0, 5);
    add(s, 1, 0, 0x38495ab5);

    xor(s, 0, 0, KEY_BYTES);
    xor(s, 1, 0, KEY_BYTES);
    add(s, 0, s[3]!, s[2]!);
    add(s, 1, s[1]!, s[0]!);
    finish(s, 0);
    finish(s, 1);
    add(s, 0, s[3]!, s[2]!);
  }

  get hi(): number {
    return this.#state[1]!;
  }

  get lo(): number {
    return this.#state[0]!;
  }
}

function finish(s: U64s, at: number): void {
  xorShiftRight(s, at, 33);
  multiply(s, at, 0xff51afd7, 0xed558ccd);
  xorShiftRight(s, at, 33);
  multiply(s, at, 0xc4ceb9fe, 0x1a85ec53);
  xorShiftRight(s, at, 33);
}
