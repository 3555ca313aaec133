import { expect, test } from "vitest";
import { jhash, jhash2Words } from "./jhash.ts";

// The answers that Bob Jenkins' lookup3.c gives in its self test (driver5).
const GETTYSBURG = new TextEncoder().encode("Four score and seven years ago");

test.for([
  { seed: 0, hash: 0x17770551 },
  { seed: 1, hash: 0xcd628161 },
])("hashes lookup3's own example with seed $seed", ({ seed, hash }) => {
  expect(jhash(GETTYSBURG, seed)).toBe(hash);
});

test("two words hash as the kernel's jhash_2words: as their eight bytes", () => {
  const words = [0x01020304, 0xfffefdfc] as const;
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, words[0], true);
  view.setUint32(4, words[1], true);
  expect(jhash2Words(words[0], words[1], 33554944)).toBe(jhash(bytes, 33554944));
});
