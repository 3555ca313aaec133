/** File descriptors of maps, programs, links and sockets, each with one owner. */
import { closeSync } from "node:fs";
import { KernelError, systemError } from "./kernel-error.ts";

/**
 * A file descriptor with one owner, which knows that it is closed. A number that was closed may belong to another file a moment later, so
 * nothing keeps the number: `fd` is asked for at each use.
 */
export class Descriptor {
  /** For messages: `program "balance"`. */
  readonly what: string;
  #fd: number;

  /** Takes ownership. Throws RangeError for what is no descriptor, such as an error's number that nobody looked at. */
  constructor(fd: number, what: string) {
    if (!Number.isInteger(fd) || fd < 0) throw new RangeError(`${what}: ${fd} is no file descriptor`);
    this.what = what;
    this.#fd = fd;
  }

  /** A descriptor from a function that returns one or a negative error number (libbpf). Throws KernelError. */
  static from(result: number, operation: string, what: string): Descriptor {
    if (result < 0) throw systemError(operation, result);
    return new Descriptor(result, what);
  }

  /** Throws KernelError "closed" after close(). */
  get fd(): number {
    if (this.#fd < 0) throw new KernelError("closed", this.what, "is closed");
    return this.#fd;
  }

  get isClosed(): boolean {
    return this.#fd < 0;
  }

  /** Again is harmless. */
  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    try {
      closeSync(fd);
    } catch (error) {
      throw new KernelError("io", this.what, `descriptor ${fd} was closed by somebody else`, {
        cause: error,
      });
    }
  }
}
