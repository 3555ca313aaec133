/**
 * A ring of records in linear memory, the storage of a RINGBUF and of each CPU's perf buffer (kernel/bpf/ringbuf.c, Linux 6.18).
 *
 *   control page      0 u64 consumer position    8 u64 producer position    16 u32 id of the map    20 u32 records lost
 *   data, from base + 4096
 *   record            0 u32 length of the data | BUSY | DISCARD     4 u32 page of the record, counted from base
 *                     8 data, padded to 8
 *
 * Positions only grow; position modulo capacity is the place in the data. The kernel maps its data pages twice in a row, so that a
 * record over the end is still in one piece. Linear memory has no such trick, so as many bytes again lie behind the data, and a
 * record simply runs on into them: no two records overlap by position, so none do here.
 *
 * The consumer stops at a record that is still BUSY, so records come out in the order in which they were reserved.
 */
import type { Memory } from "../memory.ts";
import { roundUp } from "./map-access.ts";

const PAGE_BYTES = 4096;
const CONTROL_CONSUMER = 0;
const CONTROL_PRODUCER = 8;
const CONTROL_ID = 16;
const CONTROL_LOST = 20;

const RECORD_HEADER_BYTES = 8;
const RECORD_PAGE = 4;
const RECORD_BUSY = 0x8000_0000;
const RECORD_DISCARD = 0x4000_0000;
const RECORD_LENGTH_MASK = 0x3fff_ffff;
/** The kernel's RINGBUF_MAX_RECORD_SZ. */
const RECORD_BYTES_MAX = 0x3fff_ffff;

export class RecordRing {
  readonly base: number;
  readonly capacityBytes: number;
  readonly #memory: Memory;

  /** `capacityBytes` is a power of two. */
  constructor(memory: Memory, ring: { readonly capacityBytes: number; readonly mapId: number }) {
    this.#memory = memory;
    this.capacityBytes = ring.capacityBytes;
    this.base = memory.allocate(PAGE_BYTES + 2 * ring.capacityBytes, PAGE_BYTES);
    memory.view.setUint32(this.base + CONTROL_ID, ring.mapId, true);
  }

  get consumerPosition(): number {
    return this.#position(CONTROL_CONSUMER);
  }

  get producerPosition(): number {
    return this.#position(CONTROL_PRODUCER);
  }

  /** Records that found no room, since the start. */
  get lostCount(): number {
    return this.#memory.view.getUint32(this.base + CONTROL_LOST, true);
  }

  countLost(): void {
    this.#memory.view.setUint32(this.base + CONTROL_LOST, this.lostCount + 1, true);
  }

  /** The data's address of a new, BUSY record; 0 when it does not fit. */
  reserve(sizeBytes: number): number {
    if (sizeBytes > RECORD_BYTES_MAX) return 0;
    const total = roundUp(sizeBytes + RECORD_HEADER_BYTES, 8);
    const producer = this.producerPosition;
    // One step less than the capacity may be in use: equal positions mean empty.
    if (producer + total - this.consumerPosition > this.capacityBytes - 1) return 0;
    const record = this.#recordAt(producer);
    const { view } = this.#memory;
    view.setUint32(record, (sizeBytes | RECORD_BUSY) >>> 0, true);
    view.setUint32(record + RECORD_PAGE, (record - this.base) >>> 12, true);
    this.#setPosition(CONTROL_PRODUCER, producer + total);
    return record + RECORD_HEADER_BYTES;
  }

  /** Ends the reservation of the record whose data is at `address`, which `reserve` returned and nothing ended yet. */
  commit(address: number, isDiscarded: boolean): void {
    const { view } = this.#memory;
    const header = address - RECORD_HEADER_BYTES;
    const length = view.getUint32(header, true) & RECORD_LENGTH_MASK;
    view.setUint32(header, isDiscarded ? length | RECORD_DISCARD : length, true);
  }

  /** Length of the data of a BUSY record; undefined once it is committed. */
  reservedSize(address: number): number | undefined {
    const word = this.#memory.view.getUint32(address - RECORD_HEADER_BYTES, true);
    return word >= RECORD_BUSY ? word & RECORD_LENGTH_MASK : undefined;
  }

  /**
   * Hands out the records that are complete, at most `limit` of them, and frees each when `use` returns: the bytes are live
   * memory, so copy what is to be kept. Returns how many were handed out; discarded ones are passed over.
   */
  consume(use: (data: Uint8Array) => void, limit: number = Number.POSITIVE_INFINITY): number {
    let count = 0;
    let consumer = this.consumerPosition;
    while (count < limit && consumer < this.producerPosition) {
      const record = this.#recordAt(consumer);
      const word = this.#memory.view.getUint32(record, true);
      if (word >= RECORD_BUSY) break;
      const length = word & RECORD_LENGTH_MASK;
      if ((word & RECORD_DISCARD) === 0) {
        const start = record + RECORD_HEADER_BYTES;
        use(this.#memory.u8.subarray(start, start + length));
        count++;
      }
      consumer += roundUp(length + RECORD_HEADER_BYTES, 8);
      this.#setPosition(CONTROL_CONSUMER, consumer);
    }
    return count;
  }

  #recordAt(position: number): number {
    return this.base + PAGE_BYTES + (position % this.capacityBytes);
  }

  // Two words rather than a BigInt: exact up to 2^53 bytes, and nothing is allocated.
  #position(field: number): number {
    const { view } = this.#memory;
    return view.getUint32(this.base + field, true) + view.getUint32(this.base + field + 4, true) * 2 ** 32;
  }

  #setPosition(field: number, position: number): void {
    const { view } = this.#memory;
    view.setUint32(this.base + field, position >>> 0, true);
    view.setUint32(this.base + field + 4, Math.floor(position / 2 ** 32), true);
  }
}

/** The id of the map whose record's data is at `address`, found from the record alone, as the kernel finds its ring. */
export function ringOfRecord(memory: Memory, address: number): number {
  const record = address - RECORD_HEADER_BYTES;
  const page = memory.view.getUint32(record + RECORD_PAGE, true);
  const base = (Math.floor(record / PAGE_BYTES) - page) * PAGE_BYTES;
  return memory.view.getUint32(base + CONTROL_ID, true);
}
