/**
 * The one linear memory of a machine: packets, contexts, stacks and maps. An address is an offset into it, so a pointer
 * of the program is an address zero-extended to 64 bits, and fits the 32-bit `data` fields of `struct xdp_md`.
 *
 * Memory is handed out from the bottom up and never taken back: a machine allocates when it is built, not while it runs.
 * The first page stays empty, so that a null pointer plus a field offset hits nothing.
 */
const PAGE_BYTES = 65536;
const FIRST_ADDRESS = PAGE_BYTES;

export interface MemoryOptions {
  /** Upper bound; addresses stay below 2^32. Default 4 GiB less one page. */
  readonly maximumBytes?: number;
  /** Backed by a SharedArrayBuffer, so that worker threads can share it. */
  readonly shared?: boolean;
}

export class Memory {
  readonly wasm: WebAssembly.Memory;
  #next: number = FIRST_ADDRESS;
  #u8: Uint8Array;
  #i32: Int32Array;
  #u32: Uint32Array;
  #u64: BigUint64Array;
  #view: DataView;

  constructor(options: MemoryOptions = {}) {
    const maximum = Math.floor((options.maximumBytes ?? 65535 * PAGE_BYTES) / PAGE_BYTES);
    this.wasm = new WebAssembly.Memory({ initial: 2, maximum, shared: options.shared ?? false });
    const buffer = this.wasm.buffer;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Zeroed memory of its own. `alignment` is a power of two. Throws RangeError when the maximum is reached. */
  allocate(sizeBytes: number, alignment = 8): number {
    const address = Math.ceil(this.#next / alignment) * alignment;
    const end = address + sizeBytes;
    const missing = end - this.#u8.byteLength;
    if (missing > 0) {
      try {
        this.wasm.grow(Math.ceil(missing / PAGE_BYTES));
      } catch (cause) {
        throw new RangeError(`out of VM memory: ${sizeBytes} bytes more than ${this.#u8.byteLength}`, {
          cause,
        });
      }
      this.#refresh();
    }
    this.#next = end;
    return address;
  }

  /** First address never handed out. */
  get end(): number {
    return this.#next;
  }

  // Views go stale when the memory grows; take them anew after anything that may allocate.
  get u8(): Uint8Array {
    return this.#u8;
  }
  get i32(): Int32Array {
    return this.#i32;
  }
  get u32(): Uint32Array {
    return this.#u32;
  }
  get u64(): BigUint64Array {
    return this.#u64;
  }
  get view(): DataView {
    return this.#view;
  }

  /** A copy. */
  read(address: number, sizeBytes: number): Uint8Array {
    return this.#u8.slice(address, address + sizeBytes);
  }

  write(address: number, bytes: Uint8Array): void {
    this.#u8.set(bytes, address);
  }

  #refresh(): void {
    const buffer = this.wasm.buffer;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#u32 = new Uint32Array(buffer);
    this.#u64 = new BigUint64Array(buffer);
    this.#view = new DataView(buffer);
  }
}
