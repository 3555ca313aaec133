import { describe, expect, test } from "vitest";
import type { MapSpec } from "../../../../dataplane/object/spec.ts";
import { createMap } from "../../../../dataplane/vm/maps/create.ts";
import {
  E2BIG,
  EBADF,
  EEXIST,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  errnoName,
} from "../../../../dataplane/vm/maps/errno.ts";
import type { VmMap } from "../../../../dataplane/vm/maps/map.ts";
import {
  BPF_F_INNER_MAP,
  BPF_F_MMAPABLE,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_XSKMAP,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { Memory } from "../../../../dataplane/vm/memory.ts";
import { allKeys, hex, mapSpec, u32 } from "./harness.ts";

const ARRAY: MapSpec = mapSpec({ type: BPF_MAP_TYPE_ARRAY, name: "template" });

/** An outer map and a way to make candidates for it. */
function outerMap(type: number, inner: MapSpec): { map: VmMap; add(spec: MapSpec): VmMap; memory: Memory } {
  const memory = new Memory({ maximumBytes: 16 * 1024 * 1024 });
  const maps: VmMap[] = [];
  const environment = { cpuCount: 2, mapById: (id: number) => maps[id - 1] };
  const add = (spec: MapSpec): VmMap => {
    const made = createMap(spec, memory, { ...environment, id: maps.length + 1 });
    maps.push(made);
    return made;
  };
  return { map: add(mapSpec({ type, valueSizeBytes: 4, maxEntries: 3, inner })), add, memory };
}

const TYPES = [
  { name: "ARRAY_OF_MAPS", type: BPF_MAP_TYPE_ARRAY_OF_MAPS },
  { name: "HASH_OF_MAPS", type: BPF_MAP_TYPE_HASH_OF_MAPS },
];

describe.for(TYPES)("$name", ({ type }) => {
  test("gives programs the inner map's handle and user space its id", () => {
    const { map, add, memory } = outerMap(type, ARRAY);
    const inner = add({ ...ARRAY, name: "inner" });
    const key = memory.allocate(4);
    memory.write(key, u32(2));
    expect(map.lookup(key, 0)).toBe(0);
    expect(map.lookupValue(u32(2))).toBeUndefined();

    expect(map.updateValue(u32(2), u32(inner.id))).toBe(0);
    expect(map.lookup(key, 1)).toBe(inner.handle);
    expect(map.lookupValue(u32(2))).toEqual(u32(inner.id));

    expect(map.deleteKey(u32(2))).toBe(0);
    expect(map.lookup(key, 0)).toBe(0);
    expect(map.deleteKey(u32(2))).toBe(-ENOENT);
  });

  test("cannot be changed by programs", () => {
    const { map, memory } = outerMap(type, ARRAY);
    const key = memory.allocate(8);
    expect(map.update(key, key, 0n, 0)).toBe(-EOPNOTSUPP);
    expect(map.delete(key)).toBe(-EOPNOTSUPP);
    expect(map.valueRegion).toBeUndefined();
  });

  test("takes no map that does not exist", () => {
    const { map } = outerMap(type, ARRAY);
    expect(map.updateValue(u32(0), u32(99))).toBe(-EBADF);
    expect(map.updateValue(u32(0), u32(0))).toBe(-EBADF);
  });

  test.for([
    { name: "of another type", change: { type: BPF_MAP_TYPE_HASH }, result: -EINVAL },
    { name: "with larger values", change: { valueSizeBytes: 16 }, result: -EINVAL },
    { name: "with other flags", change: { flags: BPF_F_MMAPABLE }, result: -EINVAL },
    { name: "with more entries", change: { maxEntries: 5 }, result: -EINVAL },
    { name: "of the same kind", change: { name: "other" }, result: 0 },
  ])("takes an inner array $name: $result", ({ change, result }) => {
    const { map, add } = outerMap(type, ARRAY);
    const inner = add({ ...ARRAY, ...change });
    expect(errnoName(map.updateValue(u32(1), u32(inner.id)))).toBe(errnoName(result));
  });

  test.for([
    { name: "array with BPF_F_INNER_MAP", template: { ...ARRAY, flags: BPF_F_INNER_MAP }, result: 0 },
    { name: "hash map", template: mapSpec({ type: BPF_MAP_TYPE_HASH }), result: 0 },
    {
      name: "XSKMAP",
      template: mapSpec({ type: BPF_MAP_TYPE_XSKMAP, valueSizeBytes: 4 }),
      result: -EINVAL,
    },
  ])("compares entries of an inner $name: $result", ({ template, result }) => {
    const { map, add } = outerMap(type, template);
    const inner = add({ ...template, maxEntries: template.maxEntries * 2 });
    expect(errnoName(map.updateValue(u32(1), u32(inner.id)))).toBe(errnoName(result));
  });
});

test("an ARRAY_OF_MAPS has every index from the start, and no flag but BPF_ANY", () => {
  const { map, add } = outerMap(BPF_MAP_TYPE_ARRAY_OF_MAPS, ARRAY);
  const inner = add(ARRAY);
  expect(allKeys(map).map(hex)).toEqual([0, 1, 2].map((index) => hex(u32(index))));
  expect(map.updateValue(u32(0), u32(inner.id), 1n)).toBe(-EINVAL);
  expect(map.updateValue(u32(3), u32(inner.id))).toBe(-E2BIG);
  expect(map.deleteKey(u32(3))).toBe(-E2BIG);
  expect(map.lookupValue(u32(3))).toBeUndefined();
});

test("a HASH_OF_MAPS has the flags and bounds of a hash map", () => {
  const { map, add } = outerMap(BPF_MAP_TYPE_HASH_OF_MAPS, ARRAY);
  const id = u32(add(ARRAY).id);
  expect(map.updateValue(u32(7), id, 2n)).toBe(-ENOENT);
  for (const key of [7, 8, 9]) expect(map.updateValue(u32(key), id, 1n)).toBe(0);
  expect(map.updateValue(u32(7), id, 1n)).toBe(-EEXIST);
  expect(map.updateValue(u32(10), id)).toBe(-E2BIG);
  expect(allKeys(map).map(hex).toSorted()).toEqual([7, 8, 9].map((key) => hex(u32(key))));
});
