import { describe, expect, test } from "vitest";
import {
  E2BIG,
  EBADF,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOENT,
  EOPNOTSUPP,
  EOVERFLOW,
  errnoName,
} from "../../../../dataplane/vm/maps/errno.ts";
import {
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_DEVMAP_HASH,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_XSKMAP,
} from "../../../../dataplane/vm/maps/map-type.ts";
import type { ProgArray } from "../../../../dataplane/vm/maps/prog-array.ts";
import type { RedirectMap } from "../../../../dataplane/vm/maps/redirect-map.ts";
import { allKeys, bench, hex, mapSpec, u32 } from "./harness.ts";

const ENVIRONMENT = {
  cpuCount: 2,
  isProgram: (id: number) => id === 7,
  isInterface: (ifindex: number) => ifindex === 3,
};

function pair(target: number, program: number): Uint8Array {
  return Uint8Array.of(...u32(target), ...u32(program));
}

interface Row {
  readonly name: string;
  readonly key: number;
  readonly value: Uint8Array;
  readonly flags?: bigint;
  readonly result: number;
}

describe.for([
  {
    map: "DEVMAP",
    type: BPF_MAP_TYPE_DEVMAP,
    rows: [
      { name: "an interface", key: 1, value: pair(3, 0), result: 0 },
      { name: "an interface with a program", key: 1, value: pair(3, 7), result: 0 },
      { name: "an interface that is not there", key: 1, value: pair(4, 0), result: -EINVAL },
      { name: "a program that is not there", key: 1, value: pair(3, 8), result: -EINVAL },
      { name: "a program without an interface", key: 1, value: pair(0, 7), result: -EINVAL },
      { name: "nothing, which empties the entry", key: 1, value: pair(0, 0), result: 0 },
      { name: "an index out of range", key: 4, value: pair(3, 0), result: -E2BIG },
      { name: "a new entry", key: 1, value: pair(3, 0), flags: 1n, result: -EEXIST },
      { name: "an existing entry", key: 1, value: pair(3, 0), flags: 2n, result: 0 },
      { name: "unknown flags", key: 1, value: pair(3, 0), flags: 3n, result: -EINVAL },
    ] as Row[],
  },
  {
    map: "DEVMAP_HASH",
    type: BPF_MAP_TYPE_DEVMAP_HASH,
    rows: [
      { name: "an interface under any key", key: 0xdeadbeef, value: pair(3, 0), result: 0 },
      { name: "an entry that ought to exist and does not", key: 5, value: pair(3, 0), flags: 2n, result: 0 },
      { name: "no interface", key: 1, value: pair(0, 0), result: -EINVAL },
      { name: "an interface that is not there", key: 1, value: pair(4, 0), result: -EINVAL },
      { name: "a program that is not there", key: 1, value: pair(3, 8), result: -EINVAL },
      { name: "unknown flags", key: 1, value: pair(3, 0), flags: 4n, result: -EINVAL },
    ] as Row[],
  },
  {
    map: "CPUMAP",
    type: BPF_MAP_TYPE_CPUMAP,
    rows: [
      { name: "a CPU", key: 1, value: pair(2048, 0), result: 0 },
      { name: "a CPU that is not there", key: 2, value: pair(2048, 0), result: -ENODEV },
      { name: "the longest queue", key: 0, value: pair(16384, 0), result: 0 },
      { name: "too long a queue", key: 0, value: pair(16385, 0), result: -EOVERFLOW },
      { name: "no queue, which empties the entry", key: 0, value: pair(0, 0), result: 0 },
      { name: "an index out of range", key: 4, value: pair(1, 0), result: -E2BIG },
      { name: "a new entry", key: 0, value: pair(1, 0), flags: 1n, result: -EEXIST },
    ] as Row[],
  },
])("$map", ({ type, rows }) => {
  const spec = mapSpec({ type, valueSizeBytes: 8 });

  test.for(rows)("update with $name", ({ key, value, flags, result }) => {
    const { map } = bench<RedirectMap>(spec, ENVIRONMENT);
    expect(errnoName(map.updateValue(u32(key), value, flags))).toBe(errnoName(result));
    const target = result === 0 ? new DataView(value.buffer).getUint32(0, true) : 0;
    expect(map.target(key)).toBe(target);
    expect(hex(map.lookupValue(u32(key)))).toBe(target === 0 ? undefined : hex(value));
  });

  test("programs may look at entries and change none", () => {
    const { map, program } = bench<RedirectMap>(spec, ENVIRONMENT);
    const value = pair(3, 0);
    expect(map.updateValue(u32(1), value)).toBe(0);
    expect(program.lookup(u32(1), 0)).toEqual(value);
    expect(program.lookup(u32(3), 0)).toBeUndefined();
    expect(program.update(u32(1), value, 0n, 0)).toBe(-EOPNOTSUPP);
    expect(program.delete(u32(1))).toBe(-EOPNOTSUPP);
    expect(map.spec.flags & BPF_F_RDONLY_PROG).not.toBe(0);
  });
});

test("deleting from indexed maps always works, within bounds", () => {
  for (const type of [BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_CPUMAP]) {
    const { map } = bench<RedirectMap>(mapSpec({ type, valueSizeBytes: 4 }), ENVIRONMENT);
    expect(map.updateValue(u32(1), u32(3))).toBe(0);
    expect(map.deleteKey(u32(1))).toBe(0);
    expect(map.target(1)).toBe(0);
    expect(map.deleteKey(u32(1))).toBe(0);
    expect(map.deleteKey(u32(4))).toBe(-EINVAL);
    expect(allKeys(map)).toHaveLength(4);
  }
});

test("a DEVMAP_HASH is bounded, and knows what is there", () => {
  const { map } = bench<RedirectMap>(
    mapSpec({ type: BPF_MAP_TYPE_DEVMAP_HASH, valueSizeBytes: 4 }),
    ENVIRONMENT,
  );
  for (const key of [10, 20, 30, 40]) expect(map.updateValue(u32(key), u32(3), 1n)).toBe(0);
  expect(map.updateValue(u32(50), u32(3))).toBe(-E2BIG);
  expect(map.updateValue(u32(10), u32(3), 1n)).toBe(-EEXIST);
  expect(map.deleteKey(u32(10))).toBe(0);
  expect(map.deleteKey(u32(10))).toBe(-ENOENT);
  expect(allKeys(map)).toHaveLength(3);
});

test("an XSKMAP holds sockets that user space cannot look up", () => {
  const { map } = bench<RedirectMap>(mapSpec({ type: BPF_MAP_TYPE_XSKMAP, valueSizeBytes: 4 }), ENVIRONMENT);
  expect(map.updateValue(u32(1), u32(0))).toBe(-EBADF);
  expect(map.updateValue(u32(1), u32(11), 2n)).toBe(-ENOENT);
  expect(map.updateValue(u32(1), u32(11), 1n)).toBe(0);
  expect(map.updateValue(u32(1), u32(12), 1n)).toBe(-EEXIST);
  expect(map.updateValue(u32(1), u32(11), 1n)).toBe(0);
  expect(map.target(1)).toBe(11);
  expect(map.lookupValue(u32(1))).toBeUndefined();
  expect(map.updateValue(u32(4), u32(11))).toBe(-E2BIG);
});

test("a PROG_ARRAY holds ids of programs that exist", () => {
  const { map, program } = bench<ProgArray>(
    mapSpec({ type: BPF_MAP_TYPE_PROG_ARRAY, valueSizeBytes: 4 }),
    ENVIRONMENT,
  );
  expect(map.updateValue(u32(2), u32(8))).toBe(-EBADF);
  expect(map.updateValue(u32(2), u32(7), 1n)).toBe(-EINVAL);
  expect(map.updateValue(u32(4), u32(7))).toBe(-E2BIG);
  expect(map.updateValue(u32(2), u32(7))).toBe(0);
  expect(map.programId(2)).toBe(7);
  expect(map.lookupValue(u32(2))).toEqual(u32(7));
  expect([map.programId(0), map.programId(4)]).toEqual([0, 0]);
  expect(program.lookup(u32(2), 0)).toBeUndefined();
  expect(program.update(u32(2), new Uint8Array(4), 0n, 0)).toBe(-EOPNOTSUPP);
  expect(map.deleteKey(u32(2))).toBe(0);
  expect(map.deleteKey(u32(2))).toBe(-ENOENT);
});
