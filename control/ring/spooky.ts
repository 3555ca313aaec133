/**
 * SpookyHash V2 (Bob Jenkins, public domain) of exactly 16 bytes with both seeds 0: one round of its short form, and its end.
 * Both are the same step over and over, going round four words, so only the rotations are written down.
 */
import { add, rotateLeft, type U64s, xor } from "./u64.ts";

const FILLER = 0xdeadbeef; // in both halves of the words that hold no input
const MESSAGE_BYTES = 16;

const MIX_ROTATIONS: readonly number[] = [50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36];
const END_ROTATIONS: readonly number[] = [15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63];

/** `words` is scratch of four values; the hash is left in the first two. `bytes` is 16 long. */
export function spookyHash16(bytes: Uint8Array, words: U64s): void {
  words.fill(0, 0, 4);
  words.fill(FILLER, 4, 8);
  add(words, 2, littleEndian32(bytes, 4), littleEndian32(bytes, 0));
  add(words, 3, littleEndian32(bytes, 12), littleEndian32(bytes, 8));
  for (let step = 0; step < MIX_ROTATIONS.length; step++) {
    const at = (step + 2) & 3;
    rotateLeft(words, at, MIX_ROTATIONS[step]!);
    addInto(words, at, (at + 1) & 3);
    xorInto(words, (at + 2) & 3, at);
  }

  add(words, 3, MESSAGE_BYTES << 24, 0);
  // Nothing is left behind the 16 bytes, which counts as filler once more.
  add(words, 2, FILLER, FILLER);
  add(words, 3, FILLER, FILLER);
  for (let step = 0; step < END_ROTATIONS.length; step++) {
    const at = (step + 2) & 3;
    const next = (at + 1) & 3;
    xorInto(words, next, at);
    rotateLeft(words, at, END_ROTATIONS[step]!);
    addInto(words, next, at);
  }
}

function addInto(words: U64s, at: number, from: number): void {
  add(words, at, words[2 * from + 1]!, words[2 * from]!);
}

function xorInto(words: U64s, at: number, from: number): void {
  xor(words, at, words[2 * from + 1]!, words[2 * from]!);
}

function littleEndian32(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24);
}
