import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Comparison, type ComparisonResult, isAsExpected } from "../../../control/cli/replay-comparison.ts";
import { describeComparison } from "../../../control/cli/replay-difference.ts";
import { encodePcapng, type PacketToEncode } from "../../../dataplane/capture/capture-contents.ts";

const directory = mkdtempSync(join(tmpdir(), "lamna-comparison-"));
afterAll(() => rmSync(directory, { recursive: true }));

const XDP_PASS = 2;
const XDP_TX = 3;
const STYLE = { width: 120, hasUnicode: false, paint: (_style: string, text: string): string => text };

/** An IPv4 packet in an IPv4 packet, as forwarded: 172.16.104.123 to 10.0.0.x around 192.168.1.1:31337 to 10.200.1.1:80. */
function forwarded(
  backend: number,
  { outerChecksum = "0000", outerSource = "ac10687b", tcpChecksum = "abcd", payload = "" } = {},
): Uint8Array {
  const text =
    "0000deadbeaf 00005e005301 0800" +
    `4500003c 00000000 4004${outerChecksum} ${outerSource} 0a0000${backend.toString(16).padStart(2, "0")}` +
    "45000028 00010000 40060000 c0a80101 0ac80101" +
    `7a690050 00000001 00000002 50100200 ${tcpChecksum}0000 ${payload}`;
  return Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
}

async function compareWith(
  expected: readonly Omit<PacketToEncode, "timeNs">[],
  found: readonly { readonly bytes: Uint8Array; readonly verdict: number }[],
): Promise<ComparisonResult> {
  const path = join(directory, "expected.pcapng");
  writeFileSync(path, encodePcapng({ packets: expected.map((packet) => ({ timeNs: 0n, ...packet })) }));
  const comparison = await Comparison.open(path);
  for (const [number, { bytes, verdict }] of found.entries()) {
    await comparison.prepare();
    // Somewhere in a larger buffer, as a caller may have it.
    const buffer = Uint8Array.of(9, 9, 9, ...bytes, 9);
    comparison.compare({
      number,
      sinceStartNs: 1_500_000n,
      bytes: buffer,
      offset: 3,
      sizeBytes: bytes.length,
      verdict,
    });
  }
  const result = await comparison.finish();
  await comparison.close();
  return result;
}

describe("a comparison", () => {
  const bytes = forwarded(1);
  const tx = { bytes, verdict: XDP_TX };

  test.for([
    {
      name: "the same packets and verdicts",
      expected: [tx, tx],
      found: [tx, tx],
      isSame: true,
      differing: 0,
      verdicts: 2,
    },
    {
      name: "the same packets without verdicts",
      expected: [{ bytes }],
      found: [tx],
      isSame: true,
      differing: 0,
      verdicts: 0,
    },
    { name: "no packets", expected: [], found: [], isSame: true, differing: 0, verdicts: 0 },
    {
      name: "another verdict",
      expected: [tx],
      found: [{ bytes, verdict: XDP_PASS }],
      isSame: false,
      differing: 1,
      verdicts: 1,
    },
    {
      name: "another byte",
      expected: [{ bytes: forwarded(2) }],
      found: [tx],
      isSame: false,
      differing: 1,
      verdicts: 0,
    },
    {
      name: "a shorter packet",
      expected: [tx],
      found: [{ bytes: bytes.slice(0, -1), verdict: XDP_TX }],
      isSame: false,
      differing: 1,
      verdicts: 1,
    },
    {
      name: "a longer packet",
      expected: [{ bytes: bytes.slice(0, -1) }],
      found: [tx],
      isSame: false,
      differing: 1,
      verdicts: 0,
    },
    { name: "a packet too few", expected: [tx, tx], found: [tx], isSame: false, differing: 0, verdicts: 1 },
    { name: "a packet too many", expected: [tx], found: [tx, tx], isSame: false, differing: 0, verdicts: 1 },
  ])("of $name", async ({ expected, found, isSame, differing, verdicts }) => {
    const result = await compareWith(expected, found);
    expect(isAsExpected(result)).toBe(isSame);
    expect(result).toMatchObject({
      foundPackets: found.length,
      expectedPackets: expected.length,
      differingPackets: differing,
      verdictsCompared: verdicts,
    });
  });

  test("keeps the first differences and counts all", async () => {
    const wrong = { bytes: forwarded(2), verdict: XDP_TX };
    const result = await compareWith(new Array(40).fill(tx), new Array(40).fill(wrong));
    expect(result.differingPackets).toBe(40);
    expect(result.differences.map(({ number }) => number)).toEqual([0, 1, 2, 3, 4]);
  });

  test("keeps its place over several batches of the expected file", async () => {
    const many = Array.from({ length: 9000 }, (_, i) => ({
      bytes: Uint8Array.of(i & 0xff, i >> 8),
      verdict: XDP_TX,
    }));
    expect(isAsExpected(await compareWith(many, many))).toBe(true);
    const changed = many.with(8500, { bytes: Uint8Array.of(1), verdict: XDP_TX });
    expect((await compareWith(many, changed)).differences.map(({ number }) => number)).toEqual([8500]);
  });
});

describe("a difference reads", () => {
  test("as packet, time, verdicts, field and both hexdumps", async () => {
    const result = await compareWith(
      [{ bytes: forwarded(3), verdict: XDP_PASS }],
      [{ bytes: forwarded(2), verdict: XDP_TX }],
    );
    expect(describeComparison({ ...result, expectedName: "before.pcapng" }, STYLE)).toEqual([
      "packet 0 (frame 1 in Wireshark), 1.50 ms into the capture",
      "  verdict tx (3), expected pass (2)",
      "  to 10.0.0.2, expected 10.0.0.3",
      "  first different byte at offset 33: outer IPv4 destination 10.0.0.2, expected 10.0.0.3",
      "          found                                           | expected",
      "    0010  00 3c 00 00 00 00 40 04 00 00 ac 10 68 7b 0a 00 | 00 3c 00 00 00 00 40 04 00 00 ac 10 68 7b 0a 00",
      "  > 0020  00 02 45 00 00 28 00 01 00 00 40 06 00 00 c0 a8 | 00 03 45 00 00 28 00 01 00 00 40 06 00 00 c0 a8",
      "    0030  01 01 0a c8 01 01 7a 69 00 50 00 00 00 01 00 00 | 01 01 0a c8 01 01 7a 69 00 50 00 00 00 01 00 00",
      "    0040  00 02 50 10 02 00 ab cd 00 00                   | 00 02 50 10 02 00 ab cd 00 00",
      "",
      "1 of 1 packets differ from before.pcapng (bytes and verdicts compared)",
    ]);
  });

  test.for([
    {
      name: "another backend, of which the checksum is a consequence",
      found: forwarded(2, { outerChecksum: "61c8" }),
      expected: forwarded(3, { outerChecksum: "61c9" }),
      lines: [
        "  to 10.0.0.2, expected 10.0.0.3",
        "  first different byte but for checksums at offset 33: outer IPv4 destination 10.0.0.2, expected 10.0.0.3",
      ],
    },
    {
      name: "another source and another backend",
      found: forwarded(2, { outerChecksum: "61c8", outerSource: "ac100001" }),
      expected: forwarded(3, { outerChecksum: "61c9" }),
      lines: [
        "  to 10.0.0.2, expected 10.0.0.3",
        "  first different byte but for checksums at offset 28: outer IPv4 source 172.16.0.1, expected 172.16.104.123",
      ],
    },
    {
      name: "a checksum that nothing explains",
      found: forwarded(3, { outerChecksum: "61c8" }),
      expected: forwarded(3, { outerChecksum: "61c9" }),
      lines: ["  first different byte at offset 25: outer IPv4 header checksum 0x61c8, expected 0x61c9"],
    },
    {
      name: "a header checksum that a payload does not explain",
      found: forwarded(3, { outerChecksum: "61c8", payload: "01" }),
      expected: forwarded(3, { outerChecksum: "61c9", payload: "02" }),
      lines: ["  first different byte at offset 25: outer IPv4 header checksum 0x61c8, expected 0x61c9"],
    },
    {
      name: "payload, of which the checksum is a consequence",
      found: forwarded(3, { tcpChecksum: "abcd", payload: "ff01" }),
      expected: forwarded(3, { tcpChecksum: "abcc", payload: "ff02" }),
      lines: ["  first different byte but for checksums at offset 75"],
    },
  ])("by what tells most: $name", async ({ found, expected, lines }) => {
    const result = await compareWith([{ bytes: expected }], [{ bytes: found, verdict: XDP_TX }]);
    const [, ...text] = describeComparison(result, STYLE);
    expect(
      text.slice(
        0,
        text.findIndex((line) => line.includes("found ")),
      ),
    ).toEqual(lines);
  });

  test("with rows of eight bytes where the width is small", async () => {
    const result = await compareWith([{ bytes: forwarded(3) }], [{ bytes: forwarded(2), verdict: XDP_TX }]);
    const lines = describeComparison(result, { ...STYLE, width: 80 });
    expect(lines.find((line) => line.startsWith("  >"))).toBe(
      "  > 0020  00 02 45 00 00 28 00 01 | 00 03 45 00 00 28 00 01",
    );
    expect(Math.max(...lines.slice(3, 8).map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test("with the end of a packet that is cut", async () => {
    const result = await compareWith(
      [{ bytes: forwarded(2) }],
      [{ bytes: forwarded(2).slice(0, 40), verdict: XDP_TX }],
    );
    expect(describeComparison(result, STYLE).slice(1, 3)).toEqual([
      "  40 bytes, expected 74",
      "  first different byte at offset 40: inner IPv4 flags and fragment offset",
    ]);
  });

  test("with counts that differ", async () => {
    const result = await compareWith([{ bytes: forwarded(1) }, { bytes: forwarded(1) }], []);
    expect(describeComparison(result, STYLE).at(-1)).toBe("0 packets, expected 2");
  });
});
