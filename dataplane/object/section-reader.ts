import { ObjectError, type ObjectErrorCode } from "./object-error.ts";

/**
 * Checked reading of one section (or of the whole file, when `section` is undefined): a read beyond the end is an
 * ObjectError that names the place. Offsets are bytes from the section's start.
 */
export class SectionReader {
  readonly section: string | undefined;
  readonly sizeBytes: number;
  readonly isLittleEndian: boolean;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #code: ObjectErrorCode;

  constructor(bytes: Uint8Array, facts: SectionReaderFacts) {
    this.section = facts.section;
    this.sizeBytes = bytes.length;
    this.isLittleEndian = facts.isLittleEndian;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = facts.code;
  }

  u8(offset: number): number {
    this.#need(offset, 1);
    return this.#view.getUint8(offset);
  }

  u16(offset: number): number {
    this.#need(offset, 2);
    return this.#view.getUint16(offset, this.isLittleEndian);
  }

  u32(offset: number): number {
    this.#need(offset, 4);
    return this.#view.getUint32(offset, this.isLittleEndian);
  }

  i32(offset: number): number {
    this.#need(offset, 4);
    return this.#view.getInt32(offset, this.isLittleEndian);
  }

  u64(offset: number): bigint {
    this.#need(offset, 8);
    return this.#view.getBigUint64(offset, this.isLittleEndian);
  }

  /** A 64-bit offset or size; `what` names it in errors. Nothing in a file that fits in memory is beyond 2^53. */
  size(offset: number, what: string): number {
    const value = this.u64(offset);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.error(offset, `${what} ${value}, expected at most ${Number.MAX_SAFE_INTEGER}`);
    }
    return Number(value);
  }

  /** A view, not a copy. */
  slice(offset: number, sizeBytes: number): Uint8Array {
    this.#need(offset, sizeBytes);
    return this.#bytes.subarray(offset, offset + sizeBytes);
  }

  error(offset: number | undefined, why: string): ObjectError {
    return new ObjectError(this.#code, { section: this.section, offset }, why);
  }

  #need(offset: number, sizeBytes: number): void {
    if (offset >= 0 && sizeBytes >= 0 && offset + sizeBytes <= this.sizeBytes) return;
    throw this.error(offset, `${sizeBytes} bytes wanted, but there are ${this.sizeBytes} in all`);
  }
}

export interface SectionReaderFacts {
  readonly section: string | undefined;
  readonly isLittleEndian: boolean;
  readonly code: ObjectErrorCode;
}
