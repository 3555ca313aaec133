import fc from "fast-check";
import { expect, test } from "vitest";
import { emitEthernet, parseEthernet } from "./ethernet.ts";
import { viewOf } from "./frame.ts";

// An 802.1ad tag, then an 802.1Q tag of priority 3 and VLAN 10, then IPv4.
const FRAME = Uint8Array.from([
  0x02, 0, 0, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0xfe, 0x88, 0xa8, 0x00, 0x64, 0x81, 0x00, 0x60, 0x0a, 0x08, 0x00,
]);
const HEADER = {
  destination: Uint8Array.of(2, 0, 0, 0, 0, 1),
  source: Uint8Array.of(2, 0, 0, 0, 0, 0xfe),
  tags: [
    { protocol: 0x88a8, control: 0x0064 },
    { protocol: 0x8100, control: 0x600a },
  ],
  etherType: 0x0800,
};

test("takes a header with two tags apart", () => {
  expect(parseEthernet(viewOf(FRAME), 0)).toEqual(HEADER);
});

test("puts a header with two tags together and touches nothing behind it", () => {
  const bytes = new Uint8Array(FRAME.length + 4).fill(0xa5);
  expect(emitEthernet(viewOf(bytes), 0, HEADER)).toBe(FRAME.length);
  expect(bytes).toEqual(Uint8Array.of(...FRAME, 0xa5, 0xa5, 0xa5, 0xa5));
});

test("parses a header with two tags at an offset, with other bytes behind it", () => {
  const bytes = Uint8Array.of(0xa5, 0xa5, ...FRAME, 0, 0);
  expect(parseEthernet(viewOf(bytes), 2)).toEqual(HEADER);
});

test("emits what it parses", () => {
  fc.assert(
    fc.property(
      fc.record({
        destination: fc.uint8Array({ minLength: 6, maxLength: 6 }),
        source: fc.uint8Array({ minLength: 6, maxLength: 6 }),
        tags: fc.array(
          fc.record({
            protocol: fc.constantFrom(0x8100, 0x88a8),
            control: fc.integer({ min: 0, max: 0xffff }),
          }),
          { maxLength: 2 },
        ),
        etherType: fc.constantFrom(0x0800, 0x86dd, 0x0806),
      }),
      (header) => {
        const bytes = new Uint8Array(128).fill(0xa5);
        emitEthernet(viewOf(bytes), 0, header);
        expect(parseEthernet(viewOf(bytes), 0)).toEqual(header);
      },
    ),
  );
});

test.for([
  { name: "a frame cut in the addresses", bytes: FRAME.slice(0, 13) },
  { name: "a frame cut in its first tag", bytes: FRAME.slice(0, 17) },
  { name: "a frame cut in its second tag", bytes: FRAME.slice(0, 21) },
])("rejects $name", ({ bytes }) => {
  expect(parseEthernet(viewOf(Uint8Array.from(bytes)), 0)).toBeUndefined();
});

test("a third tag is the ether type of what follows two", () => {
  const bytes = Uint8Array.from(FRAME);
  viewOf(bytes).setUint16(20, 0x8100);
  expect(parseEthernet(viewOf(bytes), 0)?.etherType).toBe(0x8100);
});
