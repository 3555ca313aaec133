import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EACCES } from "../../../../dataplane/vm/maps/errno.ts";
import type { HashMap } from "../../../../dataplane/vm/maps/hash.ts";
import { hashBytes } from "../../../../dataplane/vm/maps/hash-table.ts";
import {
  BPF_F_NO_COMMON_LRU,
  BPF_F_NO_PREALLOC,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_HASH,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { allKeys, bench, filled, hex, mapSpec, u32 } from "./harness.ts";
import { HashModel } from "./hash-model.ts";

const CPUS = 2;
const VALUE_BYTES = 8;

const TYPES = [
  { name: "HASH", type: BPF_MAP_TYPE_HASH, flags: 0, isLru: false, isPerCpu: false, poolCount: 1 },
  {
    name: "HASH without preallocation",
    type: BPF_MAP_TYPE_HASH,
    flags: BPF_F_NO_PREALLOC,
    isLru: false,
    isPerCpu: false,
    poolCount: 1,
  },
  {
    name: "PERCPU_HASH",
    type: BPF_MAP_TYPE_PERCPU_HASH,
    flags: 0,
    isLru: false,
    isPerCpu: true,
    poolCount: 1,
  },
  { name: "LRU_HASH", type: BPF_MAP_TYPE_LRU_HASH, flags: 0, isLru: true, isPerCpu: false, poolCount: 1 },
  {
    name: "LRU_HASH with an LRU per CPU",
    type: BPF_MAP_TYPE_LRU_HASH,
    flags: BPF_F_NO_COMMON_LRU,
    isLru: true,
    isPerCpu: false,
    poolCount: CPUS,
  },
  {
    name: "LRU_PERCPU_HASH",
    type: BPF_MAP_TYPE_LRU_PERCPU_HASH,
    flags: 0,
    isLru: true,
    isPerCpu: true,
    poolCount: 1,
  },
  {
    name: "LRU_PERCPU_HASH with an LRU per CPU",
    type: BPF_MAP_TYPE_LRU_PERCPU_HASH,
    flags: BPF_F_NO_COMMON_LRU,
    isLru: true,
    isPerCpu: true,
    poolCount: CPUS,
  },
];

const operation = fc.record({
  kind: fc.constantFrom("lookup", "update", "update", "delete", "userLookup", "userUpdate", "userDelete"),
  key: fc.nat({ max: 9 }),
  byte: fc.nat({ max: 255 }),
  flags: fc.constantFrom(0n, 0n, 0n, 1n, 2n, 3n, 4n),
  cpu: fc.nat({ max: CPUS - 1 }),
});

test.for(TYPES)("$name behaves as the model does, entry by entry", ({ type, flags: mapFlags, ...kind }) => {
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 120, size: "max" }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(),
      (operations, maxEntries, hashSeed) => {
        const spec = mapSpec({ type, maxEntries, valueSizeBytes: VALUE_BYTES, flags: mapFlags });
        const { map, program } = bench<HashMap>(spec, { cpuCount: CPUS, hashSeed });
        const model = new HashModel({ ...kind, maxEntries, cpuCount: CPUS, valueBytes: VALUE_BYTES });
        const userValue = (key: string): string | undefined => model.find(key)?.values.map(hex).join("");

        for (const { kind: what, key: number, byte, flags, cpu } of operations) {
          const key = u32(number);
          const text = hex(key)!;
          switch (what) {
            case "lookup":
              expect(hex(program.lookup(key, cpu))).toBe(hex(model.lookup(text, cpu)));
              break;
            case "update": {
              const value = filled(VALUE_BYTES, byte);
              const expected = model.update(text, [value], flags, cpu, false);
              expect(program.update(key, value, flags, cpu)).toBe(expected);
              break;
            }
            case "userUpdate": {
              const values = Array.from({ length: kind.isPerCpu ? CPUS : 1 }, (_, i) =>
                filled(VALUE_BYTES, (byte + i) & 0xff),
              );
              const expected = model.update(text, values, flags, 0, true);
              expect(map.updateValue(key, Uint8Array.from(values.flatMap((v) => [...v])), flags)).toBe(
                expected,
              );
              break;
            }
            case "delete":
              expect(program.delete(key)).toBe(model.delete(text));
              break;
            case "userDelete":
              expect(map.deleteKey(key)).toBe(model.delete(text));
              break;
            case "userLookup":
              expect(hex(map.lookupValue(key))).toBe(userValue(text));
              break;
          }
          expect(map.count).toBe(model.entries.length);
        }
        const dump = allKeys(map).map((key) => `${hex(key)}=${hex(map.lookupValue(key))}`);
        expect(dump.toSorted()).toEqual(
          model.entries.map(({ key }) => `${key}=${userValue(key)}`).toSorted(),
        );
      },
    ),
  );
});

describe("keys", () => {
  test.for([1, 2, 3, 4, 5, 7, 8, 12, 13, 64])("of %i bytes are told apart by every byte", (keySizeBytes) => {
    const spec = mapSpec({ type: BPF_MAP_TYPE_HASH, keySizeBytes, maxEntries: keySizeBytes + 1 });
    const { map } = bench(spec);
    const keys: Uint8Array[] = Array.from({ length: keySizeBytes }, (_, i) =>
      filled(keySizeBytes, 0).with(i, 1),
    );
    keys.push(filled(keySizeBytes, 0));
    keys.forEach((key, i) => {
      expect(map.updateValue(key, filled(8, i))).toBe(0);
    });
    expect(keys.map((key) => map.lookupValue(key)?.[0])).toEqual(keys.map((_, i) => i));
    expect(allKeys(map).map(hex).toSorted()).toEqual(keys.map(hex).toSorted());
  });

  test("that are gone start the next round of nextKey from the first", () => {
    const { map } = bench(mapSpec({ type: BPF_MAP_TYPE_HASH }));
    map.updateValue(u32(1), filled(8, 1));
    expect(map.nextKey(u32(99))).toEqual(map.nextKey(undefined));
  });
});

test("keys with the same hash are different keys", () => {
  const keyOf = (i: number): Uint8Array => Uint8Array.of(...u32(i), ...u32(Math.imul(i, 0x9e3779b1) >>> 0));
  const view = new DataView(new ArrayBuffer(8));
  const seen = new Map<number, number>();
  const pairs: [number, number][] = [];
  // About 200,000² / 2^33 pairs are to be expected.
  for (let i = 0; i < 200_000; i++) {
    new Uint8Array(view.buffer).set(keyOf(i));
    const hash = hashBytes(view, { address: 0, sizeBytes: 8, seed: 0 });
    const other = seen.get(hash);
    if (other === undefined) seen.set(hash, i);
    else pairs.push([other, i]);
  }
  expect(pairs).not.toEqual([]);
  for (const [one, other] of pairs) {
    const keys = [keyOf(one), keyOf(other)];
    const { map } = bench(mapSpec({ type: BPF_MAP_TYPE_HASH, keySizeBytes: 8 }));
    keys.forEach((key, i) => {
      expect(map.updateValue(key, filled(8, i), 1n)).toBe(0);
    });
    expect(keys.map((key) => map.lookupValue(key)?.[0])).toEqual([0, 1]);
    expect(map.deleteKey(keys[0]!)).toBe(0);
    expect(map.lookupValue(keys[1]!)).toEqual(filled(8, 1));
  }
});

test("a pointer to a value keeps the old value when the entry is replaced", () => {
  const { map, memory } = bench(mapSpec({ type: BPF_MAP_TYPE_HASH }));
  map.updateValue(u32(1), filled(8, 0x11));
  const key = memory.allocate(4);
  memory.write(key, u32(1));
  const pointer = map.lookup(key, 0);
  map.updateValue(u32(1), filled(8, 0x22));
  expect(memory.read(pointer, 8)).toEqual(filled(8, 0x11));
  expect(map.lookup(key, 0)).not.toBe(pointer);
});

test("a value can be copied from another value of the map, even from the one that is evicted", () => {
  const { map, memory } = bench(mapSpec({ type: BPF_MAP_TYPE_LRU_HASH, maxEntries: 2 }));
  map.updateValue(u32(1), filled(8, 0x11));
  map.updateValue(u32(2), filled(8, 0x22));
  const key = memory.allocate(4);
  memory.write(key, u32(1));
  const victim = map.lookup(key, 0);
  map.updateValue(u32(1), filled(8, 0x11));
  memory.write(key, u32(2));
  map.lookup(key, 0);
  memory.write(key, u32(3));
  expect(map.update(key, victim, 0n, 0)).toBe(0);
  expect(map.lookupValue(u32(3))).toEqual(filled(8, 0x11));
});

test("an entry that programs look up survives a stream of new ones", () => {
  const { map, program } = bench(mapSpec({ type: BPF_MAP_TYPE_LRU_HASH, maxEntries: 8 }));
  program.update(u32(0), filled(8, 0), 0n, 0);
  for (let i = 1; i < 1000; i++) {
    expect(program.lookup(u32(0), 0)).toBeDefined();
    expect(program.update(u32(i), filled(8, 1), 0n, 0)).toBe(0);
  }
  expect(allKeys(map)).toHaveLength(8);
});

test("a lookup from user space saves no entry", () => {
  const { map } = bench(mapSpec({ type: BPF_MAP_TYPE_LRU_HASH, maxEntries: 2 }));
  for (const key of [1, 2]) map.updateValue(u32(key), filled(8, key));
  map.lookupValue(u32(1));
  map.updateValue(u32(3), filled(8, 3));
  expect(map.lookupValue(u32(1))).toBeUndefined();
});

test("a map that is read-only for programs refuses their changes", () => {
  const { map, program } = bench(mapSpec({ type: BPF_MAP_TYPE_HASH, flags: BPF_F_RDONLY_PROG }));
  expect(map.updateValue(u32(1), filled(8, 1))).toBe(0);
  expect(program.update(u32(1), filled(8, 2), 0n, 0)).toBe(-EACCES);
  expect(program.delete(u32(1))).toBe(-EACCES);
  expect(program.lookup(u32(1), 0)).toEqual(filled(8, 1));
});

test("every value lies at a multiple of the region's stride, on every CPU", () => {
  for (const { type } of TYPES) {
    const { map, memory } = bench<HashMap>(mapSpec({ type, valueSizeBytes: 20, maxEntries: 7 }));
    const key = memory.allocate(4);
    for (let i = 0; i < 7; i++) {
      memory.write(key, u32(i));
      map.update(key, key, 0n, 0);
    }
    const { address, sizeBytes, strideBytes } = map.valueRegion;
    const seen = new Set<number>();
    for (let i = 0; i < 7; i++) {
      memory.write(key, u32(i));
      for (let cpu = 0; cpu < 2; cpu++) seen.add(map.lookup(key, cpu));
    }
    for (const value of seen) {
      expect((value - address) % strideBytes).toBe(0);
      expect(value + 20).toBeLessThanOrEqual(address + sizeBytes);
    }
  }
});

// Published test vectors of MurmurHash3_x86_32.
test.for([
  { text: "", seed: 0, hash: 0 },
  { text: "", seed: 1, hash: 0x514e28b7 },
  { text: "", seed: 0xffffffff, hash: 0x81f16f39 },
  { text: "\xff\xff\xff\xff", seed: 0, hash: 0x76293b50 },
  { text: "!Ce\x87", seed: 0, hash: 0xf55b516b },
  { text: "!Ce", seed: 0, hash: 0x7e4a8634 },
  { text: "!C", seed: 0, hash: 0xa0f7b07a },
  { text: "!", seed: 0, hash: 0x72661cf4 },
  { text: "aaaa", seed: 0x9747b28c, hash: 0x5a97808a },
  { text: "Hello, world!", seed: 0x9747b28c, hash: 0x24884cba },
])("the hash of $text with seed $seed is the published one", ({ text, seed, hash }) => {
  const bytes = Buffer.from(text, "latin1");
  const view = new DataView(new ArrayBuffer(64));
  new Uint8Array(view.buffer).set(bytes, 3);
  expect(hashBytes(view, { address: 3, sizeBytes: bytes.length, seed })).toBe(hash);
});
