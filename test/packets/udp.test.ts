import fc from "fast-check";
import { expect, test } from "vitest";
import { viewOf } from "./frame.ts";
import { emitUdp, parseUdp } from "./udp.ts";

// 40000 -> 53, length 8, no checksum.
const DATAGRAM = Uint8Array.from([0x9c, 0x40, 0x00, 0x35, 0x00, 0x08, 0x00, 0x00]);
const HEADER = { sourcePort: 40000, targetPort: 53, lengthBytes: 8, checksum: 0 };

test("takes a datagram apart", () => {
  expect(parseUdp(viewOf(DATAGRAM), 0)).toEqual(HEADER);
});

test("puts a datagram together and touches nothing behind it", () => {
  const bytes = new Uint8Array(DATAGRAM.length + 4).fill(0xa5);
  expect(emitUdp(viewOf(bytes), 0, HEADER)).toBe(DATAGRAM.length);
  expect(bytes).toEqual(Uint8Array.of(...DATAGRAM, 0xa5, 0xa5, 0xa5, 0xa5));
});

test("parses a datagram at an offset, with other bytes behind it", () => {
  const bytes = Uint8Array.of(0xa5, 0xa5, ...DATAGRAM, 0, 0);
  expect(parseUdp(viewOf(bytes), 2)).toEqual(HEADER);
});

test("emits what it parses", () => {
  fc.assert(
    fc.property(
      fc.record({
        sourcePort: fc.integer({ min: 0, max: 65535 }),
        targetPort: fc.integer({ min: 0, max: 65535 }),
        lengthBytes: fc.integer({ min: 8, max: 128 }),
        checksum: fc.integer({ min: 0, max: 65535 }),
      }),
      (header) => {
        const bytes = new Uint8Array(128).fill(0xa5);
        emitUdp(viewOf(bytes), 0, header);
        expect(parseUdp(viewOf(bytes), 0)).toEqual(header);
      },
    ),
  );
});

test.for([
  { name: "a datagram cut inside the header", bytes: DATAGRAM.slice(0, 7) },
  { name: "a length beyond the end", bytes: DATAGRAM.with(5, 9) },
  { name: "a length under the header's", bytes: DATAGRAM.with(5, 7) },
])("rejects $name", ({ bytes }) => {
  expect(parseUdp(viewOf(Uint8Array.from(bytes)), 0)).toBeUndefined();
});
