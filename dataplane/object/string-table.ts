import type { SectionReader } from "./section-reader.ts";

/**
 * Zero-terminated strings by byte offset, of ELF and BTF alike. Strings may share their tails, as linkers make them do; but
 * a hostile table can name every suffix of one long string, which is quadratic. All strings together are therefore held to a
 * small multiple of the table's size.
 */
const EXPANSION_MAX = 16;

export class StringTable {
  readonly #reader: SectionReader;
  readonly #bytes: Uint8Array;
  readonly #strings = new Map<number, string>();
  readonly #decoder = new TextDecoder();
  #budgetBytes: number;

  /** `sizeBytes` bytes from `start` of the reader's section. */
  constructor(reader: SectionReader, start: number, sizeBytes: number) {
    this.#reader = reader;
    this.#bytes = reader.slice(start, sizeBytes);
    this.#budgetBytes = EXPANSION_MAX * sizeBytes;
  }

  get(offset: number): string {
    const known = this.#strings.get(offset);
    if (known !== undefined) return known;
    // Offset 0 is the empty string by convention, even where there is no table.
    if (offset === 0 && this.#bytes.length === 0) return "";
    const end = offset < this.#bytes.length ? this.#bytes.indexOf(0, offset) : -1;
    if (end < 0) {
      const why = `no string at ${offset} of a string table of ${this.#bytes.length} bytes`;
      throw this.#reader.error(undefined, why);
    }
    this.#budgetBytes -= end - offset;
    if (this.#budgetBytes < 0)
      throw this.#reader.error(undefined, "strings overlap each other over and over");
    const string = this.#decoder.decode(this.#bytes.subarray(offset, end));
    this.#strings.set(offset, string);
    return string;
  }
}
