import fc from "fast-check";
import { expect, test } from "vitest";
import { ethernetInterface } from "../../../dataplane/capture/capture-interface.ts";
import { timestampClock, timestampFromNs, unitsPerSecond } from "../../../dataplane/capture/timestamp.ts";

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn;

test("nanoseconds are the exact quotient for every resolution, offset and timestamp", () => {
  const resolution = fc.oneof(
    fc.constantFrom(0, 3, 6, 9, 10, 0x80, 0x80 | 9),
    fc.integer({ min: 0, max: 255 }),
  );
  const offset = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -5n, max: 5n }),
  );
  fc.assert(
    fc.property(
      resolution,
      offset,
      fc.bigInt({ min: 0n, max: MAX_UINT64 }),
      (timestampResolution, offset, units) => {
        const on = { ...ethernetInterface(timestampResolution), timestampOffsetSeconds: offset };
        const exact =
          (units * 1_000_000_000n) / unitsPerSecond(timestampResolution) + offset * 1_000_000_000n;
        expect(timestampClock(on)(Number(units >> 32n), Number(units & 0xffffffffn))).toBe(exact);
      },
    ),
    { numRuns: 2000 },
  );
});

test.for([
  { resolution: 0, hi: 0, lo: 1, ns: 1_000_000_000n },
  { resolution: 3, hi: 0, lo: 1, ns: 1_000_000n },
  { resolution: 6, hi: 1, lo: 0, ns: 4_294_967_296_000n },
  { resolution: 9, hi: 1, lo: 2, ns: 4_294_967_298n },
  { resolution: 12, hi: 0, lo: 1999, ns: 1n },
  { resolution: 0x80, hi: 0, lo: 3, ns: 3_000_000_000n },
  { resolution: 0x80 | 1, hi: 0, lo: 3, ns: 1_500_000_000n },
  { resolution: 0x80 | 32, hi: 2, lo: 0x80000000, ns: 2_500_000_000n },
])("unit $resolution: $hi, $lo is $ns ns", ({ resolution, hi, lo, ns }) => {
  const on = ethernetInterface(resolution);
  expect(timestampClock(on)(hi, lo)).toBe(ns);
  if (resolution !== 12) expect(timestampFromNs(on, ns)).toEqual({ hi, lo });
});

test("nanoseconds come back from a nanosecond timestamp", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: MAX_UINT64 }), (ns) => {
      const on = ethernetInterface(9);
      const { hi, lo } = timestampFromNs(on, ns);
      expect(timestampClock(on)(hi, lo)).toBe(ns);
    }),
  );
});
