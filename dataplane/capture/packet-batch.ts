/**
 * Packets as a reader hands them out: many at a time, as columns over the bytes of the file, so that a packet costs
 * neither a copy nor an allocation. A reader owns one batch and fills it again and again: whatever is taken from it
 * is good until the next call to the reader.
 */
export const FLAG_LITTLE_ENDIAN = 1; // of the section, and so of the packet's options
export const FLAG_HAS_TIMESTAMP = 2; // a Simple Packet Block has none

export class PacketBatch {
  readonly capacity: number;
  count = 0;
  /** What `offsets` are offsets into. Replaced when the reader's buffer grows, never while a batch is being used. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Where in the file `bytes` begins; file offset of packet i's data: bytesPosition + offsets[i]. */
  bytesPosition = 0;

  readonly offsets: Uint32Array;
  /** Bytes of the packet that are in the file. */
  readonly capturedBytes: Uint32Array;
  /** Bytes of the packet on the wire; never less than what was captured of it. */
  readonly originalBytes: Uint32Array;
  /** 64-bit timestamps in the units of the packet's interface, in two halves. */
  readonly timestampsHi: Uint32Array;
  readonly timestampsLo: Uint32Array;
  /** Positions in the reader's `interfaces`. */
  readonly interfaceIndexes: Uint32Array;
  /** The packet's options as they are in the file (pcapng-option.ts reads them); size 0: none. */
  readonly optionsOffsets: Uint32Array;
  readonly optionsBytes: Uint32Array;
  readonly flags: Uint8Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.offsets = new Uint32Array(capacity);
    this.capturedBytes = new Uint32Array(capacity);
    this.originalBytes = new Uint32Array(capacity);
    this.timestampsHi = new Uint32Array(capacity);
    this.timestampsLo = new Uint32Array(capacity);
    this.interfaceIndexes = new Uint32Array(capacity);
    this.optionsOffsets = new Uint32Array(capacity);
    this.optionsBytes = new Uint32Array(capacity);
    this.flags = new Uint8Array(capacity);
  }

  /** A view of packet i, for those who need one; it costs an allocation. */
  packet(i: number): Uint8Array {
    const offset = this.offsets[i]!;
    return this.bytes.subarray(offset, offset + this.capturedBytes[i]!);
  }
}
