/**
 * ELF64 relocatable objects for BPF, in both byte orders (System V ABI, chapters 4 and 5 of the generic edition; "ELF-64 Object File Format" 1.5).
 * Only what a loader needs: sections, symbols, and relocations of the REL kind, which is the only one clang makes for BPF.
 *
 * Sections may not overlap. No compiler makes such a file, and it is what keeps the work for a hostile one in proportion to its size.
 */
import { ObjectError } from "./object-error.ts";
import { SectionReader } from "./section-reader.ts";
import { StringTable } from "./string-table.ts";

export interface ElfFile {
  readonly isLittleEndian: boolean;
  /** By section index; 0 is the empty section. */
  readonly sections: readonly ElfSection[];
  /** By symbol index; 0 is the empty symbol. */
  readonly symbols: readonly ElfSymbol[];
}

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  /** A view into the file; empty for sections that have no bytes there (SHT_NOBITS). */
  readonly bytes: Uint8Array;
  /** Size in memory, also of SHT_NOBITS. */
  readonly sizeBytes: number;
  /** Of the section it applies to, ascending by offset. */
  readonly relocations: readonly ElfRelocation[];
}

export interface ElfSymbol {
  readonly name: string;
  readonly kind: "none" | "object" | "function" | "section" | "file" | "other";
  readonly binding: "local" | "global" | "weak" | "other";
  /** Index of the section that defines it; undefined: defined elsewhere, or not in a section. */
  readonly section: number | undefined;
  readonly isUndefined: boolean;
  /** Offset in the section. */
  readonly value: number;
  readonly sizeBytes: number;
}

export interface ElfRelocation {
  /** In the section it applies to. */
  readonly offset: number;
  /** R_BPF_*, see relocations.ts. */
  readonly type: number;
  readonly symbol: ElfSymbol;
}

export const SHT_PROGBITS = 1;
export const SHT_NOBITS = 8;
export const SHF_EXECINSTR = 4;

const SHT_SYMTAB = 2;
const SHT_STRTAB = 3;
const SHT_RELA = 4;
const SHT_REL = 9;
const ET_REL = 1;
const EM_BPF = 247;
const SHN_UNDEF = 0;
const SHN_LORESERVE = 0xff00;
const SHN_XINDEX = 0xffff;

const ELF_HEADER_SIZE_BYTES = 64;
const SECTION_HEADER_SIZE_BYTES = 64;
const SYMBOL_SIZE_BYTES = 24;
const REL_SIZE_BYTES = 16;
const SECTION_TABLE_OFFSET = "offset of the section header table";

const SYMBOL_KINDS = ["none", "object", "function", "section", "file"] as const;
const SYMBOL_BINDINGS = ["local", "global", "weak"] as const;

interface SectionHeader {
  readonly index: number;
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: number;
  readonly fileOffset: number;
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  readonly bytes: Uint8Array;
}

/** Throws ObjectError with code "bad-elf", or "unsupported" for an ELF file that is no BPF object. */
export function readElf(file: Uint8Array): ElfFile {
  const isLittleEndian = checkIdentification(file);
  const reader = new SectionReader(file, { section: undefined, isLittleEndian, code: "bad-elf" });
  const type = reader.u16(16);
  if (type !== ET_REL) throw unsupported(16, `ELF type ${type}, expected ${ET_REL} (relocatable)`);
  const machine = reader.u16(18);
  if (machine !== EM_BPF) throw unsupported(18, `ELF machine ${machine}, expected ${EM_BPF} (BPF)`);

  const headers = readSectionHeaders(reader);
  checkOverlap(reader, headers);
  const names = readSectionNames(reader, headers, isLittleEndian);
  const symbols = readSymbols(headers, names, isLittleEndian);
  const relocations = readRelocations(headers, names, symbols, isLittleEndian);
  const sections = headers.map(({ index, type, flags, bytes, sizeBytes }) => ({
    index,
    name: names[index]!,
    type,
    flags,
    bytes,
    sizeBytes,
    relocations: relocations.get(index) ?? [],
  }));
  return { isLittleEndian, sections, symbols };
}

/** The first four lines of the header say what it is. */
function checkIdentification(file: Uint8Array): boolean {
  if (file.length < ELF_HEADER_SIZE_BYTES) {
    throw new ObjectError(
      "bad-elf",
      {},
      `${file.length} bytes, expected an ELF header of ${ELF_HEADER_SIZE_BYTES}`,
    );
  }
  const magic = [...file.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
  if (magic !== "7f 45 4c 46") {
    throw new ObjectError("bad-elf", { offset: 0 }, `not an ELF file: magic ${magic}, expected 7f 45 4c 46`);
  }
  const [fileClass, order, version] = [file[4]!, file[5]!, file[6]!];
  if (fileClass !== 2) throw unsupported(4, `ELF class ${fileClass}, expected 2 (64-bit)`);
  if (order !== 1 && order !== 2) {
    throw new ObjectError("bad-elf", { offset: 5 }, `byte order ${order}, expected 1 (little) or 2 (big)`);
  }
  if (version !== 1) throw new ObjectError("bad-elf", { offset: 6 }, `ELF version ${version}, expected 1`);
  return order === 1;
}

function readSectionHeaders(reader: SectionReader): SectionHeader[] {
  const tableOffset = reader.size(40, SECTION_TABLE_OFFSET);
  const entrySize = reader.u16(58);
  if (tableOffset === 0) throw reader.error(40, "no section header table");
  if (entrySize !== SECTION_HEADER_SIZE_BYTES) {
    throw reader.error(58, `section headers of ${entrySize} bytes, expected ${SECTION_HEADER_SIZE_BYTES}`);
  }
  // With 0xff00 sections and more the count is in the size of section 0.
  const count = reader.u16(60) || reader.size(tableOffset + 32, "number of sections");
  if (count > reader.sizeBytes / SECTION_HEADER_SIZE_BYTES) {
    throw reader.error(60, `${count} sections do not fit a file of ${reader.sizeBytes} bytes`);
  }
  reader.slice(tableOffset, count * SECTION_HEADER_SIZE_BYTES);
  return Array.from({ length: count }, (_, index) => {
    const at = tableOffset + index * SECTION_HEADER_SIZE_BYTES;
    const type = reader.u32(at + 4);
    const fileOffset = reader.size(at + 24, `file offset of section ${index}`);
    const sizeBytes = reader.size(at + 32, `size of section ${index}`);
    const hasBytes = index !== 0 && type !== 0 && type !== SHT_NOBITS && sizeBytes > 0;
    if (hasBytes && fileOffset + sizeBytes > reader.sizeBytes) {
      const reach = `bytes ${fileOffset} to ${fileOffset + sizeBytes}`;
      throw reader.error(at + 24, `section ${index} takes ${reach}, but the file has ${reader.sizeBytes}`);
    }
    return {
      index,
      nameOffset: reader.u32(at),
      type,
      flags: Number(reader.u64(at + 8) & 0xffff_ffffn),
      fileOffset,
      sizeBytes: index === 0 ? 0 : sizeBytes,
      link: reader.u32(at + 40),
      info: reader.u32(at + 44),
      bytes: hasBytes ? reader.slice(fileOffset, sizeBytes) : new Uint8Array(0),
    };
  });
}

function checkOverlap(reader: SectionReader, headers: readonly SectionHeader[]): void {
  const tableOffset = reader.size(40, SECTION_TABLE_OFFSET);
  const ranges = headers
    .filter(({ bytes }) => bytes.length > 0)
    .map(({ index, fileOffset, bytes }) => ({
      what: `section ${index}`,
      start: fileOffset,
      end: fileOffset + bytes.length,
    }));
  ranges.push({ what: "the ELF header", start: 0, end: ELF_HEADER_SIZE_BYTES });
  ranges.push({
    what: "the section header table",
    start: tableOffset,
    end: tableOffset + headers.length * SECTION_HEADER_SIZE_BYTES,
  });
  ranges.sort((a, b) => a.start - b.start);
  for (const [position, range] of ranges.entries()) {
    const next = ranges[position + 1];
    if (next !== undefined && next.start < range.end) {
      throw reader.error(next.start, `${next.what} overlaps ${range.what}, which ends at ${range.end}`);
    }
  }
}

function readSectionNames(
  reader: SectionReader,
  headers: readonly SectionHeader[],
  isLittleEndian: boolean,
): string[] {
  const written = reader.u16(62);
  const index = written === SHN_XINDEX ? headers[0]?.link : written;
  const table = headers[index ?? 0];
  if (table === undefined || table.type !== SHT_STRTAB) {
    throw reader.error(62, `section names are in section ${index}, which is no string table`);
  }
  const facts = { section: ".strtab", isLittleEndian, code: "bad-elf" } as const;
  const strings = new StringTable(new SectionReader(table.bytes, facts), 0, table.bytes.length);
  return headers.map((header) => (header.index === 0 ? "" : strings.get(header.nameOffset)));
}

function readSymbols(
  headers: readonly SectionHeader[],
  names: readonly string[],
  isLittleEndian: boolean,
): ElfSymbol[] {
  const tables = headers.filter(({ type }) => type === SHT_SYMTAB);
  const table = tables[0];
  if (table === undefined) throw new ObjectError("bad-elf", {}, "no symbol table");
  const section = names[table.index]!;
  if (tables.length > 1)
    throw new ObjectError("bad-elf", { section }, `${tables.length} symbol tables, expected one`);
  const reader = new SectionReader(table.bytes, { section, isLittleEndian, code: "bad-elf" });
  const stringTable = headers[table.link];
  if (stringTable === undefined || stringTable.type !== SHT_STRTAB) {
    throw reader.error(undefined, `its strings are in section ${table.link}, which is no string table`);
  }
  if (table.sizeBytes % SYMBOL_SIZE_BYTES !== 0) {
    throw reader.error(undefined, `size ${table.sizeBytes}, expected a multiple of ${SYMBOL_SIZE_BYTES}`);
  }
  const stringFacts = { section: names[stringTable.index], isLittleEndian, code: "bad-elf" } as const;
  const strings = new StringTable(
    new SectionReader(stringTable.bytes, stringFacts),
    0,
    stringTable.bytes.length,
  );

  return Array.from({ length: table.sizeBytes / SYMBOL_SIZE_BYTES }, (_, index) => {
    const at = index * SYMBOL_SIZE_BYTES;
    const name = strings.get(reader.u32(at));
    const info = reader.u8(at + 4);
    const sectionIndex = reader.u16(at + 6);
    if (sectionIndex === SHN_XINDEX) throw reader.error(at + 6, "extended section indices are not supported");
    const isDefined = sectionIndex !== SHN_UNDEF && sectionIndex < SHN_LORESERVE;
    const home = isDefined ? headers[sectionIndex] : undefined;
    if (isDefined && home === undefined) {
      throw reader.error(
        at + 6,
        `symbol ${index} is in section ${sectionIndex}, expected at most ${headers.length - 1}`,
      );
    }
    const value = reader.size(at + 8, `value of symbol ${index}`);
    const sizeBytes = reader.size(at + 16, `size of symbol ${index}`);
    if (home !== undefined && value + sizeBytes > home.sizeBytes) {
      const reach = `offset ${value} and size ${sizeBytes} reach beyond its ${home.sizeBytes} bytes`;
      throw new ObjectError("bad-elf", { section: names[home.index], symbol: name }, reach);
    }
    return {
      name,
      kind: SYMBOL_KINDS[info & 0xf] ?? "other",
      binding: SYMBOL_BINDINGS[info >> 4] ?? "other",
      section: home?.index,
      isUndefined: sectionIndex === SHN_UNDEF,
      value,
      sizeBytes,
    };
  });
}

/** By the index of the section they apply to. Relocations of debug information are left out: nothing here reads that. */
function readRelocations(
  headers: readonly SectionHeader[],
  names: readonly string[],
  symbols: readonly ElfSymbol[],
  isLittleEndian: boolean,
): Map<number, ElfRelocation[]> {
  const bySection = new Map<number, ElfRelocation[]>();
  for (const header of headers) {
    if (header.type !== SHT_REL && header.type !== SHT_RELA) continue;
    const section = names[header.index]!;
    const target = headers[header.info];
    if (header.info === 0 || target === undefined) {
      throw new ObjectError(
        "bad-elf",
        { section },
        `applies to section ${header.info}, expected 1 to ${headers.length - 1}`,
      );
    }
    const targetName = names[target.index]!;
    if (targetName.startsWith(".debug") || targetName === ".eh_frame" || targetName.startsWith(".llvm"))
      continue;
    const reader = new SectionReader(header.bytes, { section, isLittleEndian, code: "bad-elf" });
    if (header.type === SHT_RELA) {
      throw new ObjectError("unsupported", { section }, "relocations with addends (RELA), expected REL");
    }
    if (header.sizeBytes % REL_SIZE_BYTES !== 0) {
      throw reader.error(undefined, `size ${header.sizeBytes}, expected a multiple of ${REL_SIZE_BYTES}`);
    }
    if (bySection.has(target.index))
      throw reader.error(undefined, `second relocation section of "${targetName}"`);
    const relocations = Array.from({ length: header.sizeBytes / REL_SIZE_BYTES }, (_, index) => {
      const at = index * REL_SIZE_BYTES;
      const offset = reader.size(at, `offset of relocation ${index}`);
      const info = reader.u64(at + 8);
      const symbol = symbols[Number(info >> 32n)];
      if (symbol === undefined) {
        throw reader.error(at + 8, `symbol ${info >> 32n}, expected at most ${symbols.length - 1}`);
      }
      if (offset >= target.sizeBytes) {
        throw reader.error(
          at,
          `applies to offset ${offset}, but "${targetName}" has ${target.sizeBytes} bytes`,
        );
      }
      return { offset, type: Number(info & 0xffff_ffffn), symbol };
    });
    bySection.set(
      target.index,
      relocations.sort((a, b) => a.offset - b.offset),
    );
  }
  return bySection;
}

function unsupported(offset: number, why: string): ObjectError {
  return new ObjectError("unsupported", { offset }, why);
}
