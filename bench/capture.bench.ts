/**
 * Reading captures from the page cache: how fast packets come out of a file, before anything is done with them. The goal
 * is 1 GB of file a second. One iteration reads the whole file and touches the first byte of every packet.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, bench, describe } from "vitest";
import { ethernetInterface, NANOSECONDS } from "../dataplane/capture/capture-interface.ts";
import { openCapture } from "../dataplane/capture/capture-reader.ts";
import { type PacketToWrite, PcapngWriter } from "../dataplane/capture/pcapng-writer.ts";

const FILE_BYTES = 256 * 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), "lamna-bench-"));
afterAll(() => rmSync(directory, { recursive: true }));

const files = [
  { name: "pcapng, 64-byte packets", path: writePcapng(64) },
  { name: "pcapng, 1400-byte packets", path: writePcapng(1400) },
  { name: "pcap, 64-byte packets", path: writePcap(64) },
  { name: "pcap, 1400-byte packets", path: writePcap(1400) },
];

describe(`read ${FILE_BYTES / 1e6} MB (rate in files a second: times ${FILE_BYTES / 1e9} is GB/s)`, () => {
  for (const { name, path } of files) {
    bench(name, async () => void (await touchEveryPacket(path)), { time: 3000, iterations: 10 });
  }
});

async function touchEveryPacket(path: string): Promise<number> {
  const reader = await openCapture(path);
  let sum = 0;
  for (let batch = await reader.nextBatch(); batch !== undefined; batch = await reader.nextBatch()) {
    const { bytes, offsets, count } = batch;
    for (let i = 0; i < count; i++) sum += bytes[offsets[i]!]!;
  }
  await reader.close();
  return sum;
}

function writePcapng(packetBytes: number): string {
  const path = join(directory, `${packetBytes}.pcapng`);
  const descriptor = openSync(path, "w");
  const writer = new PcapngWriter((bytes) => writeSync(descriptor, bytes));
  writer.addInterface(ethernetInterface(NANOSECONDS));
  const packet: PacketToWrite = {
    interfaceIndex: 0,
    timestampHi: 0,
    timestampLo: 0,
    bytes: new Uint8Array(packetBytes).fill(0x5a),
    offset: 0,
    capturedBytes: packetBytes,
    originalBytes: packetBytes,
    id: undefined,
    verdict: undefined,
  };
  for (let written = 0; written < FILE_BYTES; written += packetBytes + 32) writer.write(packet);
  writer.flush();
  closeSync(descriptor);
  return path;
}

function writePcap(packetBytes: number): string {
  const path = join(directory, `${packetBytes}.pcap`);
  const descriptor = openSync(path, "w");
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262144, 16);
  header.writeUInt32LE(1, 20);
  writeSync(descriptor, header);
  const packet = Buffer.alloc(16 + packetBytes, 0x5a);
  packet.writeUInt32LE(packetBytes, 8);
  packet.writeUInt32LE(packetBytes, 12);
  const many = Buffer.concat(new Array<Buffer>(1024).fill(packet));
  for (let written = 0; written < FILE_BYTES; written += many.length) writeSync(descriptor, many);
  closeSync(descriptor);
  return path;
}
