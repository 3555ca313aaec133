/**
 * Damaged captures: whatever bytes a file has, a reader ends, and with nothing but whole packets and a CaptureError. Mutations
 * start from sound files of every format and block type, so that they get past the magic.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import { CaptureError } from "../../../dataplane/capture/capture-error.ts";
import {
  BYTE_ORDERS,
  block,
  data,
  enhancedPacket,
  interfaceDescription,
  join,
  option,
  pack,
  pcapHeader,
  pcapPacket,
  sectionHeader,
} from "./bytes.ts";
import { readAll } from "./read-all.ts";

const seeds = BYTE_ORDERS.flatMap((order) => {
  const verdict = option(order, 7, join([2], pack(order, [[8, 3]])));
  const interfaceOptions = join(
    option(order, 9, [9] as unknown as Uint8Array),
    option(order, 14, pack(order, [[8, 1]])),
  );
  const section = join(
    sectionHeader(order),
    interfaceDescription(order, { snapLength: 96, options: interfaceOptions }),
    interfaceDescription(order),
    enhancedPacket(order, data(60), { timestamp: 1_700_000_000_000_000n, options: verdict }),
    block(order, 3, join(pack(order, [[4, 40]]), data(40))),
    block(
      order,
      5,
      pack(order, [
        [4, 0],
        [4, 1],
        [4, 2],
      ]),
    ),
    block(
      order,
      2,
      join(
        pack(order, [
          [2, 1],
          [2, 0],
          [4, 1],
          [4, 2],
          [4, 20],
          [4, 20],
        ]),
        data(20),
      ),
    ),
    enhancedPacket(order, data(61), { interfaceId: 1, originalBytes: 1500 }),
    block(order, 0xbad, pack(order, [[4, 32473]])),
    enhancedPacket(order, data(1)),
  );
  return [
    join(section, section),
    join(pcapHeader(order), ...[60, 0, 1, 1514].map((size) => pcapPacket(order, data(size)))),
    join(pcapHeader(order, { magic: 0xa1b23c4d }), ...[9, 61].map((size) => pcapPacket(order, data(size)))),
  ];
});

/** Numbers that lengths, counts and types like to go wrong at. */
const telling = fc.constantFrom(
  0,
  1,
  3,
  4,
  7,
  8,
  11,
  12,
  28,
  31,
  32,
  33,
  255,
  256,
  65535,
  262_144,
  262_145,
  0x7fffffff,
  0x80000000,
  0xfffffffc,
  0xffffffff,
);
const mutation = fc.oneof(
  fc.record({ kind: fc.constant("byte" as const), at: fc.nat(), value: fc.nat(255) }),
  fc.record({
    kind: fc.constant("word" as const),
    at: fc.nat(),
    value: fc.oneof(telling, fc.nat(0xffffffff)),
    littleEndian: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat() }),
  fc.record({ kind: fc.constant("remove" as const), at: fc.nat(), size: fc.integer({ min: 1, max: 64 }) }),
  fc.record({ kind: fc.constant("repeat" as const), at: fc.nat(), size: fc.integer({ min: 1, max: 64 }) }),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(bytes: Uint8Array, change: Mutation): Uint8Array {
  const at = change.at % (bytes.length + 1);
  switch (change.kind) {
    case "byte":
      return bytes.with(Math.min(at, bytes.length - 1), change.value);
    case "word": {
      const aligned = Math.min(at & ~3, bytes.length - 4);
      const changed = bytes.slice();
      if (aligned >= 0) new DataView(changed.buffer).setUint32(aligned, change.value, change.littleEndian);
      return changed;
    }
    case "cut":
      return bytes.slice(0, at);
    case "remove":
      return join(bytes.slice(0, at), bytes.slice(at + change.size));
    case "repeat":
      return join(bytes.slice(0, at + change.size), bytes.slice(at));
  }
}

test("a damaged capture gives packets that are in it, and at most a CaptureError within it", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...seeds),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(64, 4096),
      async (seed, changes, windowBytes) => {
        let bytes = seed;
        for (const change of changes) if (bytes.length > 0) bytes = mutate(bytes, change);
        const { packets, error } = await readAll(bytes, { windowBytes, batchPackets: 3 });
        const packetBytes = packets.reduce((sum, packet) => sum + packet.length, 0);
        expect(packetBytes).toBeLessThanOrEqual(bytes.length);
        if (error !== undefined) {
          expect(error.offset).toBeGreaterThanOrEqual(0);
          expect(error.offset).toBeLessThanOrEqual(bytes.length);
        }
        // The same through everything that looks at options and times.
        await decodeCapture(bytes).catch((other: unknown) => expect(other).toBeInstanceOf(CaptureError));
      },
    ),
    { numRuns: 3000 },
  );
});

test("random bytes behind a sound start are no way out", async () => {
  const starts = BYTE_ORDERS.flatMap((order) => [
    join(sectionHeader(order), interfaceDescription(order)),
    pcapHeader(order),
    Uint8Array.of(0x1f, 0x8b, 8, 0),
  ]);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 200 }), async (start, rest) => {
      await readAll(join(start, rest), { windowBytes: 64 });
    }),
    { numRuns: 500 },
  );
});
