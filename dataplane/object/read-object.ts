/**
 * An object file, as clang makes it for BPF, becomes a spec. Reading goes from the outside in: ELF (elf.ts), types (btf.ts), maps
 * (read-maps.ts), code (read-functions.ts), programs (link-program.ts).
 *
 * An object is input from strangers. Whatever its bytes, the result is a spec or an ObjectError, in time and memory that the
 * file's size bounds.
 *
 * Not done, as in libbpf: pointers in the initializers of global variables (R_BPF_64_ABS64 in .data) are left as the file has
 * them. Refused: CO-RE relocations, legacy map definitions, executables and archives.
 */
import { type BtfType, type ReadBtf, readBtf, typeOf } from "./btf.ts";
import { type BtfExt, readBtfExt } from "./btf-ext.ts";
import { type ElfFile, readElf } from "./elf.ts";
import { linkProgram } from "./link-program.ts";
import { ObjectError } from "./object-error.ts";
import { readFunctions } from "./read-functions.ts";
import { MAPS_SECTION, readMaps } from "./read-maps.ts";
import { relocateWords } from "./relocations.ts";
import type { MapSpec, ObjectSpec, ProgramSpec } from "./spec.ts";

/** Many programs may share their subprograms, each with a copy of its own; this bounds the product, far above real objects. */
const SLOTS_MAX_PER_FILE_BYTE = 8;

/** Reads an object file. The spec does not alias `file`. Throws ObjectError. */
export function readObject(file: Uint8Array): ObjectSpec {
  // A Buffer's slice() aliases, a Uint8Array's copies.
  const elf = readElf(new Uint8Array(file.buffer, file.byteOffset, file.byteLength));
  const read = readTypes(elf);
  const maps = readMaps(elf, read);
  const functions = readFunctions(elf, maps, read === undefined ? undefined : readExt(elf, read));

  const programs: ProgramSpec[] = [];
  let slots = 0;
  for (const candidate of functions.values()) {
    if (!candidate.isProgram) continue;
    const program = linkProgram(candidate, functions);
    slots += program.instructions.length;
    if (slots > SLOTS_MAX_PER_FILE_BYTE * file.length) {
      const why = `${slots} instructions in all programs so far, expected at most ${SLOTS_MAX_PER_FILE_BYTE} for each byte of the file`;
      throw new ObjectError("unsupported", { section: program.section, symbol: program.name }, why);
    }
    programs.push(program);
  }
  checkNames(
    programs.map((program) => program.name),
    "program",
  );
  checkNames(
    maps.map((map) => map.spec.name),
    "map",
  );
  checkProgramArrays(
    maps.map(({ spec }) => spec),
    programs,
  );
  return {
    image: Uint8Array.from(file),
    isLittleEndian: elf.isLittleEndian,
    license: readLicense(elf),
    programs,
    maps: maps.map((map) => map.spec),
    btf: read?.btf,
  };
}

function readTypes(elf: ElfFile): ReadBtf | undefined {
  const section = elf.sections.find(({ name, bytes }) => name === ".BTF" && bytes.length > 0);
  if (section === undefined) return undefined;
  const read = readBtf(relocateWords(section, elf.isLittleEndian, "bad-btf"), elf.isLittleEndian);
  return { ...read, btf: withSections(elf, read) };
}

function readExt(elf: ElfFile, { strings }: ReadBtf): BtfExt | undefined {
  const section = elf.sections.find(({ name, bytes }) => name === ".BTF.ext" && bytes.length > 0);
  if (section === undefined) return undefined;
  return readBtfExt(relocateWords(section, elf.isLittleEndian, "bad-btf"), elf.isLittleEndian, strings);
}

/** Clang leaves the size of a DATASEC 0 and its variables in any order; the ELF section knows better. */
function withSections(elf: ElfFile, { btf, offsets }: ReadBtf): ReadBtf["btf"] {
  const sizes = new Map(elf.sections.map((section) => [section.name, section.sizeBytes]));
  const sizesBytes = [...btf.sizesBytes];
  const types = btf.types.map((type, id): BtfType => {
    const sizeBytes = type.kind === "section" ? sizes.get(type.name) : undefined;
    if (type.kind !== "section" || sizeBytes === undefined) return type;
    for (const variable of type.variables) {
      if (variable.offsetBytes + variable.sizeBytes <= sizeBytes) continue;
      const what = typeOf(btf, variable.type);
      const symbol = what.kind === "variable" ? what.name : undefined;
      const why = `${variable.sizeBytes} bytes at ${variable.offsetBytes} reach beyond the ${sizeBytes} bytes of section "${type.name}"`;
      throw new ObjectError("bad-btf", { section: ".BTF", symbol, offset: offsets[id] }, why);
    }
    sizesBytes[id] = sizeBytes;
    return {
      ...type,
      sizeBytes,
      variables: type.variables.toSorted((a, b) => a.offsetBytes - b.offsetBytes),
    };
  });
  return { types, sizesBytes };
}

function readLicense(elf: ElfFile): string {
  const section = elf.sections.find(({ name }) => name === "license");
  if (section === undefined) return "";
  const end = section.bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? section.bytes : section.bytes.subarray(0, end));
}

function checkNames(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new ObjectError("bad-elf", { symbol: name }, `second ${what} of this name`);
    seen.add(name);
  }
}

/** Initial entries of maps of programs name programs, not just functions. */
function checkProgramArrays(maps: readonly MapSpec[], programs: readonly ProgramSpec[]): void {
  const names = new Set(programs.map(({ name }) => name));
  for (const map of maps) {
    if (map.inner !== undefined) continue;
    for (const [index, name] of map.values ?? []) {
      if (names.has(name)) continue;
      const why = `entry ${index} is function "${name}", expected a program`;
      throw new ObjectError("bad-map", { section: MAPS_SECTION, symbol: map.name }, why);
    }
  }
}
