/**
 * Our captures against Wireshark's own programs: what we write they read without complaint and the same, and what they make of it
 * in other formats we read the same.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  decodeCapture,
  encodePcapng,
  type PacketToEncode,
} from "../../../dataplane/capture/capture-contents.ts";
import {
  ethernetInterface,
  MICROSECONDS,
  NANOSECONDS,
} from "../../../dataplane/capture/capture-interface.ts";
import { lacks, wireshark } from "../../needs.ts";
import {
  BYTE_ORDERS,
  type ByteOrder,
  block,
  data,
  enhancedPacket,
  interfaceDescription,
  join as joinBytes,
  option,
  pack,
  pcapHeader,
  pcapPacket,
  sectionHeader,
} from "./bytes.ts";

describe.skipIf(lacks("captures against Wireshark's programs", wireshark))("Wireshark's programs", () => {
  let directory = "";
  let path = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "lamna-tshark-"));
    path = join(directory, "ours.pcapng");
    writeFileSync(path, written);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const interfaces = [
    {
      ...ethernetInterface(NANOSECONDS, 262_144),
      options: [{ code: 2, value: new TextEncoder().encode("eth0") }],
    },
    ethernetInterface(MICROSECONDS, 1600),
    { ...ethernetInterface(3), timestampOffsetSeconds: 1_000_000n },
  ];
  const start = 1_767_225_600_000_000_000n;
  const packets: Required<PacketToEncode>[] = Array.from({ length: 300 }, (_, i) => ({
    timeNs: start + BigInt(i) * 1_000_000n + (i % 3 === 0 ? BigInt(i) : 0n),
    bytes: Uint8Array.from({ length: 14 + ((i * 37) % 1500) }, (_, j) =>
      j === 12 || j === 13 ? 0x88 : (i * 7 + j) & 0xff,
    ),
    originalBytes: 14 + ((i * 37) % 1500) + (i % 4 === 0 ? 100 : 0),
    interfaceIndex: i % 3,
    id: i,
    verdict: i % 5,
  }));
  const written = encodePcapng({ interfaces, packets });

  function run(program: string, args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(program, args, {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    const complaints = stderr
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("Running as user"));
    expect({ program, status, complaints }).toEqual({ program, status: 0, complaints: [] });
    return stdout;
  }

  test("tshark reads our ids, verdicts, times, lengths and interfaces", () => {
    const fields = [
      "frame.packet_id",
      "frame.verdict.ebpf_xdp",
      "frame.time_epoch",
      "frame.cap_len",
      "frame.len",
      "frame.interface_id",
    ];
    const rows = run("tshark", [
      "-n",
      "-r",
      path,
      "-T",
      "fields",
      ...fields.flatMap((field) => ["-e", field]),
    ]);
    const expected = packets.map((packet) => {
      return [
        packet.id,
        packet.verdict,
        epoch(packet.timeNs),
        packet.bytes.length,
        packet.originalBytes,
        packet.interfaceIndex,
      ].join("\t");
    });
    expect(rows.trimEnd().split("\n")).toEqual(expected);
  });

  test("capinfos counts what we wrote", () => {
    const table = run("capinfos", ["-T", "-m", "-Q", "-c", "-d", "-I", path]);
    expect(table).toContain(String(packets.length));
    expect(table).toContain(String(packets.reduce((sum, packet) => sum + packet.originalBytes, 0)));
  });

  test.for([
    { name: "pcapng", unit: 1n },
    { name: "pcap", unit: 1000n },
    { name: "nsecpcap", unit: 1n },
  ])("what editcap makes of it as $name is read the same", async ({ name, unit }) => {
    const converted = join(directory, `converted.${name}`);
    run("editcap", ["-F", name, path, converted]);
    const found = await decodeCapture(converted);
    expect(found.packets).toHaveLength(packets.length);
    for (const [i, packet] of packets.entries()) {
      const { timeNs, bytes, originalBytes, id } = found.packets[i]!;
      expect(timeNs).toBe((packet.timeNs / unit) * unit);
      expect(Buffer.compare(bytes, packet.bytes)).toBe(0);
      expect(originalBytes).toBe(packet.originalBytes);
      // Not the verdict: editcap 4.0 writes it under the number of another option.
      if (name === "pcapng") expect(id).toBe(BigInt(packet.id));
    }
  });

  test("what editcap cuts is read as cut", async () => {
    const cut = join(directory, "cut.pcapng");
    run("editcap", ["-s", "60", path, cut]);
    const found = await decodeCapture(cut);
    expect(found.packets.map((packet) => packet.bytes.length)).toEqual(
      packets.map(({ bytes }) => Math.min(60, bytes.length)),
    );
    expect(found.packets.map((packet) => packet.originalBytes)).toEqual(
      packets.map((packet) => packet.originalBytes),
    );
  });

  test("what mergecap makes of two files has all interfaces and packets", async () => {
    const merged = join(directory, "merged.pcapng");
    run("mergecap", ["-a", "-I", "none", "-w", merged, path, path]);
    const found = await decodeCapture(merged);
    expect(found.interfaces).toHaveLength(6);
    expect(found.packets.map((packet) => packet.timeNs)).toEqual(
      [...packets, ...packets].map((packet) => packet.timeNs),
    );
    expect(found.packets.map((packet) => packet.interfaceIndex)).toEqual([
      ...packets.map((packet) => packet.interfaceIndex),
      ...packets.map((packet) => packet.interfaceIndex + 3),
    ]);
  });

  test.for(
    BYTE_ORDERS.flatMap((order) => [
      { name: `${order} pcapng`, bytes: handMadePcapng(order) },
      { name: `${order} pcap`, bytes: handMadePcap(order, 0xa1b2c3d4) },
      { name: `${order} nanosecond pcap`, bytes: handMadePcap(order, 0xa1b23c4d) },
    ]),
  )("a $name file that neither wrote is the same to both", async ({ bytes }) => {
    const file = join(directory, "hand-made");
    writeFileSync(file, bytes);
    const fields = ["frame.time_epoch", "frame.cap_len", "frame.len"];
    const rows = run("tshark", [
      "-n",
      "-r",
      file,
      "-T",
      "fields",
      ...fields.flatMap((field) => ["-e", field]),
    ]);
    const { packets: found } = await decodeCapture(file);
    expect(found).toHaveLength(2);
    expect(rows.trimEnd().split("\n")).toEqual(
      found.map(
        ({ timeNs, bytes, originalBytes }) => `${epoch(timeNs ?? 0n)}\t${bytes.length}\t${originalBytes}`,
      ),
    );
  });

  test("two of our files in a row are two sections to both", async () => {
    const twice = join(directory, "twice.pcapng");
    writeFileSync(twice, Buffer.concat([written, written]));
    expect((await decodeCapture(twice)).packets).toHaveLength(2 * packets.length);
    const ids = execFileSync("tshark", ["-n", "-r", twice, "-T", "fields", "-e", "frame.packet_id"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(ids.trimEnd().split("\n")).toHaveLength(2 * packets.length);
  });
});

/** Seconds since 1970 as tshark writes them. */
function epoch(timeNs: bigint): string {
  return `${timeNs / 1_000_000_000n}.${String(timeNs % 1_000_000_000n).padStart(9, "0")}`;
}

function handMadePcapng(order: ByteOrder): Uint8Array {
  const options = joinBytes(
    option(order, 9, Uint8Array.of(9)),
    option(order, 14, pack(order, [[8, 1_000_000_000]])),
  );
  return joinBytes(
    sectionHeader(order),
    interfaceDescription(order, { snapLength: 100, options }),
    enhancedPacket(order, data(60), { timestamp: 700_000_000_123_456_789n }),
    block(
      order,
      5,
      pack(order, [
        [4, 0],
        [4, 1],
        [4, 2],
      ]),
    ),
    enhancedPacket(order, data(100), { timestamp: 700_000_000_123_456_790n, originalBytes: 1514 }),
  );
}

function handMadePcap(order: ByteOrder, magic: number): Uint8Array {
  return joinBytes(
    pcapHeader(order, { magic }),
    pcapPacket(order, data(60), { seconds: 1_700_000_000, fraction: 123_456 }),
    pcapPacket(order, data(61), { seconds: 1_700_000_001, fraction: 999_999, originalBytes: 1514 }),
  );
}
