/**
 * The Toeplitz hash that NICs choose a receive queue by ("RSS hashing functions" in Microsoft's NDIS documentation): for every
 * set bit of the input the 32 bits of the key that start at the bit's position, all of them XORed. So a hash is the XOR
 * of what each input byte contributes at its place, and that is looked up: 256 numbers for each of the 36 places.
 */

/** Longest input: two IPv6 addresses and two ports. */
export const TOEPLITZ_INPUT_BYTES_MAX = 36;
/** 32 bits of key for every bit of the longest input, and what NICs take: 40 bytes. */
export const TOEPLITZ_KEY_BYTES = 40;

/** The key of Microsoft's verification suite, which many drivers also use. */
export const TOEPLITZ_KEY_MICROSOFT: Uint8Array = Uint8Array.of(
  ...[0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0],
  ...[0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c],
  ...[0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa],
);

export class Toeplitz {
  /** What byte `value` at `place` contributes: [place * 256 + value]. */
  readonly #contributions: Uint32Array;

  /** Throws RangeError unless the key has 40 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== TOEPLITZ_KEY_BYTES) {
      throw new RangeError(`hash key of ${key.length} bytes, expected ${TOEPLITZ_KEY_BYTES}`);
    }
    this.#contributions = new Uint32Array(TOEPLITZ_INPUT_BYTES_MAX * 256);
    const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
    for (let place = 0; place < TOEPLITZ_INPUT_BYTES_MAX; place++) {
      for (let bit = 0; bit < 8; bit++) {
        // The key's 32 bits from bit `place * 8 + bit`: most of them in one word, the rest in the byte behind.
        const word = view.getUint32(place, false);
        const window = ((word << bit) | ((key[place + 4] ?? 0) >>> (8 - bit))) >>> 0;
        const mask = 0x80 >>> bit;
        for (let value = 0; value < 256; value++) {
          if ((value & mask) !== 0) this.#contributions[place * 256 + value]! ^= window;
        }
      }
    }
  }

  /**
   * `hash` with `sizeBytes` more at `offset` of `bytes`, as they are on the wire; `place` is where in the input they stand, which
   * together may not pass 36. (Plain arguments: this runs for every packet.)
   */
  extend(hash: number, bytes: Uint8Array, offset: number, sizeBytes: number, place: number): number {
    let result = hash;
    for (let i = 0; i < sizeBytes; i++) {
      result ^= this.#contributions[(place + i) * 256 + bytes[offset + i]!]!;
    }
    return result >>> 0;
  }
}
