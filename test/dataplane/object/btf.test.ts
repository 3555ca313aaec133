import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import {
  type BtfStruct,
  type BtfType,
  type BtfTypes,
  readBtf,
  resolveType,
  typeName,
} from "../../../dataplane/object/btf.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { bpftool, lacks } from "../../needs.ts";
import { objectBytes, objectErrorOf, objectPath } from "./test-objects.ts";

test.for(["bpfel", "bpfeb"] as const)("every kind of type is read from a %s object", (target) => {
  const btf = readObject(objectBytes("types", target)).btf!;
  expect(new Set(btf.types.map(({ kind }) => kind))).toEqual(
    new Set([
      "void",
      "int",
      "pointer",
      "array",
      "struct",
      "union",
      "enum",
      "forward",
      "typedef",
      "volatile",
      "const",
      "restrict",
      "function",
      "prototype",
      "variable",
      "section",
      "float",
      "declTag",
      "typeTag",
    ]),
  );
  const struct = structNamed(btf, "everything");
  const facts = struct.members.map((member) => [
    member.name,
    typeName(btf, member.type),
    member.offsetBits,
    member.bitFieldBits,
  ]);
  expect(facts).toEqual([
    ["next", "struct everything *", 0, 0],
    ["forward", "struct forward *", 64, 0],
    ["forward_union", "union forward_union *", 128, 0],
    ["cookie", "cookie", 192, 0],
    ["pointer", "restrict volatile int *", 256, 0],
    ["function", "int () *", 320, 0],
    ["fraction", "double", 384, 0],
    ["half", "float", 448, 0],
    ["flag", "_Bool", 480, 0],
    ["byte", "signed char", 488, 0],
    ["small", "enum small", 512, 0],
    ["large", "enum large", 576, 0],
    ["large_signed", "enum large_signed", 640, 0],
    ["either", "union either", 704, 0],
    ["", "struct {...}", 768, 0],
    ["matrix", "__u8[2][3]", 800, 0],
    ["bits_low", "__u32", 848, 3],
    ["bits_high", "__u32", 864, 29],
    ["tagged", "int *", 896, 0],
  ]);
  expect(named(btf, "enum", "small")).toMatchObject({
    isSigned: true,
    sizeBytes: 4,
    values: [
      { name: "SMALL_MINUS", value: -1n },
      { name: "SMALL_ZERO", value: 0n },
      { name: "SMALL_ONE", value: 1n },
    ],
  });
  expect(named(btf, "enum", "large")).toMatchObject({ isSigned: false, sizeBytes: 8 });
  expect(named(btf, "enum", "large").values[1]?.value).toBe(0x8000000000000001n);
  expect(named(btf, "enum", "large_signed").values[0]?.value).toBe(-0x7000000000000000n);
  const tags = btf.types.filter((type) => type.kind === "declTag");
  expect(tags.map(({ name, componentIndex }) => `${name} ${componentIndex}`).toSorted()).toEqual([
    "a tag of a member 3",
    "a tag of a parameter 0",
    "a tag of a struct -1",
  ]);
  const variadic = btf.types.find((type) => type.kind === "prototype" && type.parameters.length === 3);
  expect(variadic).toMatchObject({ parameters: [{}, {}, { name: "", type: 0 }] });
  expect(named(btf, "variable", "elsewhere").linkage).toBe("extern");
});

test("sizes of all types are known", () => {
  const btf = readObject(objectBytes("types")).btf!;
  const sizeOf = (name: string): number | undefined =>
    btf.sizesBytes[btf.types.findIndex((_, id) => typeName(btf, id) === name)];
  expect(
    [
      "struct everything",
      "cookie",
      "union either",
      "__u8[2][3]",
      "struct everything *",
      "struct forward",
    ].map(sizeOf),
  ).toEqual([120, 8, 8, 6, 8, 0]);
});

test("a DATASEC has its section's size and its variables in order", () => {
  const btf = readObject(objectBytes("relocations")).btf!;
  const rodata = named(btf, "section", ".rodata");
  expect(rodata.sizeBytes).toBe(22);
  expect(rodata.variables.map(({ offsetBytes, sizeBytes }) => [offsetBytes, sizeBytes])).toEqual([
    [0, 4],
    [4, 9],
    [14, 8],
  ]);
});

test.skipIf(lacks("types against bpftool's dump", bpftool)).for(["types", "maps", "relocations", "codecs"])(
  "types of %s are what bpftool dumps",
  (name) => {
    const dump = spawnSync("bpftool", ["-j", "btf", "dump", "file", objectPath(name), "format", "raw"], {
      encoding: "utf8",
    });
    const { types: expected } = JSON.parse(dump.stdout) as { types: BpftoolType[] };
    const { types } = readObject(objectBytes(name)).btf!;
    expect(types.length - 1).toBe(expected.length);
    for (const [index, theirs] of expected.entries()) {
      expect(asBpftool(index + 1, types[index + 1]!), `type ${index + 1}`).toEqual(comparable(theirs));
    }
  },
);

// ------------------------------------------------------------------------------------------ hand-made sections

const INT = [0, 1 << 24, 4, 32];
const pointerTo = (id: number): number[] => [0, 2 << 24, id];
const typedefOf = (id: number): number[] => [0, 8 << 24, id];
const constOf = (id: number): number[] => [0, 10 << 24, id];
const arrayOf = (element: number, count: number): number[] => [0, 3 << 24, 0, element, 1, count];
const structOf = (size: number, ...members: (readonly [type: number, offsetBits: number])[]): number[] => [
  0,
  (4 << 24) | members.length,
  size,
  ...members.flatMap(([type, offsetBits]) => [0, type, offsetBits]),
];

test("what is only pointed at may have any size, and no size is beyond the safe integers", () => {
  const types = [
    INT,
    arrayOf(1, 2 ** 32 - 1),
    pointerTo(2),
    arrayOf(2, 2 ** 32 - 1),
    typedefOf(4),
    arrayOf(5, 0),
    pointerTo(5),
  ];
  const { btf } = readBtf(btfOf(...types), true);
  expect(btf.sizesBytes).toEqual([
    0,
    4,
    4 * (2 ** 32 - 1),
    8,
    Number.MAX_SAFE_INTEGER,
    Number.MAX_SAFE_INTEGER,
    0,
    8,
  ]);
});

test("a struct may point at itself", () => {
  const { btf } = readBtf(btfOf(INT, structOf(8, [3, 0]), pointerTo(2)), true);
  expect(btf.sizesBytes).toEqual([0, 4, 8, 8]);
  expect(resolveType(btf, 3).type.kind).toBe("pointer");
});

test.for<{ name: string; types: number[][]; message: RegExp }>([
  {
    name: "a reference behind the types",
    types: [INT, pointerTo(9)],
    message: /type 2 refers to type 9, expected 0 to 2/,
  },
  { name: "a typedef of itself", types: [INT, typedefOf(2)], message: /type 2 contains itself/ },
  { name: "qualifiers in a circle", types: [INT, constOf(3), typedefOf(2)], message: /contains itself/ },
  { name: "a struct in itself", types: [INT, structOf(8, [2, 0])], message: /type 2 contains itself/ },
  {
    name: "a struct in an array in itself",
    types: [INT, structOf(8, [3, 0]), arrayOf(2, 1)],
    message: /contains itself/,
  },
  {
    name: "a variable of 4 GiB",
    types: [INT, arrayOf(1, 2 ** 30), [0, 14 << 24, 2, 1]],
    message: /variable "" has 4294967296 bytes, expected less than 4 GiB/,
  },
  {
    name: "an array of 4 GiB in a struct",
    types: [INT, arrayOf(1, 2 ** 30), structOf(8, [2, 0])],
    message: /reaches bit 34359738368, but there are 64/,
  },
  {
    name: "arrays of arrays beyond every number in a struct",
    types: [
      INT,
      arrayOf(1, 2 ** 32 - 1),
      arrayOf(2, 2 ** 32 - 1),
      arrayOf(3, 2 ** 32 - 1),
      structOf(8, [4, 0]),
    ],
    message: /reaches bit \d+, but there are 64/,
  },
  {
    name: "a member behind its struct",
    types: [INT, structOf(4, [1, 32])],
    message: /reaches bit 64, but there are 32/,
  },
  {
    name: "a member between bytes",
    types: [INT, structOf(8, [1, 4])],
    message: /at bit 4, expected whole bytes/,
  },
  { name: "a kind that does not exist", types: [[0, 20 << 24, 0]], message: /BTF kind 20, expected 1 to 19/ },
  { name: "kind 0", types: [[0, 0, 0]], message: /BTF kind 0/ },
  {
    name: "an integer of 3 GB",
    types: [[0, 1 << 24, 3_000_000_000, 32]],
    message: /integer "" of 3000000000 bytes/,
  },
  { name: "an enum of 3 bytes", types: [[0, 6 << 24, 3]], message: /enum "" of 3 bytes/ },
  {
    name: "more members than there are bytes",
    types: [[0, (4 << 24) | 0xffff, 4]],
    message: /65535 elements reach/,
  },
  { name: "a type cut short", types: [[0, 3 << 24, 0, 1]], message: /beyond|bytes wanted/ },
  {
    name: "a function without a prototype",
    types: [INT, [0, (12 << 24) | 1, 1]],
    message: /has a int as its prototype/,
  },
  {
    name: "a variable as a member",
    types: [INT, [0, 14 << 24, 1, 0], structOf(4, [2, 0])],
    message: /refers to a variable/,
  },
  {
    name: "a section of types",
    types: [INT, [0, (15 << 24) | 1, 4, 1, 0, 4]],
    message: /lists a int, expected a variable/,
  },
  { name: "a linkage that does not exist", types: [INT, [0, 14 << 24, 1, 7]], message: /linkage 7/ },
  { name: "a name behind the strings", types: [[99, 1 << 24, 4, 32]], message: /no string at 99/ },
])("$name is refused", ({ types, message }) => {
  const error = objectErrorOf(() => readBtf(btfOf(...types), true));
  expect(error).toMatchObject({ code: "bad-btf", section: ".BTF" });
  expect(error.message).toMatch(message);
});

test.for<{ name: string; at: number; value: number; message: RegExp }>([
  { name: "another magic", at: 0, value: 0x1234, message: /magic 0x1234, expected 0xeb9f/ },
  { name: "another version", at: 2, value: 2, message: /version 2, expected 1/ },
  { name: "a short header", at: 4, value: 8, message: /header of 8 bytes/ },
  { name: "types behind the end", at: 8, value: 0xffff, message: /bytes wanted/ },
  { name: "strings behind the end", at: 20, value: 0xffff, message: /bytes wanted/ },
])("a header with $name is refused", ({ at, value, message }) => {
  const bytes = btfOf(INT);
  new DataView(bytes.buffer).setUint16(at, value, true);
  const error = objectErrorOf(() => readBtf(bytes, true));
  expect(error.code).toBe("bad-btf");
  expect(error.message).toMatch(message);
});

test("a chain of types as long as the file neither overflows the stack nor takes long to name", () => {
  const count = 100_000;
  const types = Array.from({ length: count }, (_, index) => (index === 0 ? INT : typedefOf(index)));
  const { btf } = readBtf(btfOf(...types), true);
  expect(resolveType(btf, count).id).toBe(1);
  const pointers = Array.from({ length: count }, (_, index) => (index === 0 ? INT : pointerTo(index)));
  expect(typeName(readBtf(btfOf(...pointers), true).btf, count).length).toBeLessThan(100);
});

test("strings that overlap over and over are refused, not multiplied", () => {
  const count = 20_000;
  const strings = new Uint8Array(count + 2).fill(0x61);
  strings[0] = 0;
  strings[count + 1] = 0;
  const types = Array.from({ length: count }, (_, index) => [index + 1, 1 << 24, 4, 32]);
  const error = objectErrorOf(() => readBtf(btfWithStrings(strings, types), true));
  expect(error.message).toMatch(/strings overlap/);
});

function btfOf(...types: readonly (readonly number[])[]): Uint8Array {
  return btfWithStrings(Uint8Array.of(0), types);
}

function btfWithStrings(strings: Uint8Array, types: readonly (readonly number[])[]): Uint8Array {
  const typeWords = types.flat();
  const typesSize = typeWords.length * 4;
  const bytes = new Uint8Array(24 + typesSize + strings.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0xeb9f, true);
  view.setUint8(2, 1);
  view.setUint32(4, 24, true);
  view.setUint32(12, typesSize, true);
  view.setUint32(16, typesSize, true);
  view.setUint32(20, strings.length, true);
  for (const [index, word] of typeWords.entries()) view.setUint32(24 + 4 * index, word, true);
  bytes.set(strings, 24 + typesSize);
  return bytes;
}

function structNamed(btf: BtfTypes, name: string): BtfStruct {
  const found = btf.types.find((type): type is BtfStruct => type.kind === "struct" && type.name === name);
  if (found === undefined) throw new Error(`no struct ${name}`);
  return found;
}

function named<K extends "enum" | "variable" | "section">(
  btf: BtfTypes,
  kind: K,
  name: string,
): Extract<BtfType, { kind: K }> {
  const found = btf.types.find((type) => type.kind === kind && "name" in type && type.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found as Extract<BtfType, { kind: K }>;
}

type BpftoolType = { readonly id: number; readonly kind: string; readonly [key: string]: unknown };

/** What both sides say; bpftool's own spelling of the rest differs from version to version. */
function comparable(theirs: BpftoolType): object {
  const { id, kind } = theirs;
  const pick = (...keys: string[]): object => Object.fromEntries(keys.map((key) => [key, theirs[key]]));
  const name = theirs.name === "(anon)" ? "" : theirs.name;
  switch (kind) {
    case "INT":
      return { id, kind, name, ...pick("size", "nr_bits") };
    case "ARRAY":
      return { id, kind, ...pick("type_id", "nr_elems") };
    case "STRUCT":
    case "UNION": {
      const members = (theirs.members as Record<string, unknown>[]).map((member) => ({
        name: member.name === "(anon)" ? "" : member.name,
        type_id: member.type_id,
        bits_offset: member.bits_offset,
        bitfield_size: member.bitfield_size ?? 0,
      }));
      return { id, kind, name, size: theirs.size, members };
    }
    case "ENUM":
    case "ENUM64": {
      const values = (theirs.values as { name: string; val: number }[]).map((value) => value.name);
      return { id, kind: "ENUM", name, size: theirs.size, values };
    }
    case "DATASEC": {
      const vars = (theirs.vars as Record<string, unknown>[])
        .map((each) => [each.type_id, each.size])
        .toSorted();
      return { id, kind, name, vars };
    }
    case "FUNC":
    case "VAR":
      return { id, kind, name, ...pick("type_id", "linkage") };
    case "FUNC_PROTO": {
      const params = (theirs.params as Record<string, unknown>[]).map((each) => each.type_id);
      return { id, kind, ret_type_id: theirs.ret_type_id, params };
    }
    case "DECL_TAG":
      return { id, kind, name, ...pick("type_id", "component_idx") };
    case "FLOAT":
      return { id, kind, name, size: theirs.size };
    case "FWD":
      return { id, kind, name, ...pick("fwd_kind") };
    default:
      return { id, kind, name: name ?? "", type_id: theirs.type_id };
  }
}

function asBpftool(id: number, type: BtfType): object {
  switch (type.kind) {
    case "int":
      return { id, kind: "INT", name: type.name, size: type.sizeBytes, nr_bits: type.bits };
    case "array":
      return { id, kind: "ARRAY", type_id: type.element, nr_elems: type.count };
    case "struct":
    case "union": {
      const members = type.members.map((member) => ({
        name: member.name,
        type_id: member.type,
        bits_offset: member.offsetBits,
        bitfield_size: member.bitFieldBits,
      }));
      return { id, kind: type.kind.toUpperCase(), name: type.name, size: type.sizeBytes, members };
    }
    case "enum":
      return {
        id,
        kind: "ENUM",
        name: type.name,
        size: type.sizeBytes,
        values: type.values.map(({ name }) => name),
      };
    case "section": {
      const vars = type.variables.map((variable) => [variable.type, variable.sizeBytes]).toSorted();
      return { id, kind: "DATASEC", name: type.name, vars };
    }
    case "function":
      return { id, kind: "FUNC", name: type.name, type_id: type.prototype, linkage: type.linkage };
    case "variable":
      return { id, kind: "VAR", name: type.name, type_id: type.type, linkage: type.linkage };
    case "prototype": {
      const params = type.parameters.map((parameter) => parameter.type);
      return { id, kind: "FUNC_PROTO", ret_type_id: type.returns, params };
    }
    case "declTag":
      return {
        id,
        kind: "DECL_TAG",
        name: type.name,
        type_id: type.target,
        component_idx: type.componentIndex,
      };
    case "float":
      return { id, kind: "FLOAT", name: type.name, size: type.sizeBytes };
    case "forward":
      return { id, kind: "FWD", name: type.name, fwd_kind: type.isUnion ? "union" : "struct" };
    case "pointer":
      return { id, kind: "PTR", name: "", type_id: type.target };
    case "typeTag":
      return { id, kind: "TYPE_TAG", name: type.name, type_id: type.target };
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
      return { id, kind: type.kind.toUpperCase(), name: type.name, type_id: type.target };
    case "void":
      throw new Error("void has an id of its own");
  }
}
