/**
 * Captures as streams of packets. A reader takes megabytes of the file at a time and hands out batches of packets that
 * are views of them; memory stays the same for a capture of any size.
 */
import { type ByteSource, gunzipSource, openByteSource } from "./byte-source.ts";
import { CaptureError } from "./capture-error.ts";
import { detectFormat, type FormatParser, MAGIC_BYTES } from "./capture-format.ts";
import type { CaptureInterface } from "./capture-interface.ts";
import { PacketBatch } from "./packet-batch.ts";
import { PcapParser } from "./pcap-parser.ts";
import { PcapngParser } from "./pcapng-parser.ts";
import { ReadWindow } from "./read-window.ts";

export interface ReaderOptions {
  /** Bytes read at a time. Default 1 MiB. */
  readonly windowBytes?: number;
  /** Most packets in a batch. Default 8192. */
  readonly batchPackets?: number;
}

/** `path` is a file, a named pipe, or "-" for the standard input; it may be gzip-compressed. Throws CaptureError. */
export async function openCapture(path: string, options: ReaderOptions = {}): Promise<CaptureReader> {
  const source = await openByteSource(path);
  try {
    return await readCapture(source, options);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same on any source of bytes, which the reader then owns. Throws CaptureError. */
export async function readCapture(source: ByteSource, options: ReaderOptions = {}): Promise<CaptureReader> {
  let window = new ReadWindow(source, options.windowBytes ?? 1024 * 1024);
  let head = await readHead(window);
  let format = detectFormat(head, source.name);
  if (format.kind === "gzip") {
    window = new ReadWindow(gunzipSource(source, window.bytes.subarray(0, window.end)), window.bytes.length);
    head = await readHead(window);
    format = detectFormat(head, source.name);
  }
  if (format.kind === "gzip") {
    const what = "compressed twice, expected pcap or pcapng in the gzip data";
    throw new CaptureError({ code: "unsupported-format", source: source.name, offset: 0, what });
  }
  const parser = format.kind === "pcapng" ? new PcapngParser() : new PcapParser(format);
  return new CaptureReader(window, parser, new PacketBatch(options.batchPackets ?? 8192));
}

export class CaptureReader {
  readonly #window: ReadWindow;
  readonly #parser: FormatParser;
  readonly #batch: PacketBatch;
  #error: CaptureError | undefined;
  #isAtEnd = false;

  /** Use openCapture or readCapture. */
  constructor(window: ReadWindow, parser: FormatParser, batch: PacketBatch) {
    this.#window = window;
    this.#parser = parser;
    this.#batch = batch;
  }

  get name(): string {
    return this.#window.source.name;
  }

  get format(): "pcap" | "pcapng" {
    return this.#parser.name;
  }

  /** All interfaces that the file has described so far. Grows while it is read; entries never change. */
  get interfaces(): readonly CaptureInterface[] {
    return this.#parser.interfaces;
  }

  /** How far the file has been read, for progress; `sizeBytes` is undefined for what is not a regular file. */
  get progress(): { readonly positionBytes: number; readonly sizeBytes: number | undefined } {
    const { positionBytes, sizeBytes } = this.#window.source;
    return { positionBytes, sizeBytes };
  }

  /**
   * The next packets: at least one, in a batch that this call overwrites; undefined at the end of the capture. Throws CaptureError
   * only after every packet before the damage has been handed out, and then at every further call.
   */
  async nextBatch(): Promise<PacketBatch | undefined> {
    if (this.#error !== undefined) throw this.#error;
    const batch = this.#batch;
    batch.count = 0;
    while (!this.#isAtEnd) {
      let neededBytes = 0;
      try {
        neededBytes = this.#parser.parse(this.#window, batch);
        if (batch.count === 0) this.#isAtEnd = !(await this.#fill(neededBytes));
      } catch (error) {
        if (!(error instanceof CaptureError)) throw error;
        this.#error = error;
        if (batch.count === 0) throw error;
      }
      if (batch.count > 0) {
        batch.bytes = this.#window.bytes;
        batch.bytesPosition = this.#window.position;
        return batch;
      }
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#isAtEnd = true;
    await this.#window.source.close();
  }

  /** False at the end of a sound capture. */
  async #fill(neededBytes: number): Promise<boolean> {
    const window = this.#window;
    if (await window.fill(neededBytes)) return true;
    if (window.availableBytes === 0) return false;
    throw window.error("truncated", window.end, this.#parser.describeTruncation(window));
  }
}

async function readHead(window: ReadWindow): Promise<Uint8Array> {
  await window.fill(MAGIC_BYTES);
  return window.bytes.subarray(window.start, Math.min(window.end, window.start + MAGIC_BYTES));
}
