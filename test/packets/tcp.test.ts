import fc from "fast-check";
import { expect, test } from "vitest";
import { viewOf } from "./frame.ts";
import { emitTcp, parseTcp } from "./tcp.ts";

// 443 <- 31337, SYN, with a maximum segment size of 1460.
const SEGMENT = Uint8Array.from([
  0x7a, 0x69, 0x01, 0xbb, 0x01, 0x02, 0x03, 0x04, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff, 0xab, 0xcd, 0, 0, 2, 4,
  0x05, 0xb4,
]);
const HEADER = {
  sourcePort: 31337,
  targetPort: 443,
  sequence: 0x01020304,
  acknowledgement: 0,
  flags: 2,
  window: 65535,
  checksum: 0xabcd,
  urgent: 0,
  options: Uint8Array.of(2, 4, 0x05, 0xb4),
};

test("takes a header with an option apart", () => {
  expect(parseTcp(viewOf(SEGMENT), 0)).toEqual(HEADER);
});

test("puts a header with an option together and touches nothing behind it", () => {
  const bytes = new Uint8Array(SEGMENT.length + 4).fill(0xa5);
  expect(emitTcp(viewOf(bytes), 0, HEADER)).toBe(SEGMENT.length);
  expect(bytes).toEqual(Uint8Array.of(...SEGMENT, 0xa5, 0xa5, 0xa5, 0xa5));
});

test("parses a header with an option at an offset, with other bytes behind it", () => {
  const bytes = Uint8Array.of(0xa5, 0xa5, ...SEGMENT, 0, 0);
  expect(parseTcp(viewOf(bytes), 2)).toEqual(HEADER);
});

test("emits what it parses", () => {
  fc.assert(
    fc.property(
      fc.record({
        sourcePort: fc.integer({ min: 0, max: 65535 }),
        targetPort: fc.integer({ min: 0, max: 65535 }),
        sequence: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        acknowledgement: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        flags: fc.integer({ min: 0, max: 0xfff }),
        window: fc.integer({ min: 0, max: 65535 }),
        checksum: fc.integer({ min: 0, max: 65535 }),
        urgent: fc.integer({ min: 0, max: 65535 }),
        options: fc.integer({ min: 0, max: 10 }).map((words) => new Uint8Array(words * 4).fill(1)),
      }),
      (header) => {
        const bytes = new Uint8Array(128).fill(0xa5);
        emitTcp(viewOf(bytes), 0, header);
        expect(parseTcp(viewOf(bytes), 0)).toEqual(header);
      },
    ),
  );
});

test.for([
  { name: "a header cut before its options", bytes: SEGMENT.slice(0, 19) },
  { name: "a header cut in its options", bytes: SEGMENT.slice(0, 23) },
  { name: "a data offset under 20 bytes", bytes: SEGMENT.with(12, 0x40) },
])("rejects $name", ({ bytes }) => {
  expect(parseTcp(viewOf(Uint8Array.from(bytes)), 0)).toBeUndefined();
});
