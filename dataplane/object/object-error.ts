/** An object file that is malformed, or asks for something that is not supported. Says where, what was found, what was allowed. */
export class ObjectError extends Error {
  readonly code: ObjectErrorCode;
  /** ELF section, where it is known. */
  readonly section: string | undefined;
  readonly symbol: string | undefined;
  /** Byte offset in the section, or in the file when no section is named. */
  readonly offset: number | undefined;

  constructor(code: ObjectErrorCode, place: ObjectPlace, why: string, options?: ErrorOptions) {
    super(`${describe(place)}${why}`, options);
    this.name = "ObjectError";
    this.code = code;
    this.section = place.section;
    this.symbol = place.symbol;
    this.offset = place.offset;
  }
}

export type ObjectErrorCode =
  | "bad-elf" // headers, sections, symbols
  | "bad-btf" // types, function and line info
  | "bad-map" // a map definition
  | "bad-instruction"
  | "bad-relocation"
  | "unsupported" // well-formed, but of a kind that this loader does not do
  | "no-such-name"; // a variable or program that the object does not have

export interface ObjectPlace {
  readonly section?: string | undefined;
  readonly symbol?: string | undefined;
  readonly offset?: number | undefined;
}

function describe({ section, symbol, offset }: ObjectPlace): string {
  const parts: string[] = [];
  if (section !== undefined) parts.push(`section ${JSON.stringify(section)}`);
  if (symbol !== undefined) parts.push(`symbol ${JSON.stringify(symbol)}`);
  if (offset !== undefined) parts.push(`${section === undefined ? "byte" : "offset"} ${offset}`);
  return parts.length === 0 ? "" : `${parts.join(" ")}: `;
}
