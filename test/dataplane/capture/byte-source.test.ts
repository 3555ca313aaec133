import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { encodePcapng } from "../../../dataplane/capture/capture-contents.ts";
import { CaptureError } from "../../../dataplane/capture/capture-error.ts";
import { openCapture } from "../../../dataplane/capture/capture-reader.ts";
import { lacks, mkfifo } from "../../needs.ts";
import { readAll } from "./read-all.ts";

const directory = mkdtempSync(join(tmpdir(), "lamna-byte-source-"));
afterAll(() => rmSync(directory, { recursive: true }));

// 3 MB: more than a pipe or a window holds.
const packets = Array.from({ length: 3000 }, (_, i) => new Uint8Array(1000).fill(i & 0xff));
const capture = encodePcapng({ packets: packets.map((bytes, i) => ({ timeNs: BigInt(i), bytes })) });
const path = join(directory, "capture.pcapng");
writeFileSync(path, capture);

async function countPackets(from: string): Promise<number> {
  const reader = await openCapture(from, { windowBytes: 65536 });
  let count = 0;
  for (let batch = await reader.nextBatch(); batch !== undefined; batch = await reader.nextBatch()) {
    for (let i = 0; i < batch.count; i++) expect(batch.packet(i)[0]).toBe((count + i) & 0xff);
    count += batch.count;
  }
  await reader.close();
  return count;
}

test("a file says how far it has been read", async () => {
  const reader = await openCapture(path, { windowBytes: 65536 });
  expect(reader.progress.sizeBytes).toBe(capture.length);
  await reader.nextBatch();
  expect(reader.progress.positionBytes).toBe(65536);
  await reader.close();
});

test("a file is read whole", async () => {
  expect(await countPackets(path)).toBe(3000);
});

test.skipIf(lacks("reading from a named pipe", mkfifo))("a named pipe is read as it comes", async () => {
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  const copy = "fs.writeFileSync(process.argv[2], fs.readFileSync(process.argv[1]))";
  const writer = spawn(process.execPath, ["-e", copy, path, pipe]);
  expect(await countPackets(pipe)).toBe(3000);
  writer.kill();
});

test("a gzip-compressed capture is unpacked", async () => {
  const packed = join(directory, "capture.pcapng.gz");
  writeFileSync(packed, gzipSync(capture));
  expect(await countPackets(packed)).toBe(3000);
});

test("a gzip-compressed capture may be closed before its end", async () => {
  const packed = join(directory, "early.pcapng.gz");
  writeFileSync(packed, gzipSync(capture));
  const reader = await openCapture(packed, { windowBytes: 4096 });
  expect((await reader.nextBatch())?.count).toBeGreaterThan(0);
  await reader.close();
  expect(await reader.nextBatch()).toBeUndefined();
});

test("gzip data cut short gives whole packets and then an error", async () => {
  const packed = gzipSync(capture);
  const { packets: found, error } = await readAll(packed.subarray(0, packed.length - 100));
  expect(found.length).toBeGreaterThan(0);
  expect(error).toMatchObject({ code: "truncated" });
});

test("gzip data that is damaged is an error", async () => {
  const packed = gzipSync(capture);
  packed.fill(0xff, 100, 200);
  expect((await readAll(packed)).error).toMatchObject({ code: "bad-block" });
});

test("gzip in gzip is refused", async () => {
  expect((await readAll(gzipSync(gzipSync(capture)))).error).toMatchObject({ code: "unsupported-format" });
});

test.for([
  { name: "a file that is not there", path: "nowhere.pcap", words: /nowhere\.pcap: no such file/ },
  { name: "a directory", path: ".", words: /is a directory/ },
])("$name is refused by name", async ({ path, words }) => {
  const opened = openCapture(join(directory, path));
  await expect(opened).rejects.toThrow(CaptureError);
  await expect(opened).rejects.toThrow(words);
});
