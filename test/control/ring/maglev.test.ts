import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import {
  buildRing,
  type MaglevAlgorithm,
  RING_SLOTS,
  type RingBackend,
} from "../../../control/ring/maglev.ts";
import { referenceRing } from "./reference.ts";

const ALGORITHMS: readonly MaglevAlgorithm[] = ["v1", "v2"];

test.for<{ client: string; sourcePort: number; targetPort: number; backends: string[]; owner: string }>([
  // Katran's own test fixtures (KatranTestFixtures.h): which backend gets the packet of a new flow.
  {
    client: "192.168.1.1",
    sourcePort: 31337,
    targetPort: 80,
    backends: ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    owner: "10.0.0.3",
  },
  {
    client: "192.168.1.1",
    sourcePort: 31337,
    targetPort: 0,
    backends: ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    owner: "10.0.0.2",
  },
  {
    client: "192.168.1.42",
    sourcePort: 31337,
    targetPort: 443,
    backends: ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    owner: "10.0.0.2",
  },
  {
    client: "0.0.0.0",
    sourcePort: 42,
    targetPort: 42,
    backends: ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
    owner: "10.0.0.2",
  },
  {
    client: "192.168.1.1",
    sourcePort: 31337,
    targetPort: 80,
    backends: ["fc00::1", "fc00::2", "fc00::3"],
    owner: "fc00::1",
  },
  {
    client: "fc00:2::1",
    sourcePort: 31337,
    targetPort: 80,
    backends: ["fc00::1", "fc00::2", "fc00::3"],
    owner: "fc00::3",
  },
  {
    client: "fc00:2::42",
    sourcePort: 31337,
    targetPort: 443,
    backends: ["fc00::1", "fc00::2", "fc00::3"],
    owner: "fc00::1",
  },
])("$client:$sourcePort to port $targetPort goes where Katran sends it: $owner", (row) => {
  const slot = flowHash(parseIpAddress(row.client).bytes, row.sourcePort, row.targetPort) % RING_SLOTS;
  for (const algorithm of ALGORITHMS) {
    const backends = row.backends.map((text) => ({ address: parseIpAddress(text).bytes, weight: 1 }));
    const ring = buildRing({ algorithm, backends })!;
    expect(row.backends[ring[slot]!]).toBe(row.owner);
  }
});

test.for(ALGORITHMS)("%s fills the ring as the plain one does", (algorithm) => {
  fc.assert(
    fc.property(anyBackends({ maxLength: 40 }), (backends) => {
      const expected = referenceRing({ algorithm, backends });
      const ring = buildRing({ algorithm, backends });
      expect(ring === undefined).toBe(expected === undefined);
      if (ring !== undefined && expected !== undefined) expect(firstDifference(ring, expected)).toBe(-1);
    }),
    { numRuns: 25 },
  );
});

test.for(ALGORITHMS)("%s fills a ring of a thousand backends as the plain one does", (algorithm) => {
  const backends = numbered(1000).map((backend, index) => ({ ...backend, weight: 1 + ((index * 37) % 100) }));
  const expected = referenceRing({ algorithm, backends })!;
  expect(firstDifference(buildRing({ algorithm, backends })!, expected)).toBe(-1);
});

test.for(ALGORITHMS)("%s gives every slot to a backend that has weight", (algorithm) => {
  fc.assert(
    fc.property(anyBackends({ maxLength: 300 }), (backends) => {
      const ring = buildRing({ algorithm, backends });
      if (ring === undefined) {
        expect(backends.every(({ weight }) => weight === 0)).toBe(true);
        return;
      }
      const owners = slotCounts(ring, backends.length);
      expect(owners.reduce((sum, count) => sum + count, 0)).toBe(RING_SLOTS);
      backends.forEach(({ weight }, position) => {
        if (weight === 0) expect(owners[position]).toBe(0);
      });
    }),
    { numRuns: 30 },
  );
});

test.for(ALGORITHMS)("%s does not depend on the order of the backends", (algorithm) => {
  const shuffled = anyBackends({ maxLength: 60 }).chain((backends) =>
    fc.tuple(
      fc.constant(backends),
      fc.shuffledSubarray(
        backends.map((_, i) => i),
        { minLength: backends.length },
      ),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([backends, order]) => {
      const ring = buildRing({ algorithm, backends });
      const other = buildRing({ algorithm, backends: order.map((index) => backends[index]!) });
      expect(other?.map((position) => order[position]!)).toEqual(ring);
    }),
    { numRuns: 20 },
  );
});

describe("weights", () => {
  test("v2 keeps them within 1 % of a backend's share, 100 backends", () => {
    const backends = numbered(100).map((backend, index) => ({
      ...backend,
      weight: 50 + ((index * 37) % 51),
    }));
    const owned = slotCounts(buildRing({ algorithm: "v2", backends })!, backends.length);
    const sum = backends.reduce((total, { weight }) => total + weight, 0);
    backends.forEach(({ weight }, position) => {
      const share = (RING_SLOTS * weight) / sum;
      expect(Math.abs(owned[position]! - share) / share).toBeLessThan(0.01);
    });
  });

  test("equal ones are kept to a slot, both versions", () => {
    for (const algorithm of ALGORITHMS) {
      const owned = slotCounts(buildRing({ algorithm, backends: numbered(100) })!, 100);
      expect(Math.max(...owned) - Math.min(...owned)).toBeLessThanOrEqual(1);
    }
  });

  test("v1: a backend takes its weight at once, and then one slot a turn", () => {
    const [light, heavy] = numbered(2).map(({ address }, index) => ({
      address,
      weight: index === 0 ? 1 : 30001,
    }));
    const owned = slotCounts(buildRing({ algorithm: "v1", backends: [light!, heavy!] })!, 2);
    // 30002 slots go in the first turn, the other 35535 by turns; who comes first gets the odd one.
    expect([17768, 17769]).toContain(owned[0]);
    expect(owned[0]! + owned[1]!).toBe(RING_SLOTS);
  });

  test("v1: a weight of the whole ring leaves nothing to those that come later", () => {
    const backends = numbered(3).map(({ address }) => ({ address, weight: RING_SLOTS }));
    const owned = slotCounts(buildRing({ algorithm: "v1", backends })!, 3);
    expect([...owned].sort((a, b) => a - b)).toEqual([0, 0, RING_SLOTS]);
  });

  test("a single backend owns the ring, whatever its weight", () => {
    for (const algorithm of ALGORITHMS) {
      const backends = numbered(3).map(({ address }, index) => ({ address, weight: index === 1 ? 7 : 0 }));
      expect(buildRing({ algorithm, backends })!.every((position) => position === 1)).toBe(true);
    }
  });

  test("without weight there is no ring", () => {
    expect(buildRing({ algorithm: "v2", backends: [] })).toBeUndefined();
    expect(buildRing({ algorithm: "v1", backends: [{ ...numbered(1)[0]!, weight: 0 }] })).toBeUndefined();
  });
});

test.for([
  // The figures of Katran's rings. A slot of a backend that leaves has to move; no other should.
  { backends: 100, leaving: 1, extraMax: 0.0058 },
  { backends: 1000, leaving: 10, extraMax: 0.024 },
])(
  "when $leaving of $backends leave, at most $extraMax of the others' slots move",
  ({ backends, leaving, extraMax }) => {
    for (const algorithm of ALGORITHMS) {
      // Averaged over who leaves, since a single case varies.
      const extras: number[] = [];
      const all = numbered(backends);
      const before = buildRing({ algorithm, backends: all })!;
      for (let first = 0; first < backends; first += backends / 10) {
        const isLeaving = (position: number): boolean => position >= first && position < first + leaving;
        const after = buildRing({
          algorithm,
          backends: all.map((backend, position) =>
            isLeaving(position) ? { ...backend, weight: 0 } : backend,
          ),
        })!;
        let moved = 0;
        for (let slot = 0; slot < RING_SLOTS; slot++) {
          if (before[slot] !== after[slot] && !isLeaving(before[slot]!)) moved++;
        }
        extras.push(moved / RING_SLOTS);
      }
      expect(extras.reduce((sum, extra) => sum + extra, 0) / extras.length).toBeLessThanOrEqual(extraMax);
    }
  },
);

test.for<{ name: string; backends: RingBackend[] }>([
  { name: "a negative weight", backends: [{ address: new Uint8Array(4), weight: -1 }] },
  { name: "a fractional weight", backends: [{ address: new Uint8Array(4), weight: 1.5 }] },
  { name: "a weight beyond 31 bits", backends: [{ address: new Uint8Array(4), weight: 2 ** 31 }] },
  { name: "an address of 5 bytes", backends: [{ address: new Uint8Array(5), weight: 1 }] },
  { name: "65536 backends", backends: new Array(65536).fill({ address: new Uint8Array(4), weight: 1 }) },
])("$name is refused", ({ backends }) => {
  expect(() => buildRing({ algorithm: "v2", backends })).toThrow(RangeError);
});

/** 10.0.x.y, weight 1. */
function numbered(count: number): RingBackend[] {
  return Array.from({ length: count }, (_, index) => ({
    address: Uint8Array.of(10, 0, index >> 8, index & 255),
    weight: 1,
  }));
}

function anyBackends({ maxLength }: { maxLength: number }): fc.Arbitrary<RingBackend[]> {
  const address = fc
    .constantFrom(4, 16)
    .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  const weight = fc.oneof(fc.constant(0), fc.constant(1), fc.nat(100), fc.nat(70_000));
  return fc.uniqueArray(fc.record({ address, weight }), {
    maxLength,
    selector: ({ address }) => address.join("."),
  });
}

function slotCounts(ring: Uint16Array, backendCount: number): number[] {
  const counts = new Array<number>(backendCount).fill(0);
  for (const position of ring) counts[position]!++;
  return counts;
}

function firstDifference(ring: Uint16Array, expected: readonly number[]): number {
  if (ring.length !== expected.length) return 0;
  return ring.findIndex((owner, slot) => owner !== expected[slot]);
}

/** Katran's flow hash: Jenkins' lookup3 as in the kernel's include/linux/jhash.h, over raw header bytes. */
function flowHash(source: Uint8Array, sourcePort: number, targetPort: number): number {
  const view = new DataView(source.buffer, source.byteOffset);
  const ports =
    (((targetPort & 0xff) << 24) |
      ((targetPort >> 8) << 16) |
      ((sourcePort & 0xff) << 8) |
      (sourcePort >> 8)) >>>
    0;
  const seed = 512 * 65537;
  if (source.length === 4) return jhash2Words(view.getUint32(0, true), ports, seed);

  let [a, b, c] = new Array<number>(3).fill(0xdeadbeef + 16 + 512) as [number, number, number];
  a = (a + view.getUint32(0, true)) | 0;
  b = (b + view.getUint32(4, true)) | 0;
  c = (c + view.getUint32(8, true)) | 0;
  for (const [forC, forA, forB] of [
    [4, 6, 8],
    [16, 19, 4],
  ] as const) {
    a = ((a - c) ^ rol(c, forC)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rol(a, forA)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rol(b, forB)) | 0;
    b = (b + a) | 0;
  }
  return jhash2Words(jhashFinal((a + view.getUint32(12, true)) | 0, b, c), ports, seed);
}

function jhash2Words(first: number, second: number, seed: number): number {
  const start = (0xdeadbeef + (2 << 2) + seed) | 0;
  return jhashFinal((first + start) | 0, (second + start) | 0, start);
}

function jhashFinal(a0: number, b0: number, c0: number): number {
  let [a, b, c] = [a0, b0, c0];
  c = ((c ^ b) - rol(b, 14)) | 0;
  a = ((a ^ c) - rol(c, 11)) | 0;
  b = ((b ^ a) - rol(a, 25)) | 0;
  c = ((c ^ b) - rol(b, 16)) | 0;
  a = ((a ^ c) - rol(c, 4)) | 0;
  b = ((b ^ a) - rol(a, 14)) | 0;
  c = ((c ^ b) - rol(b, 24)) | 0;
  return c >>> 0;
}

function rol(value: number, count: number): number {
  return (value << count) | (value >>> (32 - count));
}
