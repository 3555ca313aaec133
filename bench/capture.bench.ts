/**
 * Reading captures from the page cache: how fast packets come out of a file, before anything is done with them. The goal
 * is 1 GB of file a second. One iteration reads a file of 100 MB and touches the first byte of every packet, so a rate of 10
 * files a second is 1 GB/s; the lines printed at the end say it in GB/s, as median and quartiles of the iterations.
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, bench, describe } from "vitest";
import { ethernetInterface, NANOSECONDS } from "../dataplane/capture/capture-interface.ts";
import { openCapture } from "../dataplane/capture/capture-reader.ts";
import { type PacketToWrite, PcapngWriter } from "../dataplane/capture/pcapng-writer.ts";

const FILE_BYTES = 100e6;
const directory = mkdtempSync(join(tmpdir(), "lamna-bench-"));
afterAll(() => rmSync(directory, { recursive: true }));

const files = [
  { name: "pcapng, 64-byte packets", path: writePcapng(64) },
  { name: "pcapng, 1400-byte packets", path: writePcapng(1400) },
  { name: "pcap, 64-byte packets", path: writePcap(64) },
  { name: "pcap, 1400-byte packets", path: writePcap(1400) },
];

const rates = new Map<string, number[]>(files.map(({ name }) => [name, []]));

describe("read 100 MB from the page cache", () => {
  for (const { name, path } of files) {
    const options = { time: 2000, iterations: 10, warmupIterations: 5 };
    bench(
      name,
      async () => {
        const startMs = performance.now();
        await touchEveryPacket(path);
        rates.get(name)?.push(FILE_BYTES / 1e6 / (performance.now() - startMs));
      },
      options,
    );
  }
});

afterAll(() => {
  for (const [name, found] of rates) {
    const sorted = found.sort((a, b) => a - b);
    const at = (fraction: number): string => sorted[Math.floor((sorted.length - 1) * fraction)]!.toFixed(2);
    console.log(
      `${name.padEnd(26)} ${at(0.5)} GB/s (quartiles ${at(0.25)} to ${at(0.75)}, ${sorted.length} runs)`,
    );
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
