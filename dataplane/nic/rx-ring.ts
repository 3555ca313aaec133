/**
 * The descriptors of one receive queue: a bounded first-in, first-out row of frames that came in and were not looked at yet. Every
 * descriptor has a buffer of its own, as long as the longest frame; a frame is copied into it, as a NIC does.
 */
export interface QueuedFrame {
  readonly bytes: Uint8Array;
  readonly timestampNs: bigint;
  readonly ifindex: number;
}

export class RxRing {
  readonly size: number;
  readonly #frameBytesMax: number;
  readonly #lengths: Uint32Array;
  readonly #ifindexes: Uint32Array;
  readonly #timestampsNs: BigUint64Array;
  /** Made with the first frame: most runs never queue one. */
  #buffers: Uint8Array | undefined;
  #first = 0;
  #count = 0;

  /** Throws RangeError unless `size` is from 1 to 32768 descriptors. */
  constructor(size: number, frameBytesMax: number) {
    if (!Number.isInteger(size) || size < 1 || size > 32768) {
      throw new RangeError(`ring of ${size} descriptors, expected 1 to 32768`);
    }
    this.size = size;
    this.#frameBytesMax = frameBytesMax;
    this.#lengths = new Uint32Array(size);
    this.#ifindexes = new Uint32Array(size);
    this.#timestampsNs = new BigUint64Array(size);
  }

  get count(): number {
    return this.#count;
  }

  /** False when no descriptor is free. `bytes` must fit. */
  push(bytes: Uint8Array, timestampNs: bigint, ifindex: number): boolean {
    if (this.#count === this.size) return false;
    this.#buffers ??= new Uint8Array(this.size * this.#frameBytesMax);
    const at = (this.#first + this.#count) % this.size;
    this.#buffers.set(bytes, at * this.#frameBytesMax);
    this.#lengths[at] = bytes.length;
    this.#timestampsNs[at] = timestampNs;
    this.#ifindexes[at] = ifindex;
    this.#count++;
    return true;
  }

  /** The oldest frame, which `shift` frees; its bytes are live until then. Undefined when there is none. */
  peek(): QueuedFrame | undefined {
    if (this.#count === 0 || this.#buffers === undefined) return undefined;
    const start = this.#first * this.#frameBytesMax;
    return {
      bytes: this.#buffers.subarray(start, start + this.#lengths[this.#first]!),
      timestampNs: this.#timestampsNs[this.#first]!,
      ifindex: this.#ifindexes[this.#first]!,
    };
  }

  shift(): void {
    this.#first = (this.#first + 1) % this.size;
    this.#count--;
  }
}
