/**
 * The 64-bit hash of a backend's address, from which its place in every ring follows. It is the one that Katran gets from
 * folly's `IPAddress::hash`, bit for bit, so that both fill the same rings.
 */
import { spookyHash16 } from "./spooky.ts";
import { multiply, type U64s, u64s, xor, xorShiftRight } from "./u64.ts";

const FNV32_START = 2166136261;
const AF_INET = 2; // Linux's numbers, which are part of the hash
const AF_INET6 = 10;

/** Hashes addresses one after another in a buffer of its own. */
export class EndpointHash {
  readonly #words: U64s = u64s(0n, 0n, 0n, 0n);

  /** `address` is 4 or 16 bytes in network order. `hi` and `lo` hold the result until the next call. */
  hash(address: Uint8Array): void {
    const words = this.#words;
    if (address.length === 4) {
      words[0] = fnv32(address);
      words[1] = 0;
      mix(words, 0, AF_INET);
    } else {
      spookyHash16(address, words);
      // The first half of SpookyHash is the upper word, the second the lower.
      const upperHi = words[1]!;
      const upperLo = words[0]!;
      words[0] = words[2]!;
      words[1] = words[3]!;
      mix(words, upperHi, upperLo);
      mix(words, 0, AF_INET6);
    }
  }

  get hi(): number {
    return this.#words[1]!;
  }

  get lo(): number {
    return this.#words[0]!;
  }
}

/** FNV-32, but each byte counts as a signed char: 0x80 and above flip the upper 24 bits too. */
function fnv32(bytes: Uint8Array): number {
  let hash = FNV32_START;
  for (const byte of bytes) {
    // The FNV prime, 0x01000193, less one, as the shifts of the original.
    hash += (hash << 1) + (hash << 4) + (hash << 7) + (hash << 8) + (hash << 24);
    hash ^= (byte << 24) >> 24;
  }
  return hash >>> 0;
}

/** Folds an upper word into `words[0]`, the lower, as CityHash's Hash128to64 does. */
function mix(words: U64s, upperHi: number, upperLo: number): void {
  xor(words, 0, upperHi, upperLo);
  multiplyAndFold(words);
  xor(words, 0, upperHi, upperLo);
  multiplyAndFold(words);
  multiply(words, 0, 0x9ddfea08, 0xeb382d69);
}

function multiplyAndFold(words: U64s): void {
  multiply(words, 0, 0x9ddfea08, 0xeb382d69);
  xorShiftRight(words, 0, 47);
}
