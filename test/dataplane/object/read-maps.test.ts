import { expect, test } from "vitest";
import { readElf } from "../../../dataplane/object/elf.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import type { MapSpec } from "../../../dataplane/object/spec.ts";
import { objectBytes, objectErrorOf, replaceString, sectionStart, viewOf } from "./test-objects.ts";

test.for(["bpfel", "bpfeb"] as const)("map definitions of a %s object say all of it", (target) => {
  const maps = mapsOf("maps", target);
  const inner = {
    type: 2,
    maxEntries: 4,
    keySizeBytes: 4,
    valueSizeBytes: 8,
    flags: 1024,
    isReadonly: false,
  };
  expect(maps.get("inner_a")).toMatchObject(inner);
  expect(maps.get("inner_b")).toMatchObject(inner);
  expect(maps.get("outer")).toMatchObject({
    type: 12,
    maxEntries: 8,
    keySizeBytes: 4,
    valueSizeBytes: 4,
    inner: { ...inner, name: "outer.inner" },
    // By name, and a static map by its place in the section.
    values: new Map([
      [2, "inner_a"],
      [5, "inner_b"],
      [6, "inner_a"],
    ]),
  });
  expect(maps.get("outer_hash")).toMatchObject({
    type: 13,
    keySizeBytes: 8,
    inner: { name: "outer_hash.inner", type: 1, maxEntries: 16, keySizeBytes: 8, valueSizeBytes: 24 },
  });
  expect(maps.get("outer_hash")).not.toHaveProperty("values");
  expect(maps.get("programs")).toMatchObject({
    type: 3,
    keySizeBytes: 4,
    valueSizeBytes: 4,
    values: new Map([
      [1, "target"],
      [3, "target"],
    ]),
  });
  expect(maps.get("everything")).toMatchObject({
    type: 1,
    maxEntries: 100,
    flags: 1,
    keySizeBytes: 8,
    valueSizeBytes: 24,
    isPinnedByName: true,
    numaNode: 2,
    extra: 0x123456789,
  });
  expect(maps.get("events")).toMatchObject({ type: 4, maxEntries: 0, keySizeBytes: 4, valueSizeBytes: 4 });
  expect(maps.get("queue")).toMatchObject({ type: 22, maxEntries: 3, keySizeBytes: 0, valueSizeBytes: 4 });
});

test.for(["bpfel", "bpfeb"] as const)("numbers of a %s object's maps may take all of 32 bits", (target) => {
  const maps = mapsOf("large-maps", target);
  expect(maps.get("large")).toMatchObject({ maxEntries: 2 ** 30, keySizeBytes: 4, valueSizeBytes: 8 });
  expect(maps.get("largest")).toMatchObject({ maxEntries: 4294967295, keySizeBytes: 4, valueSizeBytes: 4 });
  expect(maps.get("wide")).toMatchObject({ maxEntries: 1, flags: 2 ** 31, keySizeBytes: 4294967295 });
});

test("a key of 4 GiB is refused", () => {
  const bytes = objectBytes("large-maps");
  const { types } = readObject(bytes).btf!;
  const starts = typeStarts(bytes, viewOf(bytes));
  const definition = types.findIndex((type) => type.kind === "struct" && type.members[2]?.name === "key");
  const definitionOf = types[definition];
  const pointer = definitionOf?.kind === "struct" ? definitionOf.members[2]!.type : 0;
  const array = types.findIndex((type) => type.kind === "array" && type.count === 2 ** 30);
  viewOf(bytes).setUint32(starts[pointer]! + 8, array, true);
  expect(objectErrorOf(() => readObject(bytes))).toMatchObject({
    code: "bad-map",
    symbol: "large",
    message: expect.stringMatching(/type of key has 4294967296 bytes, expected less than 4 GiB$/),
  });
});

test("maps are in the order of their places, data sections last", () => {
  const elf = readElf(objectBytes("maps"));
  const places = new Map(elf.symbols.map(({ name, value }) => [name, value]));
  const names = [...mapsOf("maps").keys()];
  expect(names).toEqual(names.toSorted((a, b) => places.get(a)! - places.get(b)!));
  expect([...mapsOf("relocations").keys()]).toEqual([
    "global_map",
    "static_map",
    ".rodata",
    ".data",
    ".data.named",
    ".bss",
  ]);
});

test.for(["bpfel", "bpfeb"] as const)("data sections of a %s object are arrays of one element", (target) => {
  const maps = mapsOf("relocations", target);
  const common = { type: 2, keySizeBytes: 4, maxEntries: 1 };
  expect(maps.get(".rodata")).toMatchObject({
    ...common,
    valueSizeBytes: 22,
    flags: 128 | 1024,
    isReadonly: true,
  });
  expect(maps.get(".data")).toMatchObject({ ...common, valueSizeBytes: 12, flags: 1024, isReadonly: false });
  expect(maps.get(".bss")).toMatchObject({ ...common, contents: new Uint8Array(64), isReadonly: false });
  const data = maps.get(".data")!.contents!;
  expect(new DataView(data.buffer).getBigUint64(0, target === "bpfel")).toBe(0x1122334455667788n);
  expect(new DataView(data.buffer).getInt32(8, target === "bpfel")).toBe(-5);
});

test("empty data sections are no maps", () => {
  expect([...mapsOf("maps").keys()].filter((name) => name.startsWith("."))).toEqual([]);
});

// ------------------------------------------------------------------------------------------ refused

type Damage = (bytes: Uint8Array, view: DataView) => void;
const rename =
  (from: string, to: string): Damage =>
  (bytes) =>
    replaceString(bytes, ".BTF", from, to);

test.for<{ name: string; damage: Damage; symbol?: string; code?: string; message: RegExp }>([
  {
    name: "an unknown field",
    damage: rename("map_extra", "map_extrb"),
    symbol: "everything",
    message: /unknown field "map_extrb", expected type, max_entries/,
  },
  {
    name: "a field twice",
    damage: rename("numa_node", "map_flags"),
    symbol: "everything",
    message: /"map_flags" for the second time/,
  },
  { name: "a misspelt key", damage: rename("key", "map"), message: /unknown field "map"/ },
  {
    name: "a key of another size than its type",
    damage: (bytes, view) => setArrayCount(bytes, view, "everything", "key_size", 12),
    symbol: "everything",
    message: /key_size 12, but type of key has 8 bytes/,
  },
  {
    name: "pinning that does not exist",
    damage: (bytes, view) => setArrayCount(bytes, view, "everything", "pinning", 7),
    symbol: "everything",
    message: /pinning 7, expected 0 \(none\) or 1 \(by name\)/,
  },
  {
    name: "type 0",
    damage: (bytes, view) => setArrayCount(bytes, view, "queue", "type", 0),
    symbol: "queue",
    message: /field "type" is missing/,
  },
  {
    name: "inner maps in a hash",
    damage: (bytes, view) => setArrayCount(bytes, view, "outer_hash", "type", 1),
    message: /type 1 has inner maps, expected an array or hash of maps/,
  },
  {
    name: "functions in a hash",
    damage: (bytes, view) => setArrayCount(bytes, view, "programs", "type", 9),
    message: /type 9 has "values"/,
  },
  {
    name: "a definition that is no struct",
    damage: (bytes, view) => setVariableType(bytes, view, "queue", 1),
    symbol: "queue",
    message: /expected a struct/,
  },
  {
    name: "an initial value that is another kind of relocation",
    damage: (bytes, view) => view.setUint32(sectionStart(bytes, ".rel.maps") + 8, 1, true),
    code: "bad-relocation",
    message: /R_BPF_64_64: expected R_BPF_64_ABS64/,
  },
  {
    name: "an initial value between two entries",
    damage: (bytes, view) => {
      const at = sectionStart(bytes, ".rel.maps");
      view.setBigUint64(at, view.getBigUint64(at, true) + 4n, true);
    },
    code: "bad-relocation",
    message: /is not at an element of "values"/,
  },
  {
    name: "an initial value of a map without any",
    damage: (bytes, view) => view.setBigUint64(sectionStart(bytes, ".rel.maps"), 0n, true),
    code: "bad-relocation",
    message: /map "inner_a" has no "values"/,
  },
])("$name is refused", ({ damage, symbol, code, message }) => {
  const bytes = objectBytes("maps");
  damage(bytes, viewOf(bytes));
  const error = objectErrorOf(() => readObject(bytes));
  expect(error.message).toMatch(message);
  expect(error).toMatchObject({
    code: code ?? "bad-map",
    section: ".maps",
    ...(symbol === undefined ? {} : { symbol }),
  });
});

// ------------------------------------------------------------------------------------------ helpers

function mapsOf(name: string, target: "bpfel" | "bpfeb" = "bpfel"): Map<string, MapSpec> {
  return new Map(readObject(objectBytes(name, target)).maps.map((map) => [map.name, map]));
}

/** Gives a definition's field `__uint(field, ...)` another number, and none of the others that share its type. */
function setArrayCount(bytes: Uint8Array, view: DataView, map: string, field: string, count: number): void {
  const { types } = readObject(bytes).btf!;
  const variable = types.find((type) => type.kind === "variable" && type.name === map);
  const struct = variable?.kind === "variable" ? types[variable.type] : undefined;
  if (struct?.kind !== "struct") throw new Error(`no definition of ${map}`);
  const index = struct.members.findIndex((member) => member.name === field);
  // The array is that of the license, and the pointer to it takes the place of a function: nothing reads either. A struct, a
  // variable or a prototype could not make room for it, since their entries have other lengths.
  const license = types.findIndex((type) => type.kind === "variable" && type.name === "_license");
  const licenseVariable = types[license];
  if (licenseVariable?.kind !== "variable") throw new Error("no license");
  const array = licenseVariable.type;
  const spare = types.findLastIndex((type) => type.kind === "prototype");
  const starts = typeStarts(bytes, view);
  view.setUint32(starts[array]! + 12 + 8, count, true);
  const functionType = types.findIndex((type) => type.kind === "function" && type.prototype === spare);
  view.setUint32(starts[functionType]!, 0, true);
  view.setUint32(starts[functionType]! + 4, 2 << 24, true);
  view.setUint32(starts[functionType]! + 8, array, true);
  view.setUint32(starts[types.indexOf(struct)]! + 12 + 12 * index + 4, functionType, true);
}

function setVariableType(bytes: Uint8Array, view: DataView, name: string, type: number): void {
  const { types } = readObject(bytes).btf!;
  const id = types.findIndex((each) => each.kind === "variable" && each.name === name);
  view.setUint32(typeStarts(bytes, view)[id]! + 8, type, true);
}

/** Where each type begins in the file, by id. */
function typeStarts(bytes: Uint8Array, view: DataView): number[] {
  const start = sectionStart(bytes, ".BTF");
  const end = start + 24 + view.getUint32(start + 12, true);
  const perElement = new Map([
    [4, 12],
    [5, 12],
    [6, 8],
    [13, 8],
    [15, 12],
    [19, 12],
  ]);
  const fixed = new Map([
    [1, 4],
    [3, 12],
    [14, 4],
    [17, 4],
  ]);
  const starts = [0];
  for (let at = start + 24; at < end; ) {
    starts.push(at);
    const info = view.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x1f;
    at += 12 + (fixed.get(kind) ?? 0) + (perElement.get(kind) ?? 0) * (info & 0xffff);
  }
  return starts;
}
