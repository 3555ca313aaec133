/**
 * `--expect`: what the program made of a capture, against a capture that says what it should have. Both are streams, read in step:
 * packet i of one is packet i of the other.
 */
import { type CaptureReader, openCapture } from "../../dataplane/capture/capture-reader.ts";
import type { PacketBatch } from "../../dataplane/capture/packet-batch.ts";
import { packetVerdict } from "../../dataplane/capture/pcapng-option.ts";

/** A packet as it left the program: bytes[offset, offset + sizeBytes), good for the length of the call. */
export interface ReplayedPacket {
  /** From 0, as in epb_packetid. */
  readonly number: number;
  /** Since the capture's first packet; undefined where it has no time. */
  readonly sinceStartNs: bigint | undefined;
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly verdict: number;
}

/** One packet that is not as expected. */
export interface Difference {
  readonly number: number;
  readonly sinceStartNs: bigint | undefined;
  /** Undefined where they are the same, or the expected capture has none. */
  readonly verdict: { readonly found: number; readonly expected: bigint } | undefined;
  /** First byte that differs, or the shorter one's length; undefined where all bytes are the same. */
  readonly offset: number | undefined;
  readonly found: Uint8Array;
  readonly expected: Uint8Array;
}

export interface ComparisonResult {
  readonly expectedName: string;
  /** False when one of the captures could not be read to its end; their counts then say nothing. */
  readonly isComplete: boolean;
  readonly foundPackets: number;
  readonly expectedPackets: number;
  /** Packets that both have and that differ. */
  readonly differingPackets: number;
  /** Packets whose verdict could be compared. */
  readonly verdictsCompared: number;
  /** Packets that the engine does not run, and that were compared with nothing. */
  readonly skippedPackets: number;
  /** The first of those that differ. */
  readonly differences: readonly Difference[];
}

export const DIFFERENCES_KEPT = 5;

export function isAsExpected(result: ComparisonResult): boolean {
  return result.isComplete && result.differingPackets === 0 && result.foundPackets === result.expectedPackets;
}

export class Comparison {
  readonly #reader: CaptureReader;
  #batch: PacketBatch | undefined;
  /** Position in the batch. */
  #next = 0;
  #isAtEnd = false;
  #foundPackets = 0;
  #expectedPackets = 0;
  #differingPackets = 0;
  #verdictsCompared = 0;
  #skippedPackets = 0;
  readonly #differences: Difference[] = [];

  private constructor(reader: CaptureReader) {
    this.#reader = reader;
  }

  /** Throws CaptureError. */
  static async open(path: string): Promise<Comparison> {
    return new Comparison(await openCapture(path));
  }

  /** How many packets `compare` can take now without waiting for the file: any number when it has ended. Throws CaptureError. */
  async prepare(): Promise<number> {
    const left = (this.#batch?.count ?? 0) - this.#next;
    if (left > 0) return left;
    if (!this.#isAtEnd) {
      this.#batch = await this.#reader.nextBatch();
      this.#next = 0;
      this.#isAtEnd = this.#batch === undefined;
    }
    return this.#batch?.count ?? Number.POSITIVE_INFINITY;
  }

  compare(packet: ReplayedPacket): void {
    this.#foundPackets++;
    const batch = this.#batch;
    if (batch === undefined) return;
    const i = this.#next++;
    this.#expectedPackets++;
    const expectedBytes = batch.capturedBytes[i]!;
    const offset = firstDifference(packet, batch.bytes, batch.offsets[i]!, expectedBytes);
    const expectedVerdict = packetVerdict(batch, i);
    if (expectedVerdict !== undefined) this.#verdictsCompared++;
    const isVerdictSame = expectedVerdict === undefined || expectedVerdict === BigInt(packet.verdict);
    if (offset === undefined && isVerdictSame) return;

    this.#differingPackets++;
    if (this.#differences.length >= DIFFERENCES_KEPT) return;
    this.#differences.push({
      number: packet.number,
      sinceStartNs: packet.sinceStartNs,
      verdict: isVerdictSame ? undefined : { found: packet.verdict, expected: expectedVerdict },
      offset,
      found: packet.bytes.slice(packet.offset, packet.offset + packet.sizeBytes),
      expected: batch.packet(i).slice(),
    });
  }

  /** In place of `compare`, for a packet that did not run: whatever is expected of it is right. */
  skip(): void {
    this.#foundPackets++;
    this.#skippedPackets++;
    if (this.#batch === undefined) return;
    this.#next++;
    this.#expectedPackets++;
  }

  /** Counts what is left of the expected capture. Throws CaptureError. */
  async finish(): Promise<ComparisonResult> {
    for (;;) {
      const left = await this.prepare();
      if (left === Number.POSITIVE_INFINITY) return { ...this.result, isComplete: true };
      this.#expectedPackets += left;
      this.#next += left;
    }
  }

  /** As far as it has come. */
  get result(): ComparisonResult {
    return {
      expectedName: this.#reader.name,
      isComplete: false,
      foundPackets: this.#foundPackets,
      expectedPackets: this.#expectedPackets,
      differingPackets: this.#differingPackets,
      verdictsCompared: this.#verdictsCompared,
      skippedPackets: this.#skippedPackets,
      differences: this.#differences,
    };
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}

function firstDifference(
  packet: ReplayedPacket,
  expected: Uint8Array,
  expectedOffset: number,
  expectedBytes: number,
): number | undefined {
  const { bytes, offset, sizeBytes } = packet;
  const common = Math.min(sizeBytes, expectedBytes);
  for (let i = 0; i < common; i++) if (bytes[offset + i] !== expected[expectedOffset + i]) return i;
  return sizeBytes === expectedBytes ? undefined : common;
}
