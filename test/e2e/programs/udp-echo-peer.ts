/**
 * A UDP flow to the echo server with one datagram in flight: each is numbered, and the next is sent when it has come back. So a datagram
 * that is not answered was lost on the way, since no queue can have been full; TCP would hide that by sending again.
 */
import { createSocket, type Socket } from "node:dgram";
import type { EchoPeer, EchoReport, EchoTarget } from "./echo-load.ts";
import { SeededBytes } from "./seeded-bytes.ts";

/** A busy machine answers late; that is no loss. */
const LOST_MS = 10_000;
const NUMBER_BYTES = 4;

export class UdpEchoPeer implements EchoPeer {
  onProgress: () => void = () => {};
  readonly #socket: Socket;
  readonly #target: EchoTarget;
  readonly #bytes: SeededBytes;
  readonly #opened: Promise<void>;
  #open: () => void = () => {};
  #backend: string | null = null;
  #localPort = 0;
  #number = 0;
  #sent: Buffer = Buffer.alloc(0);
  #echoes = 0;
  #lost = 0;
  #moves = 0;
  #error: string | null = null;
  #isInFlight = false;
  #isEnding = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(target: EchoTarget, index: number) {
    this.#target = target;
    this.#bytes = new SeededBytes(target.seed + index);
    this.#socket = createSocket(target.host.includes(":") ? "udp6" : "udp4");
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
    this.#socket.on("message", (message) => this.#receive(message));
    // A connected socket hears of ICMP errors, and takes answers from the VIP alone.
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.connect(target.port, target.host, () => {
      this.#localPort = this.#socket.address().port;
      this.#send();
    });
  }

  get report(): EchoReport {
    return {
      backend: this.#backend,
      localPort: this.#localPort,
      echoes: this.#echoes,
      lost: this.#lost,
      moves: this.#moves,
      error: this.#error,
    };
  }

  opened(): Promise<void> {
    return this.#opened;
  }

  /** Waits for the datagram in flight: to a closed socket its answer would be an ICMP error's cause. */
  close(): Promise<void> {
    this.#isEnding = true;
    return new Promise((resolve) => {
      if (this.#error !== null) {
        resolve();
        return;
      }
      this.#socket.once("close", () => resolve());
      if (!this.#isInFlight) this.#end();
    });
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#socket.close();
  }

  #send(): void {
    if (this.#isEnding || this.#error !== null) return;
    this.#sent = this.#bytes.next(this.#target.chunkBytes);
    this.#isInFlight = true;
    this.#number += 1;
    this.#sent.writeUInt32BE(this.#number, 0);
    this.#socket.send(this.#sent);
    this.#timer = setTimeout(() => {
      this.#lost += 1;
      this.#isInFlight = false;
      if (this.#isEnding) this.#end();
      else this.#send();
    }, LOST_MS);
  }

  /** The datagram as it was sent, and behind it the name of who answered. */
  #receive(message: Buffer): void {
    if (this.#error !== null) return;
    if (message.length < NUMBER_BYTES || message.readUInt32BE(0) !== this.#number) return;
    if (!message.subarray(0, this.#sent.length).equals(this.#sent)) {
      this.#fail(`datagram ${this.#number} came back changed`);
      return;
    }
    clearTimeout(this.#timer);
    this.#isInFlight = false;
    const backend = message.subarray(this.#sent.length).toString();
    if (this.#backend !== null && this.#backend !== backend) this.#moves += 1;
    this.#backend = backend;
    this.#echoes += 1;
    this.#open();
    this.onProgress();
    if (this.#isEnding) this.#end();
    else this.#timer = setTimeout(() => this.#send(), this.#target.pauseMs);
  }

  #fail(error: string): void {
    this.#error ??= error;
    clearTimeout(this.#timer);
    this.#socket.close();
    this.#open();
    this.onProgress();
  }
}
