/**
 * Bytes that look random and follow from a number, so that both ends of a transfer know them without sending them. AES in counter mode
 * over zeros: fast enough not to be what a transfer waits for, and no two places of it are equal.
 */
import { type Cipher, createCipheriv, createHash } from "node:crypto";

const CHUNK_BYTES = 64 << 10;

export class SeededBytes {
  readonly #cipher: Cipher;

  constructor(seed: number) {
    const key = Buffer.alloc(16);
    key.writeUInt32BE(seed >>> 0, 0);
    this.#cipher = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  }

  /** The next `count` bytes. */
  next(count: number): Buffer {
    return this.#cipher.update(Buffer.alloc(count));
  }
}

/** The first `byteCount` bytes of a seed, in pieces. */
export function* seededChunks(seed: number, byteCount: number): Generator<Buffer> {
  const bytes = new SeededBytes(seed);
  for (let left = byteCount; left > 0; left -= CHUNK_BYTES) yield bytes.next(Math.min(left, CHUNK_BYTES));
}

/** SHA-256 of the first `byteCount` bytes of a seed, in hex. */
export function seededDigest(seed: number, byteCount: number): string {
  const hash = createHash("sha256");
  for (const chunk of seededChunks(seed, byteCount)) hash.update(chunk);
  return hash.digest("hex");
}
