/** A TCP connection to the echo server that sends a chunk, checks what comes back byte for byte, pauses, and sends the next. */
import { connect, type Socket } from "node:net";
import type { EchoPeer, EchoReport, EchoTarget } from "./echo-load.ts";
import { SeededBytes } from "./seeded-bytes.ts";

export class TcpEchoPeer implements EchoPeer {
  onProgress: () => void = () => {};
  readonly #socket: Socket;
  readonly #target: EchoTarget;
  readonly #bytes: SeededBytes;
  readonly #opened: Promise<void>;
  readonly #closed: Promise<void>;
  #greet: () => void = () => {};
  #greeting = "";
  #backend: string | null = null;
  #localPort = 0;
  #echoes = 0;
  #error: string | null = null;
  #isEnding = false;
  /** The rest of the chunk that is still to come back. */
  #awaited: Buffer = Buffer.alloc(0);

  constructor(target: EchoTarget, index: number) {
    this.#target = target;
    this.#bytes = new SeededBytes(target.seed + index);
    this.#socket = connect({ host: target.host, port: target.port, noDelay: true });
    this.#opened = new Promise((resolve) => {
      this.#greet = resolve;
    });
    this.#closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    this.#socket.on("connect", () => {
      this.#localPort = this.#socket.localPort ?? 0;
    });
    this.#socket.on("data", (data) => this.#receive(data));
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("end", () => {
      if (!this.#isEnding) this.#fail("the server ended the connection");
    });
  }

  get report(): EchoReport {
    return {
      backend: this.#backend,
      localPort: this.#localPort,
      echoes: this.#echoes,
      lost: 0,
      moves: 0,
      error: this.#error,
    };
  }

  opened(): Promise<void> {
    return this.#opened;
  }

  async close(): Promise<void> {
    this.#isEnding = true;
    this.#socket.end();
    await this.#closed;
  }

  #receive(data: Buffer): void {
    const echoed = this.#backend === null ? this.#readGreeting(data) : data;
    if (echoed.length === 0) return;
    if (!this.#awaited.subarray(0, echoed.length).equals(echoed)) {
      this.#fail(`${echoed.length} bytes that were not sent, after ${this.#echoes} echoes`);
      return;
    }
    this.#awaited = this.#awaited.subarray(echoed.length);
    if (this.#awaited.length > 0) return;
    this.#echoes += 1;
    this.onProgress();
    setTimeout(() => this.#send(), this.#target.pauseMs);
  }

  /** The server's first line is its name; what comes behind it is returned. */
  #readGreeting(data: Buffer): Buffer {
    const end = data.indexOf("\n");
    this.#greeting += data.subarray(0, end < 0 ? data.length : end).toString();
    if (end < 0) return Buffer.alloc(0);
    this.#backend = this.#greeting;
    this.#greet();
    this.#send();
    return data.subarray(end + 1);
  }

  #send(): void {
    if (this.#isEnding || this.#error !== null) return;
    this.#awaited = this.#bytes.next(this.#target.chunkBytes);
    this.#socket.write(this.#awaited);
  }

  #fail(error: string): void {
    this.#error ??= error;
    this.#socket.destroy();
    this.#greet();
    this.onProgress();
  }
}
