import { expect, test } from "vitest";
import { readElf } from "../../../dataplane/object/elf.ts";
import { headerStart, objectBytes, objectErrorOf, sectionStart, viewOf } from "./test-objects.ts";

test.for(["bpfel", "bpfeb"] as const)(
  "sections, symbols and relocations of a %s object are read",
  (target) => {
    const elf = readElf(objectBytes("relocations", target));
    expect(elf.isLittleEndian).toBe(target === "bpfel");

    const sections = new Map(elf.sections.map((section) => [section.name, section]));
    expect([...sections.keys()]).toEqual(
      expect.arrayContaining([".text", "xdp", "tc", ".maps", ".rodata", ".bss"]),
    );
    expect(sections.get(".bss")).toMatchObject({ sizeBytes: 64, bytes: new Uint8Array(0) });
    expect(new TextDecoder().decode(sections.get("license")?.bytes)).toBe("GPL\0");

    const symbols = new Map(elf.symbols.map((symbol) => [symbol.name, symbol]));
    expect(symbols.get("first")).toMatchObject({
      kind: "function",
      binding: "global",
      value: 0,
      isUndefined: false,
    });
    expect(symbols.get("leaf")).toMatchObject({ kind: "function", binding: "local" });
    expect(symbols.get("global_map")).toMatchObject({
      kind: "object",
      section: sections.get(".maps")?.index,
    });

    const relocations = sections.get("xdp")?.relocations ?? [];
    expect(relocations.map(({ type, symbol }) => `${type} ${symbol.name}`)).toContain("10 shared");
    expect(relocations.map(({ offset }) => offset)).toEqual(
      relocations.map(({ offset }) => offset).toSorted((a, b) => a - b),
    );
  },
);

test("an undefined symbol has no section", () => {
  const { symbols } = readElf(objectBytes("externs"));
  const rare = symbols.find(({ name }) => name === "CONFIG_RARE");
  expect(rare).toMatchObject({ isUndefined: true, section: undefined, binding: "weak" });
});

type Damage = (bytes: Uint8Array, view: DataView) => void;
test.for<{ name: string; damage: Damage; code: string; message: RegExp; offset?: number }>([
  {
    name: "no ELF magic",
    damage: (bytes) => bytes.set([0x23, 0x21]),
    code: "bad-elf",
    message: /magic 23 21 4c 46, expected 7f 45 4c 46/,
    offset: 0,
  },
  {
    name: "32 bits",
    damage: (bytes) => bytes.fill(1, 4, 5),
    code: "unsupported",
    message: /ELF class 1/,
    offset: 4,
  },
  {
    name: "no byte order",
    damage: (bytes) => bytes.fill(3, 5, 6),
    code: "bad-elf",
    message: /byte order 3/,
    offset: 5,
  },
  {
    name: "another ELF version",
    damage: (bytes) => bytes.fill(2, 6, 7),
    code: "bad-elf",
    message: /version 2/,
    offset: 6,
  },
  {
    name: "an executable",
    damage: (_, view) => view.setUint16(16, 2, true),
    code: "unsupported",
    message: /ELF type 2, expected 1/,
    offset: 16,
  },
  {
    name: "another machine",
    damage: (_, view) => view.setUint16(18, 62, true),
    code: "unsupported",
    message: /ELF machine 62, expected 247 \(BPF\)/,
    offset: 18,
  },
  {
    name: "a section table behind the end",
    damage: (_, view) => view.setBigUint64(40, 1n << 40n, true),
    code: "bad-elf",
    message: /bytes wanted/,
  },
  {
    name: "a section table beyond what a number holds",
    damage: (_, view) => view.setBigUint64(40, 1n << 60n, true),
    code: "bad-elf",
    message: /offset of the section header table 1152921504606846976, expected at most 9007199254740991$/,
    offset: 40,
  },
  {
    name: "a section with an offset beyond what a number holds",
    damage: (bytes, view) => view.setBigUint64(headerStart(bytes, ".symtab") + 24, 1n << 60n, true),
    code: "bad-elf",
    message: /file offset of section \d+ 1152921504606846976, expected at most 9007199254740991$/,
  },
  {
    name: "a symbol with a value beyond what a number holds",
    damage: (bytes, view) => view.setBigUint64(sectionStart(bytes, ".symtab") + 24 + 8, 1n << 60n, true),
    code: "bad-elf",
    message: /value of symbol 1 1152921504606846976, expected at most 9007199254740991$/,
  },
  {
    name: "more sections than the file has room for",
    damage: (_, view) => view.setUint16(60, 0xfeff, true),
    code: "bad-elf",
    message: /65279 sections do not fit/,
  },
  {
    name: "section headers of another size",
    damage: (_, view) => view.setUint16(58, 40, true),
    code: "bad-elf",
    message: /section headers of 40 bytes, expected 64/,
  },
  {
    name: "a section that ends behind the file",
    damage: (bytes, view) => view.setBigUint64(headerStart(bytes, "xdp") + 32, 1_000_000n, true),
    code: "bad-elf",
    message: /but the file has/,
  },
  {
    name: "sections that overlap",
    damage: (bytes, view) =>
      view.setBigUint64(headerStart(bytes, "xdp") + 24, BigInt(sectionStart(bytes, ".maps")), true),
    code: "bad-elf",
    message: /section \d+ overlaps section \d+/,
  },
  {
    name: "a section in the ELF header",
    damage: (bytes, view) => view.setBigUint64(headerStart(bytes, "license") + 24, 8n, true),
    code: "bad-elf",
    message: /overlaps the ELF header/,
  },
  {
    name: "section names that are none",
    damage: (_, view) => view.setUint16(62, 0, true),
    code: "bad-elf",
    message: /no string table/,
  },
  {
    name: "a section's name behind the names",
    damage: (bytes, view) => view.setUint32(headerStart(bytes, "xdp"), 0xffffff, true),
    code: "bad-elf",
    message: /no string at 16777215/,
  },
  {
    name: "a symbol in a section that is not there",
    damage: (bytes, view) => view.setUint16(sectionStart(bytes, ".symtab") + 24 + 6, 0xfe00, true),
    code: "bad-elf",
    message: /in section 65024/,
  },
  {
    name: "a symbol table that is no multiple of its entries",
    damage: (bytes, view) => view.setBigUint64(headerStart(bytes, ".symtab") + 32, 25n, true),
    code: "bad-elf",
    message: /size 25, expected a multiple of 24/,
  },
  {
    name: "a relocation against a symbol that is not there",
    damage: (bytes, view) => view.setUint32(sectionStart(bytes, ".relxdp") + 12, 9999, true),
    code: "bad-elf",
    message: /symbol 9999, expected at most/,
  },
  {
    name: "a relocation behind its section",
    damage: (bytes, view) => view.setBigUint64(sectionStart(bytes, ".relxdp"), 99999n, true),
    code: "bad-elf",
    message: /applies to offset 99999/,
  },
  {
    name: "relocations with addends",
    damage: (bytes, view) => view.setUint32(headerStart(bytes, ".relxdp") + 4, 4, true),
    code: "unsupported",
    message: /RELA/,
  },
])("$name is refused", ({ damage, code, message, offset }) => {
  const bytes = objectBytes("relocations");
  damage(bytes, viewOf(bytes));
  const error = objectErrorOf(() => readElf(bytes));
  expect(error).toMatchObject(offset === undefined ? { code } : { code, offset });
  expect(error.message).toMatch(message);
});

test("every prefix of an object is refused", () => {
  const whole = objectBytes("core");
  for (let length = 0; length < whole.length; length++) {
    expect(objectErrorOf(() => readElf(whole.subarray(0, length))).code).toBe("bad-elf");
  }
});
