/**
 * Reads a BPF ring buffer (BPF_MAP_TYPE_RINGBUF, kernel/bpf/ringbuf.c, Linux 5.8) through its memory, without a syscall an event.
 *
 *     page 0    consumer position, writable: up to where we have read
 *     page 1    producer position, read-only: up to where programs have reserved
 *     then      the data twice in a row, read-only, so that a record across the end lies in one piece
 *
 * Positions count bytes and never go back. A record is a header of eight bytes (length, of which bit 31 says that it is not committed
 * yet and bit 30 that it is to be skipped; the other half is the kernel's), then its data, rounded up to eight bytes.
 *
 * The kernel wakes a reader only for a record that comes after everything else was read. What is left over when a bound is reached is
 * come back to nevertheless, since the event loop polls level-triggered.
 */
import { Descriptor } from "./descriptor.ts";
import { KernelError, systemError } from "./kernel-error.ts";
import { checked, libc } from "./libc.ts";
import { pageSizeBytes } from "./mapping.ts";
import { lastErrno, memoryAt, type Pointer, type Polling, pollDescriptor } from "./native.ts";
import { readInfo } from "./program-info.ts";

export interface EventRingOptions {
  /** Gets a copy of each event's bytes. May close the ring. What it throws is the event loop's; the event counts as read. */
  readonly onEvent: (bytes: Uint8Array) => void;
  /** What one turn of the event loop reads at most, so that other work has its turn. Default: 4096. */
  readonly eventsPerWakeMax?: number;
  /** Whether waiting for events keeps the process alive. Default: false. */
  readonly isRef?: boolean;
}

const EVENTS_PER_WAKE_MAX = 4096;

const BPF_MAP_TYPE_RINGBUF = 27;
/** Of struct bpf_map_info: type, max_entries (here the size of the data in bytes). */
const MAP_INFO = { sizeBytes: 24, type: 0, maxEntries: 16 };

const HEADER_BYTES = 8;
/** Bits of a header's first word. */
const BUSY = 31;
const DISCARD = 30;
const LENGTH_MASK = 0x3fff_ffff;

const F_DUPFD_CLOEXEC = 1030;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** Events of one ring buffer, in the order in which programs reserved them. Only one reader may be at a ring: the position is the ring's. */
export class EventRing {
  readonly #descriptor: Descriptor;
  readonly #onEvent: (bytes: Uint8Array) => void;
  readonly #eventsMax: number;
  #memory: RingMemory | undefined;
  #polling: Polling | undefined;

  /** `map` stays the caller's, who may close it. Throws KernelError, "wrong-layout" when it is no ring buffer. */
  constructor(map: Descriptor, options: EventRingOptions) {
    const info = readInfo(map, MAP_INFO.sizeBytes);
    const type = info.u32(MAP_INFO.type);
    if (type !== BPF_MAP_TYPE_RINGBUF) {
      const why = `is a map of type ${type}, expected ${BPF_MAP_TYPE_RINGBUF} (ring buffer)`;
      throw new KernelError("wrong-layout", map.what, why);
    }
    this.#onEvent = options.onEvent;
    this.#eventsMax = options.eventsPerWakeMax ?? EVENTS_PER_WAKE_MAX;
    // Of our own, so that polling never meets a descriptor that somebody closed.
    const copy = checked(libc().fcntl(map.fd, F_DUPFD_CLOEXEC, 0), `copy the descriptor of ${map.what}`);
    this.#descriptor = new Descriptor(copy, map.what);
    try {
      this.#memory = mapRing(this.#descriptor, info.u32(MAP_INFO.maxEntries));
      this.#polling = pollDescriptor(this.#descriptor, () => this.drain(), { isRef: options.isRef ?? false });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get isClosed(): boolean {
    return this.#memory === undefined;
  }

  /** Reads what is there now, at most as much as one wake does; returns how many events. Throws KernelError "closed". */
  drain(): number {
    if (this.#memory === undefined) throw new KernelError("closed", this.#descriptor.what, "is closed");
    const { data, mask } = this.#memory;
    let count = 0;
    let visited = 0;
    // Asked for anew each time: the callback may have closed the ring, and then its memory is gone.
    for (
      let memory = this.#ready();
      memory !== undefined && visited < this.#eventsMax;
      memory = this.#ready()
    ) {
      visited++;
      const position = Atomics.load(memory.consumer, 0);
      const offset = Number(position & mask);
      const header = Atomics.load(data.words, offset >> 2);
      if (header >>> BUSY === 1) break;
      const length = header & LENGTH_MASK;
      const isEvent = ((header >>> DISCARD) & 1) === 0;
      const start = offset + HEADER_BYTES;
      const bytes = isEvent ? data.bytes.slice(start, start + length) : undefined;
      Atomics.store(memory.consumer, 0, position + BigInt(Math.ceil((length + HEADER_BYTES) / 8) * 8));
      if (bytes === undefined) continue;
      count++;
      this.#onEvent(bytes);
    }
    return count;
  }

  /** At any time, also from within `onEvent`. Again is harmless. What was not read stays in the map. */
  close(): void {
    this.#polling?.close();
    this.#polling = undefined;
    const memory = this.#memory;
    this.#memory = undefined;
    if (memory !== undefined) unmapRing(memory);
    this.#descriptor.close();
  }

  /** The memory, when it is open and has a record that was not read. */
  #ready(): RingMemory | undefined {
    const memory = this.#memory;
    if (memory === undefined) return undefined;
    return Atomics.load(memory.consumer, 0) < Atomics.load(memory.producer, 0) ? memory : undefined;
  }
}

interface RingMemory {
  /** One element. */
  readonly consumer: BigUint64Array;
  readonly producer: BigUint64Array;
  readonly data: { readonly bytes: Uint8Array; readonly words: Uint32Array };
  readonly mask: bigint;
  readonly pages: readonly { readonly address: Pointer; readonly sizeBytes: number }[];
}

/** Throws KernelError, with nothing mapped. */
function mapRing(descriptor: Descriptor, sizeBytes: number): RingMemory {
  const pageBytes = pageSizeBytes();
  const consumer = map(descriptor, { sizeBytes: pageBytes, protection: PROT_READ | PROT_WRITE, offset: 0 });
  const producerBytes = pageBytes + 2 * sizeBytes;
  let producer: Pointer;
  try {
    producer = map(descriptor, { sizeBytes: producerBytes, protection: PROT_READ, offset: pageBytes });
  } catch (error) {
    libc().munmap(consumer, pageBytes);
    throw error;
  }
  const data = memoryAt(producer + BigInt(pageBytes), 2 * sizeBytes);
  return {
    consumer: new BigUint64Array(memoryAt(consumer, 8)),
    producer: new BigUint64Array(memoryAt(producer, 8)),
    data: { bytes: new Uint8Array(data), words: new Uint32Array(data) },
    mask: BigInt(sizeBytes - 1),
    pages: [
      { address: consumer, sizeBytes: pageBytes },
      { address: producer, sizeBytes: producerBytes },
    ],
  };
}

function unmapRing({ pages }: RingMemory): void {
  for (const { address, sizeBytes } of pages) libc().munmap(address, sizeBytes);
}

function map(
  descriptor: Descriptor,
  part: { readonly sizeBytes: number; readonly protection: number; readonly offset: number },
): Pointer {
  const { sizeBytes, protection, offset } = part;
  const address = libc().mmap(null, sizeBytes, protection, MAP_SHARED, descriptor.fd, offset);
  if (address === MAP_FAILED) throw systemError(`map the memory of ${descriptor.what}`, lastErrno());
  return address;
}
