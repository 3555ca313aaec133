import fc from "fast-check";
import { expect, test } from "vitest";
import { EndpointHash } from "../../../control/ring/endpoint-hash.ts";
import { Murmur3 } from "../../../control/ring/murmur3.ts";
import { spookyHash16 } from "../../../control/ring/spooky.ts";
import { toBigint, u64s } from "../../../control/ring/u64.ts";
import { endpointHash, murmur3x64, spooky } from "./reference.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const anyU64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });

test("the reference MurmurHash3 x64-128 has SMHasher's verification value", () => {
  // SMHasher's main.cpp: keys {}, {0}, {0,1}, ... with seeds 256, 255, ...; the hash of all their hashes.
  const hashes = new Uint8Array(256 * 16);
  for (let length = 0; length < 256; length++) {
    const key = Uint8Array.from({ length }, (_, index) => index);
    hashes.set(new Uint8Array(BigUint64Array.from(murmur3x64(key, 256 - length)).buffer), length * 16);
  }
  expect(Number(murmur3x64(hashes, 0)[0] & 0xffff_ffffn)).toBe(0x6384ba69);
});

test("MurmurHash3 of two words is the reference's of their 16 bytes", () => {
  const murmur = new Murmur3();
  fc.assert(
    fc.property(anyU64, anyU64, fc.nat(0xffff_ffff), (key, word, seed) => {
      const half = (value: bigint, shift: bigint): number => Number((value >> shift) & 0xffff_ffffn);
      murmur.hash(half(key, 32n), half(key, 0n), half(word, 32n), half(word, 0n), seed);
      const [expected] = murmur3x64(new Uint8Array(BigUint64Array.of(key, word).buffer), seed);
      expect((BigInt(murmur.hi) << 32n) | BigInt(murmur.lo)).toBe(expected);
    }),
  );
});

test.for([
  // Jenkins' TestSpookyV2.cpp: 16 bytes counting from 128, low 32 bits of the first word.
  {
    name: "Jenkins' own",
    bytes: Uint8Array.from({ length: 16 }, (_, index) => 128 + index),
    mask: 0xffff_ffffn,
    first: 0xf274736cn,
  },
  {
    name: "ASCII digits and letters",
    bytes: ascii("0123456789abcdef"),
    mask: 0xffff_ffff_ffff_ffffn,
    first: 0xe2d06846_964b80adn,
    second: 0x6005068a_c75c4c20n,
  },
])("SpookyHash V2 has the published value of 16 bytes: $name", ({ bytes, mask, first, second }) => {
  const words = u64s(0n, 0n, 0n, 0n);
  spookyHash16(bytes, words);
  expect(toBigint(words, 0) & mask).toBe(first);
  if (second !== undefined) expect(toBigint(words, 1)).toBe(second);
  expect(spooky(bytes)).toEqual([toBigint(words, 0), toBigint(words, 1)]);
});

test("the hash of an address is the reference's", () => {
  const endpoint = new EndpointHash();
  const address = fc
    .constantFrom(4, 16)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  fc.assert(
    fc.property(address, (bytes) => {
      endpoint.hash(bytes);
      expect((BigInt(endpoint.hi) << 32n) | BigInt(endpoint.lo)).toBe(endpointHash(bytes));
    }),
  );
});
