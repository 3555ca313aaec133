/**
 * Where the bytes of a capture come from: a file, a pipe, the standard input, memory, or one of these unpacked. Nothing
 * here seeks, so that whatever can be read once can be replayed.
 */
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { CaptureError } from "./capture-error.ts";

export interface ByteSource {
  readonly name: string;
  /** Where it is known beforehand: of regular files. */
  readonly sizeBytes: number | undefined;
  /** Read so far, on the scale of `sizeBytes`. */
  readonly positionBytes: number;
  /** Reads at least one byte into `target`, or 0 at the end. Throws CaptureError. */
  read(target: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/** A path, or "-" for the standard input. Throws CaptureError. */
export async function openByteSource(path: string): Promise<ByteSource> {
  if (path === "-") return new StreamSource("stdin", process.stdin);
  try {
    const handle = await open(path, "r");
    const facts = await handle.stat();
    if (facts.isDirectory()) {
      await handle.close();
      throw new CaptureError({ code: "io", source: path, what: "is a directory, expected a capture file" });
    }
    return new FileSource(path, handle, facts.isFile() ? facts.size : undefined);
  } catch (cause) {
    throw asCaptureError(cause, path);
  }
}

export function memorySource(bytes: Uint8Array, name = "memory"): ByteSource {
  let position = 0;
  return {
    name,
    sizeBytes: bytes.length,
    get positionBytes(): number {
      return position;
    },
    async read(target: Uint8Array): Promise<number> {
      const part = bytes.subarray(position, position + target.length);
      target.set(part);
      position += part.length;
      return part.length;
    },
    async close(): Promise<void> {},
  };
}

/** What `packed`, of which `head` was already read, holds when unpacked (RFC 1952). */
export function gunzipSource(packed: ByteSource, head: Uint8Array): ByteSource {
  const gunzip = createGunzip();
  const input = Readable.from(chunksOf(packed, head.slice()), { objectMode: false });
  // Not `pipe` alone, which would leave the reader waiting when the input fails.
  input.on("error", (error) => gunzip.destroy(error));
  const stream = new StreamSource(packed.name, input.pipe(gunzip));
  return {
    name: packed.name,
    sizeBytes: packed.sizeBytes,
    get positionBytes(): number {
      return packed.positionBytes;
    },
    read: (target) => stream.read(target),
    async close(): Promise<void> {
      input.destroy();
      await stream.close();
      await packed.close();
    },
  };
}

async function* chunksOf(source: ByteSource, head: Uint8Array): AsyncGenerator<Uint8Array> {
  yield head;
  for (;;) {
    const chunk = new Uint8Array(65536);
    const readBytes = await source.read(chunk);
    if (readBytes === 0) return;
    yield chunk.subarray(0, readBytes);
  }
}

class FileSource implements ByteSource {
  readonly name: string;
  readonly sizeBytes: number | undefined;
  positionBytes = 0;
  readonly #handle: FileHandle;

  constructor(name: string, handle: FileHandle, sizeBytes: number | undefined) {
    this.name = name;
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
  }

  async read(target: Uint8Array): Promise<number> {
    try {
      const { bytesRead } = await this.#handle.read(target, 0, target.length, null);
      this.positionBytes += bytesRead;
      return bytesRead;
    } catch (cause) {
      throw asCaptureError(cause, this.name, this.positionBytes);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/** Chunks as they come, cut to what is asked for. */
class StreamSource implements ByteSource {
  readonly name: string;
  readonly sizeBytes = undefined;
  positionBytes = 0;
  readonly #stream: Readable;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);

  constructor(name: string, stream: Readable) {
    this.name = name;
    this.#stream = stream;
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  async read(target: Uint8Array): Promise<number> {
    while (this.#chunk.length === 0) {
      try {
        const next = await this.#chunks.next();
        if (next.done === true) return 0;
        this.#chunk = next.value;
      } catch (cause) {
        throw asCaptureError(cause, this.name, this.positionBytes);
      }
    }
    const part = this.#chunk.subarray(0, target.length);
    target.set(part);
    this.#chunk = this.#chunk.subarray(part.length);
    this.positionBytes += part.length;
    return part.length;
  }

  async close(): Promise<void> {
    this.#stream.destroy();
  }
}

function asCaptureError(cause: unknown, source: string, offset?: number): CaptureError {
  if (cause instanceof CaptureError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "Z_BUF_ERROR") {
    return new CaptureError({ code: "truncated", source, offset, what: "the gzip data ends early", cause });
  }
  if (code?.startsWith("Z_")) {
    return new CaptureError({ code: "bad-block", source, offset, what: `bad gzip data: ${message}`, cause });
  }
  const what = code === "ENOENT" ? "no such file" : code === "EACCES" ? "no permission to read it" : message;
  return new CaptureError({ code: "io", source, offset, what, cause });
}
