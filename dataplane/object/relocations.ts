/**
 * The relocations clang emits for BPF (kernel 6.18, Documentation/bpf/llvm_reloc.rst). S is the symbol's value, A the addend found in place.
 *
 *     R_BPF_64_64        ld_imm64: S + A, in bytes            maps, global variables, callbacks, externs
 *     R_BPF_64_ABS64     64-bit data: S + A                   initial entries of maps
 *     R_BPF_64_ABS32     32-bit data: S + A                   offsets of variables in .BTF
 *     R_BPF_64_NODYLD32  the same                             offsets of instructions in .BTF.ext
 *     R_BPF_64_32        call: (S + A) / 8 - 1, in slots      functions of another section
 */
import type { ElfRelocation, ElfSection } from "./elf.ts";
import { ObjectError, type ObjectErrorCode } from "./object-error.ts";
import { SectionReader } from "./section-reader.ts";

export const R_BPF_64_64 = 1;
export const R_BPF_64_ABS64 = 2;
export const R_BPF_64_ABS32 = 3;
export const R_BPF_64_NODYLD32 = 4;
export const R_BPF_64_32 = 10;

const NAMES: ReadonlyMap<number, string> = new Map([
  [R_BPF_64_64, "R_BPF_64_64"],
  [R_BPF_64_ABS64, "R_BPF_64_ABS64"],
  [R_BPF_64_ABS32, "R_BPF_64_ABS32"],
  [R_BPF_64_NODYLD32, "R_BPF_64_NODYLD32"],
  [R_BPF_64_32, "R_BPF_64_32"],
]);

export function relocationName(type: number): string {
  return NAMES.get(type) ?? `type ${type}`;
}

/** The bytes of a data section with its 32-bit relocations applied; a copy where there are any. */
export function relocateWords(
  section: ElfSection,
  isLittleEndian: boolean,
  code: ObjectErrorCode,
): Uint8Array {
  if (section.relocations.length === 0) return section.bytes;
  const bytes = section.bytes.slice();
  const reader = new SectionReader(bytes, { section: section.name, isLittleEndian, code });
  const view = new DataView(bytes.buffer);
  for (const relocation of section.relocations) {
    const { offset, type, symbol } = relocation;
    if (type !== R_BPF_64_ABS32 && type !== R_BPF_64_NODYLD32) {
      throw relocationError(section, relocation, "expected R_BPF_64_ABS32 or R_BPF_64_NODYLD32");
    }
    // An external variable has no place; its entry keeps what it has.
    if (symbol.isUndefined) continue;
    const value = reader.u32(offset) + symbol.value;
    if (value >= 2 ** 32) throw relocationError(section, relocation, `${value} does not fit 32 bits`);
    view.setUint32(offset, value, isLittleEndian);
  }
  return bytes;
}

export function relocationError(section: ElfSection, relocation: ElfRelocation, why: string): ObjectError {
  const { offset, type, symbol } = relocation;
  return new ObjectError(
    "bad-relocation",
    { section: section.name, symbol: symbol.name === "" ? undefined : symbol.name, offset },
    `${relocationName(type)}: ${why}`,
  );
}
