/** Small ELF objects for BPF, little-endian, put together by hand: for what no compiler makes. */

export interface BuiltSection {
  readonly name: string;
  /** SHT_*; default PROGBITS. */
  readonly type?: number;
  /** SHF_*; default none. */
  readonly flags?: number;
  readonly bytes?: Uint8Array;
  readonly relocations?: readonly {
    readonly offset: number;
    readonly type: number;
    readonly symbol: number;
  }[];
}

export interface BuiltSymbol {
  readonly name: string;
  /** Low nibble the type (2: function), high nibble the binding (1: global). */
  readonly info: number;
  /** Index into the sections, or undefined for one that is defined elsewhere. */
  readonly section?: number;
  readonly value?: number;
  readonly sizeBytes?: number;
}

export const GLOBAL_FUNCTION = 0x12;
export const LOCAL_FUNCTION = 0x02;

/** Sections keep their order, from index 1; symbols from 1 as well. */
export function buildElf(sections: readonly BuiltSection[], symbols: readonly BuiltSymbol[]): Uint8Array {
  const strings = new Strings();
  const symbolBytes = new Uint8Array(24 * (symbols.length + 1));
  const symbolView = new DataView(symbolBytes.buffer);
  for (const [index, { name, info, section, value = 0, sizeBytes = 0 }] of symbols.entries()) {
    const at = 24 * (index + 1);
    symbolView.setUint32(at, strings.add(name), true);
    symbolView.setUint8(at + 4, info);
    symbolView.setUint16(at + 6, section === undefined ? 0 : section + 1, true);
    symbolView.setBigUint64(at + 8, BigInt(value), true);
    symbolView.setBigUint64(at + 16, BigInt(sizeBytes), true);
  }

  interface Header {
    readonly name: string;
    readonly type: number;
    readonly flags: number;
    readonly bytes: Uint8Array;
    readonly link: number;
    readonly info: number;
  }
  const relocated = sections.flatMap((section, index) =>
    section.relocations === undefined ? [] : [{ section, index }],
  );
  const symbolTable = sections.length + relocated.length + 1;
  const headers: Header[] = [
    ...sections.map(({ name, type = 1, flags = 0, bytes = new Uint8Array(0) }) => ({
      name,
      type,
      flags,
      bytes,
      link: 0,
      info: 0,
    })),
    ...relocated.map(({ section, index }) => ({
      name: `.rel${section.name}`,
      type: 9,
      flags: 0,
      bytes: relocationBytes(section.relocations ?? []),
      link: symbolTable,
      info: index + 1,
    })),
    { name: ".symtab", type: 2, flags: 0, bytes: symbolBytes, link: symbolTable + 1, info: 1 },
  ];
  const nameOffsets = [...headers.map(({ name }) => strings.add(name)), strings.add(".strtab")];
  headers.push({ name: ".strtab", type: 3, flags: 0, bytes: strings.bytes(), link: 0, info: 0 });

  const dataSize = headers.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const tableStart = Math.ceil((64 + dataSize) / 8) * 8;
  const file = new Uint8Array(tableStart + 64 * (headers.length + 1));
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 1, true);
  view.setUint16(18, 247, true);
  view.setBigUint64(40, BigInt(tableStart), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, headers.length + 1, true);
  view.setUint16(62, headers.length, true);
  let offset = 64;
  for (const [index, { type, flags, bytes, link, info }] of headers.entries()) {
    const at = tableStart + 64 * (index + 1);
    view.setUint32(at, nameOffsets[index]!, true);
    view.setUint32(at + 4, type, true);
    view.setBigUint64(at + 8, BigInt(flags), true);
    view.setBigUint64(at + 24, BigInt(offset), true);
    view.setBigUint64(at + 32, BigInt(bytes.length), true);
    view.setUint32(at + 40, link, true);
    view.setUint32(at + 44, info, true);
    file.set(bytes, offset);
    offset += bytes.length;
  }
  return file;
}

function relocationBytes(relocations: NonNullable<BuiltSection["relocations"]>): Uint8Array {
  const bytes = new Uint8Array(16 * relocations.length);
  const view = new DataView(bytes.buffer);
  for (const [index, { offset, type, symbol }] of relocations.entries()) {
    view.setBigUint64(16 * index, BigInt(offset), true);
    view.setUint32(16 * index + 8, type, true);
    view.setUint32(16 * index + 12, symbol, true);
  }
  return bytes;
}

class Strings {
  readonly #offsets = new Map<string, number>([["", 0]]);
  readonly #parts: string[] = ["\0"];
  #size = 1;

  add(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#size;
    this.#offsets.set(text, offset);
    this.#parts.push(`${text}\0`);
    this.#size += text.length + 1;
    return offset;
  }

  bytes(): Uint8Array {
    return new TextEncoder().encode(this.#parts.join(""));
  }
}
