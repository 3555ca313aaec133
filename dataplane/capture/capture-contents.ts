/**
 * Whole captures as plain data, for those who make or inspect small ones (fixtures, tests, tools). Replay uses the reader
 * and the writer, which hold no more than a few packets at a time.
 */
import { memorySource } from "./byte-source.ts";
import { type CaptureInterface, ethernetInterface, NANOSECONDS } from "./capture-interface.ts";
import { type CaptureReader, openCapture, readCapture } from "./capture-reader.ts";
import { FLAG_HAS_TIMESTAMP } from "./packet-batch.ts";
import { packetId, packetVerdict } from "./pcapng-option.ts";
import { PcapngWriter } from "./pcapng-writer.ts";
import { timestampClock, timestampFromNs } from "./timestamp.ts";

export interface CaptureContents {
  readonly interfaces: readonly CaptureInterface[];
  readonly packets: readonly CapturedPacket[];
}

export interface CapturedPacket {
  /** Since 1970. Undefined: the capture does not say. */
  readonly timeNs: bigint | undefined;
  readonly bytes: Uint8Array;
  /** On the wire, where the capture holds less. */
  readonly originalBytes: number;
  readonly interfaceIndex: number;
  readonly id: bigint | undefined;
  /** What an XDP program returned for it. */
  readonly verdict: bigint | undefined;
}

export interface PacketToEncode {
  readonly timeNs: bigint;
  readonly bytes: Uint8Array;
  /** Default: as many as there are bytes. */
  readonly originalBytes?: number;
  /** Default 0. */
  readonly interfaceIndex?: number;
  readonly id?: number;
  readonly verdict?: number;
}

/** A pcapng file. Without `interfaces`, one Ethernet interface that counts nanoseconds. */
export function encodePcapng(contents: {
  readonly interfaces?: readonly CaptureInterface[];
  readonly packets: Iterable<PacketToEncode>;
}): Uint8Array {
  const interfaces = contents.interfaces ?? [ethernetInterface(NANOSECONDS)];
  const parts: Uint8Array[] = [];
  const writer = new PcapngWriter((bytes) => parts.push(bytes.slice()));
  for (const on of interfaces) writer.addInterface(on);
  for (const packet of contents.packets) {
    const interfaceIndex = packet.interfaceIndex ?? 0;
    const on = interfaces[interfaceIndex];
    if (on === undefined)
      throw new RangeError(`packet of interface ${interfaceIndex}, there are ${interfaces.length}`);
    const { hi, lo } = timestampFromNs(on, packet.timeNs);
    writer.write({
      interfaceIndex,
      timestampHi: hi,
      timestampLo: lo,
      bytes: packet.bytes,
      offset: 0,
      capturedBytes: packet.bytes.length,
      originalBytes: packet.originalBytes ?? packet.bytes.length,
      id: packet.id,
      verdict: packet.verdict,
    });
  }
  writer.flush();
  return concatenate(parts);
}

/** Everything in a capture: a path, or the bytes of one. Throws CaptureError when it is not sound to the end. */
export async function decodeCapture(from: string | Uint8Array): Promise<CaptureContents> {
  const reader = typeof from === "string" ? await openCapture(from) : await readCapture(memorySource(from));
  try {
    return { interfaces: reader.interfaces, packets: await readPackets(reader) };
  } finally {
    await reader.close();
  }
}

async function readPackets(reader: CaptureReader): Promise<CapturedPacket[]> {
  const packets: CapturedPacket[] = [];
  for (let batch = await reader.nextBatch(); batch !== undefined; batch = await reader.nextBatch()) {
    for (let i = 0; i < batch.count; i++) {
      const interfaceIndex = batch.interfaceIndexes[i]!;
      const hasTime = (batch.flags[i]! & FLAG_HAS_TIMESTAMP) !== 0;
      const on = reader.interfaces[interfaceIndex]!;
      packets.push({
        timeNs: hasTime ? timestampClock(on)(batch.timestampsHi[i]!, batch.timestampsLo[i]!) : undefined,
        bytes: batch.packet(i).slice(),
        originalBytes: batch.originalBytes[i]!,
        interfaceIndex,
        id: packetId(batch, i),
        verdict: packetVerdict(batch, i),
      });
    }
  }
  return packets;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
