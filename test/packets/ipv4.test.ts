import fc from "fast-check";
import { expect, test } from "vitest";
import { viewOf } from "./frame.ts";
import { checksumIpv4, emitIpv4, parseIpv4 } from "./ipv4.ts";

// A first fragment with a router alert option, and a payload of 8 bytes that is not here.
const PACKET = Uint8Array.from([
  0x46, 0x10, 0x00, 0x20, 0x12, 0x34, 0x20, 0x00, 0x40, 0x06, 0xba, 0xdd, 192, 0, 2, 1, 198, 51, 100, 7, 0x94,
  0x04, 0, 0,
]);
const HEADER = {
  tos: 0x10,
  totalLengthBytes: 32,
  id: 0x1234,
  hasReservedFlag: false,
  dontFragment: false,
  moreFragments: true,
  fragmentOffsetBytes: 0,
  ttl: 64,
  protocol: 6,
  checksum: 0xbadd,
  source: Uint8Array.of(192, 0, 2, 1),
  destination: Uint8Array.of(198, 51, 100, 7),
  options: Uint8Array.of(0x94, 0x04, 0, 0),
};

test("takes a header with an option apart", () => {
  expect(parseIpv4(viewOf(PACKET), 0)).toEqual(HEADER);
});

test("puts a header with an option together and touches nothing behind it", () => {
  const bytes = new Uint8Array(PACKET.length + 4).fill(0xa5);
  expect(emitIpv4(viewOf(bytes), 0, HEADER)).toBe(PACKET.length);
  expect(bytes).toEqual(Uint8Array.of(...PACKET, 0xa5, 0xa5, 0xa5, 0xa5));
});

test("parses a header with an option at an offset, with other bytes behind it", () => {
  const bytes = Uint8Array.of(0xa5, 0xa5, ...PACKET, 0, 0);
  expect(parseIpv4(viewOf(bytes), 2)).toEqual(HEADER);
});

test("emits what it parses", () => {
  fc.assert(
    fc.property(
      fc.record({
        tos: fc.integer({ min: 0, max: 255 }),
        totalLengthBytes: fc.integer({ min: 60, max: 65535 }),
        id: fc.integer({ min: 0, max: 65535 }),
        hasReservedFlag: fc.boolean(),
        dontFragment: fc.boolean(),
        moreFragments: fc.boolean(),
        fragmentOffsetBytes: fc.integer({ min: 0, max: 8191 }).map((units) => units * 8),
        ttl: fc.integer({ min: 0, max: 255 }),
        protocol: fc.integer({ min: 0, max: 255 }),
        checksum: fc.integer({ min: 0, max: 65535 }),
        source: fc.uint8Array({ minLength: 4, maxLength: 4 }),
        destination: fc.uint8Array({ minLength: 4, maxLength: 4 }),
        options: fc.integer({ min: 0, max: 10 }).map((words) => new Uint8Array(words * 4).fill(1)),
      }),
      (header) => {
        const bytes = new Uint8Array(128).fill(0xa5);
        emitIpv4(viewOf(bytes), 0, header);
        expect(parseIpv4(viewOf(bytes), 0)).toEqual(header);
      },
    ),
  );
});

test.for([
  { name: "a header cut before its options", bytes: PACKET.slice(0, 19) },
  { name: "a header cut in its options", bytes: PACKET.slice(0, 23) },
  { name: "another version", bytes: PACKET.with(0, 0x56) },
  { name: "a header length under 20", bytes: PACKET.with(0, 0x44) },
  { name: "a total length under the header's", bytes: PACKET.with(3, 23) },
])("rejects $name", ({ bytes }) => {
  expect(parseIpv4(viewOf(Uint8Array.from(bytes)), 0)).toBeUndefined();
});

test("a total length beyond what is there is kept: captures cut packets", () => {
  expect(parseIpv4(viewOf(PACKET), 0)?.totalLengthBytes).toBe(32);
});

test("computes the checksum of RFC 1071's favourite header", () => {
  const bytes = "450000730000400040110000c0a80001c0a800c7";
  const header = parseIpv4(
    viewOf(Uint8Array.from(bytes.match(/../g)!, (hex) => Number.parseInt(hex, 16))),
    0,
  );
  expect(checksumIpv4(header!)).toBe(0xb861);
});
