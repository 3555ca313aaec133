import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ArrayMap } from "../../../../dataplane/vm/maps/array.ts";
import { E2BIG, EACCES, EEXIST, EINVAL, EPERM } from "../../../../dataplane/vm/maps/errno.ts";
import {
  BPF_F_MMAPABLE,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_PERCPU_ARRAY,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { allKeys, bench, filled, hex, mapSpec, u32 } from "./harness.ts";

const CPUS = 3;
const ENTRIES = 5;
const VALUE_BYTES = 6;
const STRIDE = 8;

const operation = fc.record({
  kind: fc.constantFrom("lookup", "update", "delete", "userLookup", "userUpdate", "userDelete"),
  index: fc.nat({ max: ENTRIES }),
  byte: fc.nat({ max: 255 }),
  flags: fc.constantFrom(0n, 1n, 2n, 3n, 4n, 1n << 40n),
  cpu: fc.nat({ max: CPUS - 1 }),
});

test.for([
  { name: "an array", type: BPF_MAP_TYPE_ARRAY, isPerCpu: false },
  { name: "a per-CPU array", type: BPF_MAP_TYPE_PERCPU_ARRAY, isPerCpu: true },
])("$name behaves as a plain array does", ({ type, isPerCpu }) => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60, size: "max" }), (operations) => {
      const spec = mapSpec({ type, maxEntries: ENTRIES, valueSizeBytes: VALUE_BYTES });
      const { map, program } = bench(spec, { cpuCount: CPUS });
      const model = Array.from({ length: ENTRIES }, () =>
        Array.from({ length: CPUS }, () => filled(STRIDE, 0)),
      );
      const refusal = (index: number, flags: bigint): number => {
        if (flags > 2n) return -EINVAL;
        if (index >= ENTRIES) return -E2BIG;
        return flags === 1n ? -EEXIST : 0;
      };
      const userValue = (index: number): Uint8Array | undefined => {
        const values = model[index];
        if (values === undefined) return undefined;
        return isPerCpu ? Uint8Array.from(values.flatMap((v) => [...v])) : values[0]!.slice(0, VALUE_BYTES);
      };

      for (const { kind, index, byte, flags, cpu } of operations) {
        const key = u32(index);
        const copy = isPerCpu ? cpu : 0;
        switch (kind) {
          case "lookup":
            expect(hex(program.lookup(key, cpu))).toBe(hex(model[index]?.[copy]?.slice(0, VALUE_BYTES)));
            break;
          case "update": {
            const expected = refusal(index, flags);
            expect(program.update(key, filled(VALUE_BYTES, byte), flags, cpu)).toBe(expected);
            if (expected === 0) model[index]![copy]!.fill(byte, 0, VALUE_BYTES);
            break;
          }
          case "userUpdate": {
            const expected = refusal(index, flags);
            const value = isPerCpu
              ? Uint8Array.from(Array.from({ length: CPUS * STRIDE }, (_, i) => (byte + i) & 0xff))
              : filled(VALUE_BYTES, byte);
            expect(map.updateValue(key, value, flags)).toBe(expected);
            if (expected === 0) {
              for (let i = 0; i < CPUS; i++) {
                model[index]![i]!.set(isPerCpu ? value.subarray(i * STRIDE, (i + 1) * STRIDE) : value);
              }
            }
            break;
          }
          case "userLookup":
            expect(hex(map.lookupValue(key))).toBe(hex(userValue(index)));
            break;
          case "delete":
            expect(program.delete(key)).toBe(-EINVAL);
            break;
          case "userDelete":
            expect(map.deleteKey(key)).toBe(-EINVAL);
            break;
        }
      }
      for (let index = 0; index < ENTRIES; index++) {
        expect(hex(map.lookupValue(u32(index)))).toBe(hex(userValue(index)));
      }
      expect(allKeys(map).map(hex)).toEqual(model.map((_, index) => hex(u32(index))));
    }),
  );
});

describe("where values lie", () => {
  test("values of an mmapable array start on a page and fill whole pages", () => {
    const spec = mapSpec({
      type: BPF_MAP_TYPE_ARRAY,
      flags: BPF_F_MMAPABLE,
      valueSizeBytes: 64,
      maxEntries: 3,
    });
    const { map, memory } = bench<ArrayMap>(spec);
    expect(map.elementAddress(0, 0) % 4096).toBe(0);
    expect(memory.allocate(1)).toBeGreaterThanOrEqual(map.elementAddress(0, 0) + 4096);
  });

  test.for([
    { valueSizeBytes: 1, stride: 8 },
    { valueSizeBytes: 8, stride: 8 },
    { valueSizeBytes: 12, stride: 16 },
    { valueSizeBytes: 64, stride: 64 },
  ])("a value of $valueSizeBytes bytes takes $stride", ({ valueSizeBytes, stride }) => {
    const { map } = bench<ArrayMap>(mapSpec({ type: BPF_MAP_TYPE_ARRAY, valueSizeBytes }));
    expect(map.elementAddress(1, 0) - map.elementAddress(0, 0)).toBe(stride);
    expect(map.valueRegion).toEqual({
      address: map.elementAddress(0, 0),
      sizeBytes: 4 * stride,
      strideBytes: stride,
    });
  });

  test.for([1, 8, 24, 40, 64, 100])(
    "no two CPUs share a cache line with values of %i bytes",
    (valueSizeBytes) => {
      const spec = mapSpec({ type: BPF_MAP_TYPE_PERCPU_ARRAY, valueSizeBytes, maxEntries: 3 });
      const { map } = bench<ArrayMap>(spec, { cpuCount: 4 });
      const stride = map.valueRegion.strideBytes;
      for (let cpu = 1; cpu < 4; cpu++) {
        const start = map.elementAddress(0, cpu);
        expect(start % 64).toBe(0);
        expect(start).toBeGreaterThanOrEqual(map.elementAddress(2, cpu - 1) + valueSizeBytes);
        expect((start - map.valueRegion.address) % stride).toBe(0);
      }
    },
  );
});

describe("read-only arrays", () => {
  const contents = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  const rodata = mapSpec({ type: BPF_MAP_TYPE_ARRAY, maxEntries: 1, contents, isReadonly: true });

  test("start with their contents, and user space cannot change them: they are frozen", () => {
    const { map } = bench(rodata);
    expect(map.updateValue(u32(0), filled(8, 0))).toBe(-EPERM);
    expect(map.lookupValue(u32(0))).toEqual(contents);
  });

  test("cannot be changed by programs", () => {
    for (const spec of [rodata, mapSpec({ type: BPF_MAP_TYPE_ARRAY, flags: BPF_F_RDONLY_PROG })]) {
      const { program, map } = bench(spec);
      const before = map.lookupValue(u32(0));
      expect(program.update(u32(0), filled(8, 9), 0n, 0)).toBe(-EACCES);
      expect(map.lookupValue(u32(0))).toEqual(before);
    }
  });

  test("of programs only can be changed by user space", () => {
    const { map } = bench(mapSpec({ type: BPF_MAP_TYPE_ARRAY, flags: BPF_F_RDONLY_PROG }));
    expect(map.updateValue(u32(0), filled(8, 9))).toBe(0);
    expect(map.lookupValue(u32(0))).toEqual(filled(8, 9));
  });
});

test("keys and values of another size are refused with both sizes", () => {
  const { map } = bench(mapSpec({ type: BPF_MAP_TYPE_ARRAY }));
  expect(() => map.lookupValue(new Uint8Array(3))).toThrow(
    expect.objectContaining({ code: "wrong-size", message: expect.stringMatching(/3 bytes.*4 bytes/) }),
  );
  expect(() => map.updateValue(u32(0), new Uint8Array(9))).toThrow(
    expect.objectContaining({ code: "wrong-size", message: expect.stringMatching(/9 bytes.*8 bytes/) }),
  );
});
