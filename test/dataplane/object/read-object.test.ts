import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { disassemble, disassembleAll } from "../../../dataplane/isa/disassemble.ts";
import { encode } from "../../../dataplane/isa/encoding.ts";
import { LD_IMM64 } from "../../../dataplane/isa/instruction.ts";
import { readElf } from "../../../dataplane/object/elf.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import type { ObjectSpec, ProgramSpec, Reference } from "../../../dataplane/object/spec.ts";
import { lacks, objdump } from "../../needs.ts";
import {
  headerStart,
  objectBytes,
  objectErrorOf,
  objectPath,
  replaceString,
  sectionStart,
  viewOf,
} from "./test-objects.ts";

const BALANCER = join(import.meta.dirname, "../../../dataplane/xdp/balancer.bpf.o");

test.for(["bpfel", "bpfeb"] as const)("programs of a %s object have their subprograms once", (target) => {
  const spec = readObject(objectBytes("relocations", target));
  expect(spec.isLittleEndian).toBe(target === "bpfel");
  expect(spec.license).toBe("GPL");
  const facts = spec.programs.map(({ name, section, functions }) => [
    name,
    section,
    functions.map((each) => each.name).join(" "),
  ]);
  expect(facts).toEqual([
    ["first", "xdp", "first callback shared leaf"],
    // A static function of a program's own section is no program.
    ["second", "xdp", "second beside"],
    ["third", "tc", "third leaf shared"],
  ]);
  for (const { functions, instructions } of spec.programs) {
    let slot = 0;
    for (const each of functions) {
      expect(each.slot).toBe(slot);
      slot += each.slotCount;
    }
    expect(instructions).toHaveLength(slot);
  }
});

test.for(["bpfel", "bpfeb"] as const)("calls of a %s object lead to the function of their name", (target) => {
  const { programs } = readObject(objectBytes("relocations", target));
  const calls = programs.map((program) => {
    const names = new Map(program.functions.map(({ slot, name }) => [slot, name]));
    return program.instructions.flatMap((instruction, slot) =>
      instruction.opcode === 0x85 && instruction.src === 1
        ? [`${functionAt(program, slot)} -> ${names.get(slot + 1 + instruction.imm)}`]
        : [],
    );
  });
  expect(calls).toEqual([
    ["first -> shared", "shared -> leaf"],
    ["second -> beside"],
    ["third -> leaf", "third -> shared", "shared -> leaf"],
  ]);
});

test.for(["bpfel", "bpfeb"] as const)("what instructions of a %s object refer to has a name", (target) => {
  const { programs } = readObject(objectBytes("relocations", target));
  expect(
    programs.map((program) => program.references.map((reference) => referenceText(program, reference))),
  ).toEqual([
    ["map global_map", "callback", ".data + 0", ".rodata + 0", ".data + 8", ".rodata + 14"],
    ["map static_map", ".rodata + 4", ".bss + 0", ".bss + 0", ".data.named + 0"],
    [".data + 8", ".rodata + 14", ".rodata + 0"],
  ]);
});

test("a reference's instruction says what kind it is and leaves the address to the loader", () => {
  const { programs } = readObject(objectBytes("relocations"));
  const first = programs[0]!;
  const texts = first.references.map(({ slot }) =>
    disassemble(first.instructions[slot]!).replace(/^r\d+ = /, ""),
  );
  const callback = first.references.find(({ kind }) => kind === "function") as Extract<
    Reference,
    { kind: "function" }
  >;
  expect(texts).toEqual([
    "map_by_fd(0)",
    `code_addr(${callback.targetSlot - callback.slot - 1})`,
    "map_val(map_by_fd(0)) + 0",
    "map_val(map_by_fd(0)) + 0",
    "map_val(map_by_fd(0)) + 8",
    "map_val(map_by_fd(0)) + 14",
  ]);
  expect(first.functions.find(({ name }) => name === "callback")?.slot).toBe(callback.targetSlot);
});

test("programs do not share what differs between them", () => {
  const { programs } = readObject(objectBytes("relocations"));
  const before = programs.map(({ instructions }) => disassembleAll(instructions));
  expect(
    readObject(objectBytes("relocations")).programs.map(({ instructions }) => disassembleAll(instructions)),
  ).toEqual(before);
  for (const program of programs) expect(() => encode(program.instructions, true)).not.toThrow();
});

test("source lines follow the functions to their new places", () => {
  const source = readFileSync(join(import.meta.dirname, "objects/relocations.c"), "utf8").split("\n");
  const { programs } = readObject(objectBytes("relocations"));
  for (const { lines, instructions } of programs) {
    expect(lines.map(({ slot }) => slot)).toEqual(lines.map(({ slot }) => slot).toSorted((a, b) => a - b));
    for (const { file, line, text, slot } of lines) {
      expect(file).toMatch(/relocations\.c$/);
      expect(source[line - 1]?.trim()).toBe(text);
      expect(slot).toBeLessThan(instructions.length);
    }
  }
  const third = programs[2]!;
  const leafSlot = third.functions.find(({ name }) => name === "leaf")!.slot;
  expect(third.lines.filter(({ slot }) => slot >= leafSlot)[0]?.text).toContain("static_cell");
});

test("both byte orders give the same programs", () => {
  const [little, big] = (["bpfel", "bpfeb"] as const).map((target) =>
    readObject(objectBytes("relocations", target)),
  );
  expect(big!.programs).toEqual(little!.programs);
});

test.for([
  { name: "a kernel setting", symbol: "CONFIG_HZ", isWeak: false, text: "r1 = 0x0 ll" },
  { name: "a weak kernel setting", symbol: "CONFIG_RARE", isWeak: true, text: "r1 = 0x0 ll" },
  { name: "a kernel variable", symbol: "kernel_variable", isWeak: false, text: "r1 = 0x0 ll" },
  { name: "a kernel function", symbol: "kernel_function", isWeak: false, text: "call kfunc(0, 0)" },
])("$name is an external reference", ({ symbol, isWeak, text }) => {
  const program = readObject(objectBytes("externs")).programs[0]!;
  const found = program.references.find(
    (reference) => reference.kind === "extern" && reference.symbol === symbol,
  );
  expect(found).toMatchObject({ kind: "extern", isWeak });
  expect(disassemble(program.instructions[found!.slot]!).replace(/^r\d/, "r1")).toBe(text);
});

test("an object without BTF has programs, but neither lines nor types", () => {
  const spec = readObject(objectBytes("instructions-without-btf"));
  expect(spec.btf).toBeUndefined();
  expect(spec.license).toBe("");
  expect(spec.programs.map(({ name }) => name)).toEqual([
    "arithmetic",
    "memory",
    "atomics",
    "jumps",
    "indirect",
  ]);
  expect(spec.programs.flatMap(({ lines }) => lines)).toEqual([]);
  expect(spec.maps).toMatchObject([{ name: ".bss", valueSizeBytes: 12 }]);
  expect(spec.maps[0]).not.toHaveProperty("valueTypeId");
});

test("the spec does not alias the file, be it a Uint8Array or a Buffer in a pool", () => {
  const pool = Buffer.alloc(200_000, 0xa5);
  const bytes = objectBytes("relocations");
  pool.set(bytes, 1237);
  const file = pool.subarray(1237, 1237 + bytes.length);
  const spec = readObject(file);
  const before = JSON.stringify(plain(spec));
  expect(Buffer.from(file).equals(Buffer.from(bytes))).toBe(true);
  pool.fill(0);
  expect(JSON.stringify(plain(spec))).toBe(before);
  expect(before).toBe(JSON.stringify(plain(readObject(bytes))));
});

// ------------------------------------------------------------------------------------------ refused

test.for<{ object: Parameters<typeof objectBytes>[0]; code: string; message: RegExp }>([
  { object: "core", code: "unsupported", message: /1 CO-RE relocations for section "xdp", expected none/ },
  { object: "legacy-maps", code: "unsupported", message: /section "maps": legacy map definitions/ },
  {
    object: "legacy-packet-access",
    code: "bad-instruction",
    message: /symbol "program" .* legacy packet access/,
  },
  { object: "maps-without-btf", code: "bad-map", message: /no BTF that describes them/ },
])("$object is refused", ({ object, code, message }) => {
  const error = objectErrorOf(() => readObject(objectBytes(object)));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

const REL_SIZE_BYTES = 16;

test.for<{
  name: string;
  damage: (bytes: Uint8Array, view: DataView) => void;
  code: string;
  message: RegExp;
}>([
  {
    name: "an unknown kind of relocation",
    damage: (bytes, view) => view.setUint32(sectionStart(bytes, ".relxdp") + 8, 77, true),
    code: "bad-relocation",
    message: /section "xdp" symbol "global_map" offset \d+: type 77: expected R_BPF_64_64/,
  },
  {
    name: "a relocation between instructions",
    damage: (bytes, view) => view.setBigUint64(sectionStart(bytes, ".relxdp"), 3n, true),
    code: "bad-relocation",
    message: /offset 3: R_BPF_64_64: applies to no instruction that takes one/,
  },
  {
    name: "a relocation of an instruction that takes none",
    damage: (bytes, view) => view.setBigUint64(sectionStart(bytes, ".relxdp"), 0n, true),
    code: "bad-relocation",
    message: /applies to no instruction that takes one/,
  },
  {
    name: "two relocations of one instruction",
    damage: (bytes, view) => {
      const start = sectionStart(bytes, ".relxdp");
      view.setBigUint64(start, view.getBigUint64(start + REL_SIZE_BYTES, true), true);
    },
    code: "bad-relocation",
    message: /second relocation of one instruction/,
  },
  {
    name: "a map reference into the middle of a map",
    damage: (bytes, view) => view.setUint32(relocatedAt(bytes, "xdp", "global_map") + 4, 8, true),
    code: "bad-relocation",
    message: /refers to offset 8 of "\.maps", expected the start of a map/,
  },
  {
    name: "a global behind its section",
    damage: (bytes, view) => view.setUint32(relocatedAt(bytes, "xdp", "global_cell") + 4, 4096, true),
    code: "bad-relocation",
    message: /offset 4096 of "\.data", expected 0 to 12/,
  },
  {
    name: "a call into the middle of a function",
    damage: (bytes, view) => view.setInt32(relocatedAt(bytes, "xdp", "shared") + 4, 1, true),
    code: "bad-relocation",
    message:
      /section "xdp" symbol "first" offset \d+: refers to code at offset \d+ .* where no function begins/,
  },
  {
    name: "a call whose relocation is of another kind",
    damage: (bytes, view) => view.setUint32(relocationFor(bytes, "xdp", "shared") + 8, 1, true),
    code: "bad-relocation",
    message: /expected R_BPF_64_32 at a call/,
  },
  {
    name: "an instruction that does not exist",
    damage: (bytes) => bytes.fill(0xff, sectionStart(bytes, "xdp") + 16, sectionStart(bytes, "xdp") + 17),
    code: "bad-instruction",
    message: /section "xdp" symbol "first" offset 16: .*opcode 0xff does not exist/,
  },
  {
    name: "a function that is no whole number of instructions",
    damage: (bytes, view) => view.setBigUint64(symbolStart(bytes, "first") + 16, 20n, true),
    code: "bad-elf",
    message: /symbol "first" offset 0: function of 20 bytes/,
  },
  {
    name: "functions that overlap",
    damage: (bytes, view) => view.setBigUint64(symbolStart(bytes, "second") + 8, 8n, true),
    code: "bad-elf",
    message: /overlaps the function before it/,
  },
  {
    name: "two programs of one name",
    damage: (bytes, view) => {
      view.setUint32(symbolStart(bytes, "third"), view.getUint32(symbolStart(bytes, "first"), true), true);
    },
    code: "bad-elf",
    message: /symbol "first": second program of this name/,
  },
  {
    name: "a gigabyte of zeros",
    damage: (bytes, view) => view.setBigUint64(headerStart(bytes, ".bss") + 32, 1n << 30n, true),
    code: "unsupported",
    message: /section "\.bss": 1073741824 bytes of zeros, expected at most/,
  },
  {
    name: "line info for instructions that are not there",
    damage: (bytes, view) => {
      const start = sectionStart(bytes, ".BTF.ext");
      const lineInfo = start + 24 + 8 + view.getUint32(start + 16, true);
      view.setUint32(lineInfo + 4 + 8, 0, true);
      view.setUint32(lineInfo + 4 + 8, 0x100000, true);
    },
    code: "bad-btf",
    message: /\.BTF\.ext/,
  },
])("$name is refused", ({ damage, code, message }) => {
  const bytes = objectBytes("relocations");
  damage(bytes, viewOf(bytes));
  const error = objectErrorOf(() => readObject(bytes));
  expect(error.message).toMatch(message);
  expect(error.code).toBe(code);
});

test("an entry of a program array that is no program is refused", () => {
  const bytes = objectBytes("maps");
  // A static function is none.
  bytes[symbolStart(bytes, "target") + 4]! &= 0x0f;
  const error = objectErrorOf(() => readObject(bytes));
  expect(error).toMatchObject({ code: "bad-map", symbol: "programs" });
});

test("an object whose license has no end is read to its end", () => {
  const bytes = objectBytes("relocations");
  bytes.fill(0x41, sectionStart(bytes, "license"), sectionStart(bytes, "license") + 4);
  expect(readObject(bytes).license).toBe("AAAA");
  // The symbol "_license" shares its text with the section's name.
  replaceString(bytes, ".strtab", "_license", "_licence");
  expect(readObject(bytes).license).toBe("");
});

// ------------------------------------------------------------------------------------------ against LLVM

test.skipIf(lacks("the assembler against LLVM's text", objdump)).for([
  { name: "instructions", file: objectPath("instructions") },
  { name: "instructions, big-endian", file: objectPath("instructions", "bpfeb") },
  { name: "relocations", file: objectPath("relocations") },
  { name: "maps", file: objectPath("maps") },
  { name: "the balancer", file: BALANCER },
])("llvm-objdump's text of $name assembles to the bytes of the object", ({ file }) => {
  const elf = readElf(new Uint8Array(readFileSync(file)));
  const dump = spawnSync("llvm-objdump-19", ["-d", "--mcpu=v4", "--no-show-raw-insn", file], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const texts = new Map<string, string>();
  for (const part of dump.stdout.split(/^Disassembly of section /m).slice(1)) {
    const lines = part.split("\n").filter((line) => /^\s+\d+:\t/.test(line));
    texts.set(
      part.slice(0, part.indexOf(":")),
      lines.map((line) => line.replace(/^\s+\d+:\t/, "")).join("\n"),
    );
  }
  expect(texts.size).toBeGreaterThan(0);
  for (const [section, text] of texts) {
    const bytes = elf.sections.find(({ name }) => name === section)!.bytes;
    // Only these differ: LLVM does not say in the text whether a call is a local one.
    const ours = encode(assemble(text), elf.isLittleEndian).map((byte, index) =>
      index % 8 === 1 && bytes[index - 1] === 0x85 ? bytes[index]! : byte,
    );
    expect(Buffer.from(ours).toString("hex"), section).toBe(Buffer.from(bytes).toString("hex"));
  }
});

// ------------------------------------------------------------------------------------------ helpers

function functionAt(program: ProgramSpec, slot: number): string | undefined {
  return program.functions.findLast((each) => each.slot <= slot)?.name;
}

function referenceText(program: ProgramSpec, reference: Reference): string | undefined {
  expect(program.instructions[reference.slot]?.opcode).toBe(LD_IMM64);
  switch (reference.kind) {
    case "map":
      return `map ${reference.map}`;
    case "mapValue":
      return `${reference.map} + ${reference.offsetBytes}`;
    case "function":
      return program.functions.find(({ slot }) => slot === reference.targetSlot)?.name;
    case "extern":
      return `extern ${reference.symbol}`;
  }
}

/** Where the relocation entry against a symbol begins in the file. */
function relocationFor(bytes: Uint8Array, section: string, symbol: string): number {
  const index = relocationsOf(bytes, section).findIndex((relocation) => relocation.symbol.name === symbol);
  return sectionStart(bytes, `.rel${section}`) + REL_SIZE_BYTES * index;
}

/** Where the instruction that is relocated against a symbol begins in the file. */
function relocatedAt(bytes: Uint8Array, section: string, symbol: string): number {
  const found = relocationsOf(bytes, section).find((relocation) => relocation.symbol.name === symbol);
  return sectionStart(bytes, section) + found!.offset;
}

function relocationsOf(
  bytes: Uint8Array,
  section: string,
): ReturnType<typeof readElf>["sections"][number]["relocations"] {
  return readElf(bytes).sections.find(({ name }) => name === section)!.relocations;
}

function symbolStart(bytes: Uint8Array, name: string): number {
  const index = readElf(bytes).symbols.findIndex((symbol) => symbol.name === name);
  return sectionStart(bytes, ".symtab") + 24 * index;
}

function plain(spec: ObjectSpec): unknown {
  return JSON.parse(
    JSON.stringify(spec, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value)),
  );
}
