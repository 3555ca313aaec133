/**
 * The functions of an object's executable sections, each decoded once, with what its instructions refer to. Programs are
 * put together from them: see link-program.ts.
 */
import { decode } from "../isa/encoding.ts";
import { type Instruction, InstructionError, LD_IMM64, SLOT_SIZE_BYTES } from "../isa/instruction.ts";
import { BPF_CALL, BPF_JMP, BPF_PSEUDO_CALL } from "../isa/opcodes.ts";
import type { BtfExt } from "./btf-ext.ts";
import {
  type ElfFile,
  type ElfRelocation,
  type ElfSection,
  type ElfSymbol,
  SHF_EXECINSTR,
  SHT_PROGBITS,
} from "./elf.ts";
import { ObjectError } from "./object-error.ts";
import type { PlacedMap } from "./read-maps.ts";
import { R_BPF_64_32, R_BPF_64_64, relocationError } from "./relocations.ts";
import type { LineInfo } from "./spec.ts";

export interface CodeFunction {
  readonly name: string;
  readonly section: string;
  /**
   * A function with global binding outside `.text` is a program. Static ones and those of `.text` are there to be called.
   * (libbpf refuses static functions outside `.text`.)
   */
  readonly isProgram: boolean;
  /** In the section, for errors. */
  readonly offsetBytes: number;
  readonly instructions: readonly Instruction[];
  /** Ascending by slot; slots count from the function's first. */
  readonly references: readonly FunctionReference[];
  readonly lines: readonly LineInfo[];
}

/** What a slot of a function refers to. */
export type FunctionReference = { readonly slot: number } & (
  | { readonly kind: "map"; readonly map: string }
  | { readonly kind: "mapValue"; readonly map: string; readonly offsetBytes: number }
  | { readonly kind: "call"; readonly place: CodePlace }
  | { readonly kind: "address"; readonly place: CodePlace }
  | { readonly kind: "extern"; readonly symbol: string; readonly isWeak: boolean }
);

/** A place where a function should begin. */
export interface CodePlace {
  readonly section: number;
  readonly offsetBytes: number;
}

const CALL = BPF_CALL | BPF_JMP;
const SUBPROGRAM_SECTION = ".text";

/** By section index and offset, see `placeKey`; in the file's order. Throws ObjectError. */
export function readFunctions(
  elf: ElfFile,
  maps: readonly PlacedMap[],
  btfExt: BtfExt | undefined,
): ReadonlyMap<string, CodeFunction> {
  const mapsByPlace = new Map(
    maps.map((map) => [placeKey({ section: map.section, offsetBytes: map.offset }), map]),
  );
  const symbolsBySection = new Map<number, ElfSymbol[]>();
  for (const symbol of elf.symbols) {
    if (symbol.kind !== "function" || symbol.section === undefined) continue;
    const symbols = symbolsBySection.get(symbol.section) ?? [];
    symbols.push(symbol);
    symbolsBySection.set(symbol.section, symbols);
  }

  const functions = new Map<string, CodeFunction>();
  const names = new Set<string>();
  for (const section of elf.sections) {
    if (section.type !== SHT_PROGBITS || (section.flags & SHF_EXECINSTR) === 0 || section.sizeBytes === 0)
      continue;
    if (names.has(section.name)) {
      throw new ObjectError("bad-elf", { section: section.name }, "second executable section of this name");
    }
    names.add(section.name);
    const code: CodeSection = {
      elf,
      section,
      mapsByPlace,
      relocations: relocationsByOffset(section),
      used: new Set(),
    };
    const lines = linesOf(section, btfExt);
    let end = 0;
    let nextLine = 0;
    for (const symbol of (symbolsBySection.get(section.index) ?? []).sort((a, b) => a.value - b.value)) {
      checkFunctionSymbol(section, symbol, end);
      end = symbol.value + symbol.sizeBytes;
      const first = symbol.value / SLOT_SIZE_BYTES;
      const after = end / SLOT_SIZE_BYTES;
      while (nextLine < lines.length && lines[nextLine]!.slot < first) nextLine++;
      const firstLine = nextLine;
      while (nextLine < lines.length && lines[nextLine]!.slot < after) nextLine++;
      const instructions = decodeFunction(elf, section, symbol);
      functions.set(placeKey({ section: section.index, offsetBytes: symbol.value }), {
        name: symbol.name,
        section: section.name,
        isProgram: section.name !== SUBPROGRAM_SECTION && symbol.binding !== "local",
        offsetBytes: symbol.value,
        instructions,
        references: readReferences(code, symbol, instructions),
        lines: lines.slice(firstLine, nextLine).map((line) => ({ ...line, slot: line.slot - first })),
      });
    }
    const unused = section.relocations.find((relocation) => !code.used.has(relocation));
    if (unused !== undefined)
      throw relocationError(section, unused, "applies to no instruction that takes one");
  }
  return functions;
}

export function placeKey({ section, offsetBytes }: CodePlace): string {
  return `${section}:${offsetBytes}`;
}

interface CodeSection {
  readonly elf: ElfFile;
  readonly section: ElfSection;
  readonly mapsByPlace: ReadonlyMap<string, PlacedMap>;
  readonly relocations: ReadonlyMap<number, ElfRelocation>;
  readonly used: Set<ElfRelocation>;
}

function relocationsByOffset(section: ElfSection): Map<number, ElfRelocation> {
  const byOffset = new Map<number, ElfRelocation>();
  for (const relocation of section.relocations) {
    if (byOffset.has(relocation.offset))
      throw relocationError(section, relocation, "second relocation of one instruction");
    byOffset.set(relocation.offset, relocation);
  }
  return byOffset;
}

function checkFunctionSymbol(
  section: ElfSection,
  { name, value, sizeBytes }: ElfSymbol,
  previousEnd: number,
): void {
  const place = { section: section.name, symbol: name, offset: value };
  if (value % SLOT_SIZE_BYTES !== 0 || sizeBytes % SLOT_SIZE_BYTES !== 0 || sizeBytes === 0) {
    throw new ObjectError(
      "bad-elf",
      place,
      `function of ${sizeBytes} bytes, expected whole instructions of ${SLOT_SIZE_BYTES}`,
    );
  }
  if (value < previousEnd)
    throw new ObjectError("bad-elf", place, `overlaps the function before it, which ends at ${previousEnd}`);
}

function decodeFunction(elf: ElfFile, section: ElfSection, symbol: ElfSymbol): Instruction[] {
  const bytes = section.bytes.subarray(symbol.value, symbol.value + symbol.sizeBytes);
  try {
    return decode(bytes, elf.isLittleEndian);
  } catch (cause) {
    if (!(cause instanceof InstructionError)) throw cause;
    const place = { section: section.name, symbol: symbol.name, offset: symbol.value + (cause.byte ?? 0) };
    throw new ObjectError("bad-instruction", place, cause.message, { cause });
  }
}

/** Line records with the slot in the section. */
function linesOf(section: ElfSection, btfExt: BtfExt | undefined): LineInfo[] {
  const records = btfExt?.lines.get(section.name) ?? [];
  return records.map(({ offsetBytes, file, line, column, text }) => {
    if (offsetBytes % SLOT_SIZE_BYTES !== 0 || offsetBytes >= section.sizeBytes) {
      const why = `line of instruction offset ${offsetBytes} in section "${section.name}" of ${section.sizeBytes} bytes`;
      throw new ObjectError("bad-btf", { section: ".BTF.ext" }, why);
    }
    return { slot: offsetBytes / SLOT_SIZE_BYTES, file, line, column, text };
  });
}

function readReferences(
  code: CodeSection,
  symbol: ElfSymbol,
  instructions: readonly Instruction[],
): FunctionReference[] {
  const references: FunctionReference[] = [];
  for (const [slot, instruction] of instructions.entries()) {
    const offset = symbol.value + slot * SLOT_SIZE_BYTES;
    const relocation = code.relocations.get(offset);
    if (instruction.opcode === LD_IMM64 && relocation !== undefined) {
      code.used.add(relocation);
      references.push({ slot, ...addressReference(code, relocation, instruction) });
    } else if (instruction.opcode === LD_IMM64 && instruction.src !== 0) {
      const why = `64-bit immediate of kind ${instruction.src} without a relocation, expected kind 0`;
      throw new ObjectError(
        "bad-instruction",
        { section: code.section.name, symbol: symbol.name, offset },
        why,
      );
    } else if (instruction.opcode === CALL && relocation !== undefined) {
      code.used.add(relocation);
      references.push({ slot, ...callReference(code, relocation, instruction) });
    } else if (instruction.opcode === CALL && instruction.src === BPF_PSEUDO_CALL) {
      // Within a section clang resolves calls itself.
      const offsetBytes = offset + (instruction.imm + 1) * SLOT_SIZE_BYTES;
      references.push({ slot, kind: "call", place: { section: code.section.index, offsetBytes } });
    }
  }
  return references;
}

type Target<T> = T extends unknown ? Omit<T, "slot"> : never;

function addressReference(
  code: CodeSection,
  relocation: ElfRelocation,
  instruction: Instruction,
): Target<FunctionReference> {
  const { elf, section, mapsByPlace } = code;
  const { symbol, type } = relocation;
  if (type !== R_BPF_64_64)
    throw relocationError(section, relocation, "expected R_BPF_64_64 at a 64-bit immediate load");
  if (instruction.src !== 0) {
    throw relocationError(
      section,
      relocation,
      `64-bit immediate load has kind ${instruction.src}, expected 0`,
    );
  }
  if (symbol.isUndefined) return externReference(section, relocation);
  const home = elf.sections[symbol.section ?? 0];
  if (home === undefined || home.index === 0)
    throw relocationError(section, relocation, "the symbol is in no section");
  const offsetBytes = symbol.value + Number(BigInt.asIntN(64, instruction.imm64 ?? 0n));
  if ((home.flags & SHF_EXECINSTR) !== 0)
    return { kind: "address", place: { section: home.index, offsetBytes } };

  const wholeSection = mapsByPlace.get(placeKey({ section: home.index, offsetBytes: 0 }));
  if (wholeSection?.spec.contents !== undefined) {
    // One past the end is an address C may form.
    if (offsetBytes < 0 || offsetBytes > home.sizeBytes) {
      throw relocationError(
        section,
        relocation,
        `offset ${offsetBytes} of "${home.name}", expected 0 to ${home.sizeBytes}`,
      );
    }
    return { kind: "mapValue", map: wholeSection.spec.name, offsetBytes };
  }
  const map = mapsByPlace.get(placeKey({ section: home.index, offsetBytes }));
  if (map !== undefined) return { kind: "map", map: map.spec.name };
  const allowed = "expected the start of a map, or a variable of .rodata, .data or .bss";
  throw relocationError(section, relocation, `refers to offset ${offsetBytes} of "${home.name}", ${allowed}`);
}

function callReference(
  code: CodeSection,
  relocation: ElfRelocation,
  instruction: Instruction,
): Target<FunctionReference> {
  const { elf, section } = code;
  const { symbol, type } = relocation;
  if (type !== R_BPF_64_32) throw relocationError(section, relocation, "expected R_BPF_64_32 at a call");
  if (instruction.src !== BPF_PSEUDO_CALL) {
    throw relocationError(
      section,
      relocation,
      `call has kind ${instruction.src}, expected ${BPF_PSEUDO_CALL} (local)`,
    );
  }
  if (symbol.isUndefined) return externReference(section, relocation);
  const home = elf.sections[symbol.section ?? 0];
  if (home === undefined || (home.flags & SHF_EXECINSTR) === 0) {
    throw relocationError(section, relocation, "the symbol is in no executable section");
  }
  // A static function is its section's symbol, and the call counts slots from the start of the section, less one.
  return {
    kind: "call",
    place: { section: home.index, offsetBytes: symbol.value + (instruction.imm + 1) * SLOT_SIZE_BYTES },
  };
}

function externReference(section: ElfSection, relocation: ElfRelocation): Target<FunctionReference> {
  const { name, binding } = relocation.symbol;
  if (name === "") throw relocationError(section, relocation, "the symbol is undefined and has no name");
  return { kind: "extern", symbol: name, isWeak: binding === "weak" };
}
