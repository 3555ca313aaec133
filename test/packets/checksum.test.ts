import fc from "fast-check";
import { expect, test } from "vitest";
import { ip } from "./address.ts";
import { checksumOf, foldSum, pseudoHeaderSum, sumWords } from "./checksum.ts";

// RFC 1071 section 3's example.
const EXAMPLE = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);

test("sums the example of RFC 1071", () => {
  expect(sumWords(EXAMPLE)).toBe(0x2ddf0);
  expect(foldSum(sumWords(EXAMPLE))).toBe(0xddf2);
  expect(checksumOf(sumWords(EXAMPLE))).toBe(0x220d);
});

test("an odd last byte is the high half of a word", () => {
  expect(sumWords(Uint8Array.of(0x12, 0x34, 0x56))).toBe(0x1234 + 0x5600);
});

test("a sum that folds twice keeps both carries", () => {
  expect(foldSum(0x1ffff)).toBe(1);
});

test("bytes with their checksum sum to all ones", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 64 }), (bytes) => {
      fc.pre(bytes.some((byte) => byte !== 0));
      expect(foldSum(sumWords(bytes) + checksumOf(sumWords(bytes)))).toBe(0xffff);
    }),
  );
});

test("the pseudo-header holds addresses, protocol and length", () => {
  const sum = pseudoHeaderSum({
    source: ip("1.2.3.4"),
    destination: ip("5.6.7.8"),
    protocol: 17,
    lengthBytes: 0x10009,
  });
  expect(sum).toBe(0x0102 + 0x0304 + 0x0506 + 0x0708 + 17 + 9 + 1);
});
