import fc from "fast-check";
import { expect, test } from "vitest";
import { isInsideOneValue, type Region, RegionTable } from "../../../dataplane/vm/regions.ts";

const region = (
  name: string,
  address: number,
  count: number,
  strideBytes = 8,
  valueSizeBytes = 6,
): Region => ({
  name,
  address,
  sizeBytes: count * strideBytes,
  strideBytes,
  valueSizeBytes,
  isReadable: true,
  isWritable: true,
});

test("an address is found in the region that holds it, however regions were added and asked for", () => {
  const slots = fc.uniqueArray(fc.record({ slot: fc.nat(40), count: fc.integer({ min: 1, max: 4 }) }), {
    minLength: 1,
    selector: ({ slot }) => slot,
  });
  fc.assert(
    fc.property(slots, fc.array(fc.nat(41 * 32), { minLength: 1, maxLength: 60 }), (places, addresses) => {
      const regions = places.map(({ slot, count }) => region(`at ${slot}`, slot * 32, count));
      const table = new RegionTable();
      for (const each of regions) table.add(each);
      for (const address of addresses) {
        const holder = regions.find(
          (each) => address >= each.address && address < each.address + each.sizeBytes,
        );
        expect(table.find(address)).toBe(holder);
      }
    }),
  );
});

test("the region nearest before an address is found whether or not it reaches there", () => {
  const table = new RegionTable();
  expect(table.nearest(100)).toBeUndefined();
  table.add(region("second", 200, 1));
  table.add(region("first", 100, 1));
  expect(table.nearest(99)).toBeUndefined();
  expect(table.nearest(199)?.name).toBe("first");
  expect(table.nearest(5000)?.name).toBe("second");
});

test.for([
  { address: 100, sizeBytes: 6, isInside: true },
  { address: 100, sizeBytes: 7, isInside: false },
  { address: 105, sizeBytes: 1, isInside: true },
  { address: 106, sizeBytes: 1, isInside: false },
  { address: 108, sizeBytes: 4, isInside: true },
  { address: 112, sizeBytes: 4, isInside: false },
])("$sizeBytes bytes at $address, values of 6 every 8 from 100", ({ address, sizeBytes, isInside }) => {
  expect(isInsideOneValue(region("values", 100, 4), address, sizeBytes)).toBe(isInside);
});
