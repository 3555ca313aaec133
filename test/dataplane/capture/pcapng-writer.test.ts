import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type CaptureContents,
  decodeCapture,
  encodePcapng,
} from "../../../dataplane/capture/capture-contents.ts";
import { type CaptureInterface, ethernetInterface } from "../../../dataplane/capture/capture-interface.ts";
import { PcapngWriter } from "../../../dataplane/capture/pcapng-writer.ts";
import { unitsPerSecond } from "../../../dataplane/capture/timestamp.ts";

test("a file is exactly these bytes", () => {
  const file = encodePcapng({
    interfaces: [
      {
        ...ethernetInterface(9, 96),
        timestampOffsetSeconds: -1n,
        options: [{ code: 2, value: Uint8Array.of(0x65) }],
      },
    ],
    packets: [
      {
        timeNs: 4_294_967_298n,
        bytes: Uint8Array.of(1, 2, 3, 4, 5),
        originalBytes: 60,
        id: 0x1_0000_0007,
        verdict: 3,
      },
    ],
  });
  // biome-ignore format: a line for every row of a block
  expect([...file]).toEqual([
    0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, // section header
    0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
    255, 255, 255, 255, 255, 255, 255, 255, 28, 0, 0, 0,
    1, 0, 0, 0, 52, 0, 0, 0, 1, 0, 0, 0, 96, 0, 0, 0, // interface description: Ethernet, snap length 96
    2, 0, 1, 0, 0x65, 0, 0, 0, // if_name
    9, 0, 1, 0, 9, 0, 0, 0, // if_tsresol
    14, 0, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255, // if_tsoffset
    0, 0, 0, 0, 52, 0, 0, 0,
    6, 0, 0, 0, 72, 0, 0, 0, 0, 0, 0, 0, // enhanced packet, interface 0
    1, 0, 0, 0, 2, 0xca, 0x9a, 0x3b, 5, 0, 0, 0, 60, 0, 0, 0, // 2^32 + 2 + 10^9 since the offset
    1, 2, 3, 4, 5, 0, 0, 0,
    5, 0, 8, 0, 7, 0, 0, 0, 1, 0, 0, 0, // epb_packetid
    7, 0, 9, 0, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // epb_verdict: Linux eBPF XDP, 3
    0, 0, 0, 0, 72, 0, 0, 0,
  ]);
});

test("a packet without id and verdict has no options", () => {
  const [plain, withId] = [undefined, 0].map((id) =>
    encodePcapng({
      packets: [{ timeNs: 0n, bytes: new Uint8Array(8), ...(id === undefined ? {} : { id }) }],
    }),
  );
  expect(withId!.length - plain!.length).toBe(16);
});

test("a stale buffer never shows in the padding", () => {
  const parts: number[] = [];
  const writer = new PcapngWriter((bytes) => parts.push(...bytes));
  writer.addInterface(ethernetInterface(6));
  const packet = {
    interfaceIndex: 0,
    timestampHi: 0,
    timestampLo: 0,
    offset: 0,
    originalBytes: 0,
    id: 1,
    verdict: 0xffffffff,
  };
  for (const fill of [0xa5, 0x01]) {
    writer.write({ ...packet, bytes: new Uint8Array(9).fill(fill), capturedBytes: 9 });
    writer.flush();
  }
  const second = parts.slice(-76);
  expect(second.slice(28, 40)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  expect(second.slice(52, 68)).toEqual([7, 0, 9, 0, 2, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0]);
});

test.for([
  { name: "an interface not added", interfaceIndex: 1, size: 4 },
  { name: "more bytes than a reader believes", interfaceIndex: 0, size: 262_145 },
])("refuses $name", ({ interfaceIndex, size }) => {
  expect(() =>
    encodePcapng({ packets: [{ timeNs: 0n, bytes: new Uint8Array(size), interfaceIndex }] }),
  ).toThrow(RangeError);
});

const anyInterface: fc.Arbitrary<CaptureInterface> = fc.record({
  linkType: fc.constant(1),
  snapLength: fc.nat(0xffff),
  timestampResolution: fc.constantFrom(6, 9, 9, 3, 0x80 | 30),
  timestampOffsetSeconds: fc.constantFrom(0n, 0n, 5n, -5n),
  options: fc.array(
    fc.record({
      code: fc.constantFrom(1, 2, 3, 4, 6, 8, 11, 12, 15, 17),
      value: fc.uint8Array({ maxLength: 40 }),
    }),
    { maxLength: 3 },
  ),
});
const anyPacket = fc.record({
  units: fc.bigInt({ min: 0n, max: 2n ** 62n }),
  bytes: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 0, max: 262_144 }).map((size) => new Uint8Array(size).fill(size & 0xff)),
  ),
  cutBytes: fc.nat(3000),
  interfaceIndex: fc.nat(),
  id: fc.option(fc.nat({ max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
  verdict: fc.option(fc.nat({ max: 0xffffffff }), { nil: undefined }),
});

test("what is written is read again", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyInterface, { minLength: 1, maxLength: 4 }),
      fc.array(anyPacket, { maxLength: 12 }),
      async (interfaces, rows) => {
        const packets: CaptureContents["packets"] = rows.map((row) => {
          const interfaceIndex = row.interfaceIndex % interfaces.length;
          const on = interfaces[interfaceIndex]!;
          // A time that the interface can tell exactly.
          const perSecond = unitsPerSecond(on.timestampResolution);
          const seconds = row.units / perSecond + on.timestampOffsetSeconds;
          return {
            timeNs: seconds < on.timestampOffsetSeconds ? 0n : seconds * 1_000_000_000n,
            bytes: row.bytes,
            originalBytes: row.bytes.length + row.cutBytes,
            interfaceIndex,
            id: row.id === undefined ? undefined : BigInt(row.id),
            verdict: row.verdict === undefined ? undefined : BigInt(row.verdict),
          };
        });
        const file = encodePcapng({
          interfaces,
          packets: packets.map(({ timeNs, bytes, originalBytes, interfaceIndex, id, verdict }) => ({
            timeNs: timeNs ?? 0n,
            bytes,
            originalBytes,
            interfaceIndex,
            ...(id === undefined ? {} : { id: Number(id) }),
            ...(verdict === undefined ? {} : { verdict: Number(verdict) }),
          })),
        });
        const found = await decodeCapture(file);
        expect(found.interfaces).toEqual(interfaces);
        expect(found.packets.map(({ bytes, ...facts }) => facts)).toEqual(
          packets.map(({ bytes, ...facts }) => facts),
        );
        // toEqual on large arrays takes seconds.
        for (const [i, { bytes }] of packets.entries()) {
          expect(Buffer.compare(bytes, found.packets[i]!.bytes)).toBe(0);
        }
      },
    ),
    { numRuns: 60 },
  );
});
