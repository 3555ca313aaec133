/**
 * Bob Jenkins' lookup3 hash in the two forms that the flow hash needs, as the kernel's include/linux/jhash.h names
 * them. Words are 32-bit; bytes are read as little-endian words.
 */
const GOLDEN = 0xdeadbeef;

/** jhash_2words. */
export function jhash2Words(first: number, second: number, seed: number): number {
  const start = (seed + GOLDEN + (2 << 2)) >>> 0;
  return final((first + start) >>> 0, (second + start) >>> 0, start);
}

/** jhash, of at least one byte. Bytes missing from the last word count as zeros. */
export function jhash(bytes: Uint8Array, seed: number): number {
  const words = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  words.set(bytes);
  const view = new DataView(words.buffer);
  let [a, b, c] = new Array<number>(3).fill((GOLDEN + bytes.length + seed) >>> 0) as [number, number, number];
  let offset = 0;
  for (; bytes.length - offset > 12; offset += 12) {
    a = (a + view.getUint32(offset, true)) >>> 0;
    b = (b + view.getUint32(offset + 4, true)) >>> 0;
    c = (c + view.getUint32(offset + 8, true)) >>> 0;
    // lookup3's mix().
    a = ((a - c) ^ rotate(c, 4)) >>> 0;
    c = (c + b) >>> 0;
    b = ((b - a) ^ rotate(a, 6)) >>> 0;
    a = (a + c) >>> 0;
    c = ((c - b) ^ rotate(b, 8)) >>> 0;
    b = (b + a) >>> 0;
    a = ((a - c) ^ rotate(c, 16)) >>> 0;
    c = (c + b) >>> 0;
    b = ((b - a) ^ rotate(a, 19)) >>> 0;
    a = (a + c) >>> 0;
    c = ((c - b) ^ rotate(b, 4)) >>> 0;
    b = (b + a) >>> 0;
  }
  if (words.length > offset) a = (a + view.getUint32(offset, true)) >>> 0;
  if (words.length > offset + 4) b = (b + view.getUint32(offset + 4, true)) >>> 0;
  if (words.length > offset + 8) c = (c + view.getUint32(offset + 8, true)) >>> 0;
  return final(a, b, c);
}

/** lookup3's final(); returns c. */
function final(a0: number, b0: number, c0: number): number {
  let [a, b, c] = [a0, b0, c0];
  c = ((c ^ b) - rotate(b, 14)) >>> 0;
  a = ((a ^ c) - rotate(c, 11)) >>> 0;
  b = ((b ^ a) - rotate(a, 25)) >>> 0;
  c = ((c ^ b) - rotate(b, 16)) >>> 0;
  a = ((a ^ c) - rotate(c, 4)) >>> 0;
  b = ((b ^ a) - rotate(a, 14)) >>> 0;
  c = ((c ^ b) - rotate(b, 24)) >>> 0;
  return c;
}

function rotate(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}
