import type { ByteSource } from "./byte-source.ts";
import { CaptureError } from "./capture-error.ts";

/**
 * The part of a capture that is in memory: bytes[start, end) are read and not parsed yet. Parsers advance `start` past
 * what they have parsed and say how many bytes they need; what is left is moved to the front before more is read, so
 * memory stays at one buffer, which grows only for a single item larger than it (the formats bound those).
 */
export class ReadWindow {
  readonly source: ByteSource;
  bytes: Uint8Array;
  view: DataView;
  start = 0;
  end = 0;
  /** Offset in the capture of bytes[0]. */
  position = 0;

  constructor(source: ByteSource, sizeBytes: number) {
    this.source = source;
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  get availableBytes(): number {
    return this.end - this.start;
  }

  /** Reads until at least `neededBytes` are there from `start`. False when the source ends before. */
  async fill(neededBytes: number): Promise<boolean> {
    this.#makeRoom(neededBytes);
    while (this.end - this.start < neededBytes) {
      const readBytes = await this.source.read(this.bytes.subarray(this.end));
      if (readBytes === 0) return false;
      this.end += readBytes;
    }
    return true;
  }

  /** An error at `at`, an offset into `bytes`. */
  error(code: CaptureError["code"], at: number, what: string): CaptureError {
    return new CaptureError({ code, source: this.source.name, offset: this.position + at, what });
  }

  #makeRoom(neededBytes: number): void {
    const left = this.end - this.start;
    if (this.start > 0) {
      this.bytes.copyWithin(0, this.start, this.end);
      this.position += this.start;
      this.start = 0;
      this.end = left;
    }
    if (neededBytes <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(neededBytes, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, left));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}
