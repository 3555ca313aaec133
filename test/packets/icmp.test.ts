import fc from "fast-check";
import { expect, test } from "vitest";
import { viewOf } from "./frame.ts";
import { emitIcmp, parseIcmp } from "./icmp.ts";

// Fragmentation needed, with a next-hop MTU of 1480.
const MESSAGE = Uint8Array.from([0x03, 0x04, 0xab, 0xcd, 0x00, 0x00, 0x05, 0xc8]);
const HEADER = { type: 3, code: 4, checksum: 0xabcd, rest: 1480 };

test("takes a message apart", () => {
  expect(parseIcmp(viewOf(MESSAGE), 0)).toEqual(HEADER);
});

test("puts a message together and touches nothing behind it", () => {
  const bytes = new Uint8Array(MESSAGE.length + 4).fill(0xa5);
  expect(emitIcmp(viewOf(bytes), 0, HEADER)).toBe(MESSAGE.length);
  expect(bytes).toEqual(Uint8Array.of(...MESSAGE, 0xa5, 0xa5, 0xa5, 0xa5));
});

test("parses a message at an offset, with other bytes behind it", () => {
  const bytes = Uint8Array.of(0xa5, 0xa5, ...MESSAGE, 0, 0);
  expect(parseIcmp(viewOf(bytes), 2)).toEqual(HEADER);
});

test("emits what it parses", () => {
  fc.assert(
    fc.property(
      fc.record({
        type: fc.integer({ min: 0, max: 255 }),
        code: fc.integer({ min: 0, max: 255 }),
        checksum: fc.integer({ min: 0, max: 65535 }),
        rest: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      }),
      (header) => {
        const bytes = new Uint8Array(128).fill(0xa5);
        emitIcmp(viewOf(bytes), 0, header);
        expect(parseIcmp(viewOf(bytes), 0)).toEqual(header);
      },
    ),
  );
});

test.for([
  { name: "a message cut in its header", bytes: MESSAGE.slice(0, 7) },
  { name: "nothing", bytes: MESSAGE.slice(0, 0) },
])("rejects $name", ({ bytes }) => {
  expect(parseIcmp(viewOf(Uint8Array.from(bytes)), 0)).toBeUndefined();
});
