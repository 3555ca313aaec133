import fc from "fast-check";
import { expect, test } from "vitest";
import { viewOf } from "./frame.ts";
import {
  emitFragmentHeader,
  emitIpv6,
  emitOptionsHeader,
  parseFragmentHeader,
  parseIpv6,
  parseOptionsHeader,
} from "./ipv6.ts";

const PACKET = Uint8Array.from([
  0x61, 0x2a, 0xbc, 0xde, 0x00, 0x14, 0x06, 0x40, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
  0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2,
]);
const HEADER = {
  trafficClass: 0x12,
  flowLabel: 0xabcde,
  payloadLengthBytes: 20,
  nextHeader: 6,
  hopLimit: 64,
  source: Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  destination: Uint8Array.of(0xfc, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2),
};

test("takes a fixed header apart", () => {
  expect(parseIpv6(viewOf(PACKET), 0)).toEqual(HEADER);
});

test("puts a fixed header together and touches nothing behind it", () => {
  const bytes = new Uint8Array(PACKET.length + 4).fill(0xa5);
  expect(emitIpv6(viewOf(bytes), 0, HEADER)).toBe(PACKET.length);
  expect(bytes).toEqual(Uint8Array.of(...PACKET, 0xa5, 0xa5, 0xa5, 0xa5));
});

test("parses a fixed header at an offset, with other bytes behind it", () => {
  const bytes = Uint8Array.of(0xa5, 0xa5, ...PACKET, 0, 0);
  expect(parseIpv6(viewOf(bytes), 2)).toEqual(HEADER);
});

test("emits what it parses", () => {
  fc.assert(
    fc.property(
      fc.record({
        trafficClass: fc.integer({ min: 0, max: 255 }),
        flowLabel: fc.integer({ min: 0, max: 0xfffff }),
        payloadLengthBytes: fc.integer({ min: 0, max: 65535 }),
        nextHeader: fc.integer({ min: 0, max: 255 }),
        hopLimit: fc.integer({ min: 0, max: 255 }),
        source: fc.uint8Array({ minLength: 16, maxLength: 16 }),
        destination: fc.uint8Array({ minLength: 16, maxLength: 16 }),
      }),
      (header) => {
        const bytes = new Uint8Array(128).fill(0xa5);
        emitIpv6(viewOf(bytes), 0, header);
        expect(parseIpv6(viewOf(bytes), 0)).toEqual(header);
      },
    ),
  );
});

test.for([
  { name: "a header cut at its last byte", bytes: PACKET.slice(0, 39) },
  { name: "another version", bytes: PACKET.with(0, 0x41) },
])("rejects $name", ({ bytes }) => {
  expect(parseIpv6(viewOf(Uint8Array.from(bytes)), 0)).toBeUndefined();
});

// 16 bytes of destination options in front of TCP.
const OPTIONS = Uint8Array.from([6, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const OPTIONS_HEADER = { nextHeader: 6, data: Uint8Array.of(1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) };

test("takes an options header apart and puts it together", () => {
  expect(parseOptionsHeader(viewOf(OPTIONS), 0)).toEqual(OPTIONS_HEADER);
  const bytes = new Uint8Array(18).fill(0xa5);
  expect(emitOptionsHeader(viewOf(bytes), 0, OPTIONS_HEADER)).toBe(16);
  expect(bytes).toEqual(Uint8Array.of(...OPTIONS, 0xa5, 0xa5));
});

test.for([
  { name: "cut before its length", bytes: OPTIONS.slice(0, 1) },
  { name: "cut in its first eight bytes", bytes: OPTIONS.slice(0, 7) },
  { name: "longer than what is there", bytes: OPTIONS.slice(0, 15) },
])("rejects an options header $name", ({ bytes }) => {
  expect(parseOptionsHeader(viewOf(bytes), 0)).toBeUndefined();
});

// A middle fragment of UDP at offset 1448.
const FRAGMENT = Uint8Array.from([17, 0, 0x05, 0xa9, 0xde, 0xad, 0xbe, 0xef]);
const FRAGMENT_HEADER = { nextHeader: 17, fragmentOffsetBytes: 1448, moreFragments: true, id: 0xdeadbeef };

test("takes a fragment header apart and puts it together", () => {
  expect(parseFragmentHeader(viewOf(FRAGMENT), 0)).toEqual(FRAGMENT_HEADER);
  const bytes = new Uint8Array(10).fill(0xa5);
  expect(emitFragmentHeader(viewOf(bytes), 0, FRAGMENT_HEADER)).toBe(8);
  expect(bytes).toEqual(Uint8Array.of(...FRAGMENT, 0xa5, 0xa5));
});

test("rejects a fragment header that is cut", () => {
  expect(parseFragmentHeader(viewOf(FRAGMENT.slice(0, 7)), 0)).toBeUndefined();
});
