/** A capture that cannot be read, or not further, or not be written. `offset` says where. */
export type CaptureErrorCode =
  | "io" // the world below: no such file, no permission, disk full
  | "unknown-format" // the first bytes are of no capture format we know
  | "unsupported-format" // a format or version we know by name and do not read
  | "unsupported-link-type" // packets that do not start with an Ethernet header
  | "truncated" // the file ends inside a header, a block or a packet
  | "bad-length" // a length that cannot be true
  | "bad-block"; // a block whose contents contradict the format

export class CaptureError extends Error {
  readonly code: CaptureErrorCode;
  /** The file's name as it was given, "stdin" for the standard input. */
  readonly source: string;
  /** Bytes from the start of the capture (of the unpacked one, if it is compressed); undefined where no byte is to blame. */
  readonly offset: number | undefined;

  constructor(facts: {
    readonly code: CaptureErrorCode;
    readonly source: string;
    readonly offset?: number | undefined;
    readonly what: string;
    readonly cause?: unknown;
  }) {
    const place = facts.offset === undefined ? "" : ` at byte ${facts.offset}`;
    super(`capture ${facts.source}${place}: ${facts.what}`, { cause: facts.cause });
    this.name = "CaptureError";
    this.code = facts.code;
    this.source = facts.source;
    this.offset = facts.offset;
  }
}
