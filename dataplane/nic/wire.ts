/**
 * Where frames go that leave an interface. Bytes are lent for the length of the call: a wire that keeps them copies them.
 */
export interface Wire {
  transmit(frame: Uint8Array, timestampNs: bigint): void;
}

export interface KeptFrame {
  readonly bytes: Uint8Array;
  readonly timestampNs: bigint;
}

/** A wire that keeps copies of what it was given, in order: for tests and small captures. */
export class RecordingWire implements Wire {
  readonly frames: KeptFrame[] = [];

  transmit(frame: Uint8Array, timestampNs: bigint): void {
    this.frames.push({ bytes: frame.slice(), timestampNs });
  }
}
