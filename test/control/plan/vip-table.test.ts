import fc from "fast-check";
import { expect, test } from "vitest";
import { parseIpAddress } from "../../../control/model/address.ts";
import type { VipKey } from "../../../control/plan/vip-entry.ts";
import {
  buildVipTable,
  isVipTableOf,
  lookupVipRow,
  vipBucketCount,
  vipHash,
  vipTableRows,
  vipTableSlots,
} from "../../../control/plan/vip-table.ts";

const key = (address: string, port: number, protocol: number): VipKey => ({
  address: parseIpAddress(address),
  port,
  protocol,
});

test("the hash is what vip.h writes down, step by step", () => {
  const multiply = (a: bigint, b: bigint): bigint => BigInt.asUintN(32, a * b);
  // 10.200.1.1 and port 80 as a little-endian machine loads them from the wire.
  let hash = multiply(0x12345678n ^ 0x0101c80an, 0x9e3779b1n);
  hash ^= hash >> 15n;
  hash = multiply(hash ^ (0x5000n | (6n << 16n) | (4n << 24n)), 0x85ebca77n);
  hash ^= hash >> 13n;
  hash = multiply(hash, 0xc2b2ae3dn);
  hash ^= hash >> 16n;
  expect(vipHash(key("10.200.1.1", 80, 6), 0x12345678)).toBe(Number(hash));
});

test("an IPv6 address counts as four words", () => {
  const multiply = (a: bigint, b: bigint): bigint => BigInt.asUintN(32, a * b);
  let hash = 7n;
  for (const word of [0xb80d0120n, 0n, 0n, 0x01000000n]) {
    hash = multiply(hash ^ word, 0x9e3779b1n);
    hash ^= hash >> 15n;
  }
  hash = multiply(hash ^ (0xbb01n | (17n << 16n) | (6n << 24n)), 0x85ebca77n);
  hash ^= hash >> 13n;
  hash = multiply(hash, 0xc2b2ae3dn);
  hash ^= hash >> 16n;
  expect(vipHash(key("2001:db8::1", 443, 17), 7)).toBe(Number(hash));
});

test("a VIP is led to exactly, as the lowest port of its protocol, and by its address", () => {
  const vips = [
    { key: key("10.200.1.1", 443, 6), id: 1 },
    { key: key("10.200.1.1", 80, 6), id: 2 },
    { key: key("10.200.1.1", 53, 17), id: 3 },
    { key: key("10.200.1.2", 0, 17), id: 4 },
    { key: key("10.200.1.2", 53, 17), id: 5 },
  ];
  const rows = vipTableRows(vips).map(
    ({ key: { address, port, protocol }, vip }) => `${address.bytes.join(".")} ${port} ${protocol}: ${vip}`,
  );
  expect(rows.sort()).toEqual([
    "10.200.1.1 0 0: 3",
    "10.200.1.1 0 134: 2",
    "10.200.1.1 0 145: 3",
    "10.200.1.1 443 6: 1",
    "10.200.1.1 53 17: 3",
    "10.200.1.1 80 6: 2",
    "10.200.1.2 0 0: 4",
    "10.200.1.2 0 145: 4",
    "10.200.1.2 0 17: 4",
    "10.200.1.2 53 17: 5",
  ]);
  expect(vipTableRows(vips.toReversed())).toEqual(vipTableRows(vips));
});

test.for([
  { vips: 1, buckets: 8 },
  { vips: 64, buckets: 512 },
  { vips: 4096, buckets: 32768 },
])("$vips VIPs take $buckets buckets", ({ vips, buckets }) => {
  expect(vipBucketCount(vips)).toBe(buckets);
});

const anyKey = fc
  .tuple(
    fc.constantFrom(4 as const, 6 as const),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc.nat(65535),
    fc.constantFrom(6, 17),
  )
  .map(([family, bytes, port, protocol]) => ({
    address: { family, bytes: bytes.slice(0, family === 4 ? 4 : 16) },
    port,
    protocol,
  }));

test("every key is found and no other", () => {
  const keys = fc.uniqueArray(anyKey, {
    minLength: 0,
    maxLength: 64,
    selector: ({ address, port, protocol }) => `${address.bytes} ${port} ${protocol}`,
  });
  fc.assert(
    fc.property(keys, anyKey, (vips, other) => {
      const rows = vipTableRows(vips.map((vip, index) => ({ key: vip, id: index + 1 })));
      const bucketCount = vipBucketCount(64);
      const { seed, buckets } = buildVipTable(rows, bucketCount);
      const table = BigInt(seed) << 32n;
      for (const row of rows) expect(lookupVipRow({ buckets, table, bucketCount }, row.key)).toBe(row.vip);
      expect(vipTableSlots(buckets).length).toBe(rows.length);
      expect(new Set(vipTableSlots(buckets).map(({ fingerprint }) => fingerprint)).size).toBe(rows.length);
      expect(isVipTableOf(rows, { buckets, seed })).toBe(true);
      if (rows.length > 0) expect(isVipTableOf(rows.slice(1), { buckets, seed })).toBe(false);
      const found = lookupVipRow({ buckets, table, bucketCount }, other);
      // Another key has another fingerprint but for one chance in 2^32 a row; the program compares keys then.
      if (!vips.some((vip) => vipHash(vip, seed) === vipHash(other, seed))) expect(found).toBe(0);
    }),
  );
});

test("the largest number of VIPs finds a seed, the same every time", () => {
  const vips = Array.from({ length: 4096 }, (_, index) => ({
    key: key(`10.${index >> 10}.${(index >> 2) & 255}.1`, index & 3, 6),
    id: index + 1,
  }));
  const rows = vipTableRows(vips);
  const table = buildVipTable(rows, vipBucketCount(4096));
  expect(isVipTableOf(rows, table)).toBe(true);
  expect(buildVipTable(vipTableRows(vips.toReversed()), vipBucketCount(4096)).seed).toBe(table.seed);
});

test("rows that cannot fit are refused, not tried for ever", () => {
  const rows = vipTableRows([1, 2, 3].map((port) => ({ key: key("10.0.0.1", port, 6), id: port })));
  expect(() => buildVipTable(rows, 1)).toThrow(
    expect.objectContaining({ code: "no-vip-table-seed", resource: "vip_buckets" }),
  );
});
