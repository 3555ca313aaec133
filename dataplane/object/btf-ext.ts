/**
 * `.BTF.ext` (kernel 6.18, Documentation/bpf/btf.rst, section 4.2): which function and which source line an instruction belongs to.
 *
 * CO-RE relocations, the third kind of record, ask the loader to fit field offsets to the running kernel's own types. Nothing here
 * has a kernel's types to fit them to, so an object that needs them is refused.
 */

import { ObjectError } from "./object-error.ts";
import { SectionReader } from "./section-reader.ts";
import type { StringTable } from "./string-table.ts";

export interface BtfExt {
  /** By section name; ascending by offset. */
  readonly functions: ReadonlyMap<string, readonly FunctionRecord[]>;
  readonly lines: ReadonlyMap<string, readonly LineRecord[]>;
}

export interface FunctionRecord {
  /** Of the function's first instruction, in bytes from the section's start. */
  readonly offsetBytes: number;
  /** BTF id of the function. */
  readonly typeId: number;
}

export interface LineRecord {
  readonly offsetBytes: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

const SECTION = ".BTF.ext";
const MAGIC = 0xeb9f;
const HEADER_SIZE_BYTES = 24;
const HEADER_WITH_CORE_SIZE_BYTES = 32;
const FUNCTION_RECORD_SIZE_BYTES = 8;
const LINE_RECORD_SIZE_BYTES = 16;

/** Reads a `.BTF.ext` section, relocations applied. Throws ObjectError: "bad-btf", or "unsupported" for CO-RE relocations. */
export function readBtfExt(bytes: Uint8Array, isLittleEndian: boolean, strings: StringTable): BtfExt {
  const reader = new SectionReader(bytes, { section: SECTION, isLittleEndian, code: "bad-btf" });
  const magic = reader.u16(0);
  if (magic !== MAGIC)
    throw reader.error(0, `magic 0x${magic.toString(16)}, expected 0x${MAGIC.toString(16)}`);
  const version = reader.u8(2);
  if (version !== 1) throw reader.error(2, `version ${version}, expected 1`);
  const headerSize = reader.u32(4);
  if (headerSize < HEADER_SIZE_BYTES) {
    throw reader.error(4, `header of ${headerSize} bytes, expected at least ${HEADER_SIZE_BYTES}`);
  }
  if (headerSize >= HEADER_WITH_CORE_SIZE_BYTES) {
    refuseCore(reader, { start: headerSize + reader.u32(24), sizeBytes: reader.u32(28) }, strings);
  }

  const functionPart = { start: headerSize + reader.u32(8), sizeBytes: reader.u32(12) };
  const functions = readRecords(reader, functionPart, strings, FUNCTION_RECORD_SIZE_BYTES, (at) => ({
    offsetBytes: reader.u32(at),
    typeId: reader.u32(at + 4),
  }));
  const linePart = { start: headerSize + reader.u32(16), sizeBytes: reader.u32(20) };
  const lines = readRecords(reader, linePart, strings, LINE_RECORD_SIZE_BYTES, (at) => {
    const position = reader.u32(at + 12);
    return {
      offsetBytes: reader.u32(at),
      file: strings.get(reader.u32(at + 4)),
      line: position >>> 10,
      column: position & 0x3ff,
      text: strings.get(reader.u32(at + 8)).trim(),
    };
  });
  return { functions, lines };
}

interface Part {
  readonly start: number;
  readonly sizeBytes: number;
}

/** u32 record size; then for each section: u32 name, u32 count, records. */
function readRecords<T extends { readonly offsetBytes: number }>(
  reader: SectionReader,
  part: Part,
  strings: StringTable,
  recordSizeMin: number,
  readRecord: (offset: number) => T,
): Map<string, readonly T[]> {
  const bySection = new Map<string, readonly T[]>();
  reader.slice(part.start, part.sizeBytes);
  if (part.sizeBytes === 0) return bySection;
  const end = part.start + part.sizeBytes;
  const recordSize = reader.u32(part.start);
  if (recordSize < recordSizeMin || recordSize % 4 !== 0) {
    throw reader.error(
      part.start,
      `records of ${recordSize} bytes, expected at least ${recordSizeMin}, a multiple of 4`,
    );
  }
  let at = part.start + 4;
  while (at < end) {
    const section = strings.get(reader.u32(at));
    const count = reader.u32(at + 4);
    const first = at + 8;
    if (count === 0 || first + count * recordSize > end) {
      throw reader.error(
        at + 4,
        `${count} records of ${recordSize} bytes for section "${section}", with ${end - first} bytes left`,
      );
    }
    if (bySection.has(section)) throw reader.error(at, `section "${section}" for the second time`);
    const records: T[] = [];
    for (let index = 0; index < count; index++) {
      const offset = first + index * recordSize;
      const record = readRecord(offset);
      const previous = records[index - 1];
      if (previous !== undefined && previous.offsetBytes >= record.offsetBytes) {
        throw reader.error(
          offset,
          `instruction offset ${record.offsetBytes} after ${previous.offsetBytes}, expected ascending ones`,
        );
      }
      records.push(record);
    }
    bySection.set(section, records);
    at = first + count * recordSize;
  }
  return bySection;
}

function refuseCore(reader: SectionReader, { start, sizeBytes }: Part, strings: StringTable): void {
  reader.slice(start, sizeBytes);
  // Record size alone: there are none.
  if (sizeBytes <= 4) return;
  const section = strings.get(reader.u32(start + 4));
  const count = reader.u32(start + 8);
  throw new ObjectError(
    "unsupported",
    { section: SECTION, offset: start },
    `${count} CO-RE relocations for section "${section}", expected none: there are no kernel types to fit them to`,
  );
}
