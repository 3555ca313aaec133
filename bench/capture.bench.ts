/**
 * Reading captures from the page cache: how fast packets come out of a file, before anything is done with them. One run reads a
 * file of 100 MB and touches the first byte of every packet.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ethernetInterface, NANOSECONDS } from "../dataplane/capture/capture-interface.ts";
import { openCapture } from "../dataplane/capture/capture-reader.ts";
import { type PacketToWrite, PcapngWriter } from "../dataplane/capture/pcapng-writer.ts";
import type { Suite } from "./suite.ts";

const FILE_BYTES = 100e6;

export function captureSuite(): Suite {
  const directory = mkdtempSync(join(tmpdir(), "lamna-bench-"));
  const files = [
    { name: "pcapng, 64-byte packets", path: writePcapng(directory, 64) },
    { name: "pcapng, 1400-byte packets", path: writePcapng(directory, 1400) },
    { name: "pcap, 64-byte packets", path: writePcap(directory, 64) },
    { name: "pcap, 1400-byte packets", path: writePcap(directory, 1400) },
  ];
  return {
    name: "read a capture of 100 MB from the page cache",
    goal: "goal: 1 GB/s",
    tasks: files.map(({ name, path }) => ({
      name,
      run: () => touchEveryPacket(path),
      amount: { count: FILE_BYTES, unit: "byte" },
    })),
    close: () => rmSync(directory, { recursive: true }),
  };
}

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

function writePcapng(directory: string, packetBytes: number): string {
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

function writePcap(directory: string, packetBytes: number): string {
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
