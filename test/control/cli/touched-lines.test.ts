import { expect, test } from "vitest";
import { TouchedLines } from "../../../control/cli/touched-lines.ts";

/** Two maps in one memory, and the other engine's of the same sizes. */
function setUp() {
  const memory = new ArrayBuffer(4096);
  const maps = [new Uint8Array(memory, 256, 192), new Uint8Array(memory, 1024, 8)] as const;
  const other = [new Uint8Array(192), new Uint8Array(8)] as const;
  return { maps, other, touched: new TouchedLines(maps) };
}

test("a line is compared as it was before the store and as it is after it", () => {
  const { maps, other, touched } = setUp();
  touched.note(256 + 70);
  maps[0][70] = 1;
  expect(touched.wereAlike(other)).toBe(true);
  expect(touched.areAlike(other)).toBe(false);
  other[0][70] = 1;
  expect(touched.areAlike(other)).toBe(true);
  expect(touched.wereAlike(other)).toBe(false);
});

test("of several stores to a line the first one says how it was", () => {
  const { maps, other, touched } = setUp();
  for (const value of [3, 4]) {
    touched.note(256 + 5);
    maps[0][5] = value;
  }
  expect(touched.wereAlike(other)).toBe(true);
});

test.for([
  { name: "in the same line", at: 64, isSeen: true },
  { name: "at its end", at: 127, isSeen: true },
  { name: "in the line before", at: 63, isSeen: false },
  { name: "in the line after", at: 128, isSeen: false },
])("what the other engine has $name is seen: $isSeen", ({ at, isSeen }) => {
  const { other, touched } = setUp();
  touched.note(256 + 100);
  other[0][at] = 1;
  expect(touched.wereAlike(other)).toBe(!isSeen);
  expect(touched.areAlike(other)).toBe(!isSeen);
});

test("a map may end before its line does, and stores elsewhere are nothing", () => {
  const { other, touched } = setUp();
  touched.note(1024 + 4);
  for (const address of [0, 255, 448, 1000, 1032, 4000]) touched.note(address);
  other[0].fill(1);
  expect(touched.areAlike(other)).toBe(true);
  other[1][7] = 1;
  expect(touched.areAlike(other)).toBe(false);
});

test("another packet begins with no lines", () => {
  const { other, touched } = setUp();
  touched.note(256);
  other[0][0] = 1;
  touched.clear();
  expect(touched.areAlike(other)).toBe(true);
});
