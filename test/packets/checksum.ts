/**
 * The Internet checksum (RFC 1071): the complement of the ones' complement sum of 16-bit big-endian words, an odd
 * last byte counting as the high half of a word.
 */

/** Unfolded sum of `bytes`, so that sums of parts can be added. Parts before the last must have even lengths. */
export function sumWords(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index + 1 < bytes.length; index += 2) sum += (bytes[index]! << 8) | bytes[index + 1]!;
  if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8;
  return sum;
}

/** A sum with its carries added back in: 16 bits. */
export function foldSum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

/** What to write into the checksum field, given the sum of everything else. */
export function checksumOf(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}

/** The sum of the pseudo-header that TCP, UDP and ICMPv6 checksums cover (RFC 793 section 3.1, RFC 8200 section 8.1). */
export function pseudoHeaderSum(header: {
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  readonly protocol: number;
  readonly lengthBytes: number;
}): number {
  return (
    sumWords(header.source) +
    sumWords(header.destination) +
    header.protocol +
    (header.lengthBytes & 0xffff) +
    (header.lengthBytes >>> 16)
  );
}
