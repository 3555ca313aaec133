import { describe, expect, test } from "vitest";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import { BYTE_ORDERS, data, join, pcapHeader, pcapPacket } from "./bytes.ts";
import { readAll } from "./read-all.ts";

describe.for(BYTE_ORDERS)("a %s pcap file", (order) => {
  test("with microseconds is read", async () => {
    const bytes = join(
      pcapHeader(order),
      pcapPacket(order, data(60), { seconds: 1_700_000_000, fraction: 999_999 }),
      pcapPacket(order, data(5, 9), { seconds: 0xffffffff, fraction: 1, originalBytes: 1500 }),
    );
    const { interfaces, packets } = await decodeCapture(bytes);
    expect(interfaces).toEqual([
      { linkType: 1, snapLength: 65535, timestampResolution: 6, timestampOffsetSeconds: 0n, options: [] },
    ]);
    expect(packets).toEqual([
      {
        timeNs: 1_700_000_000_999_999_000n,
        bytes: data(60),
        originalBytes: 60,
        interfaceIndex: 0,
        id: undefined,
        verdict: undefined,
      },
      {
        timeNs: 4_294_967_295_000_001_000n,
        bytes: data(5, 9),
        originalBytes: 1500,
        interfaceIndex: 0,
        id: undefined,
        verdict: undefined,
      },
    ]);
  });

  test("with nanoseconds is read", async () => {
    const bytes = join(
      pcapHeader(order, { magic: 0xa1b23c4d }),
      pcapPacket(order, data(1), { seconds: 1_700_000_000, fraction: 123_456_789 }),
      pcapPacket(order, data(1), { seconds: 0xffffffff, fraction: 0xffffffff }),
      pcapPacket(order, data(1), { seconds: 0, fraction: 7 }),
    );
    const { interfaces, packets } = await decodeCapture(bytes);
    expect(interfaces[0]?.timestampResolution).toBe(9);
    expect(packets.map((packet) => packet.timeNs)).toEqual([
      1_700_000_000_123_456_789n,
      0xffffffffn * 1_000_000_000n + 0xffffffffn,
      7n,
    ]);
  });

  test("without packets is an empty capture", async () => {
    expect(await readAll(pcapHeader(order))).toEqual({ packets: [], error: undefined });
  });

  test("with an empty packet is read", async () => {
    expect((await readAll(join(pcapHeader(order), pcapPacket(order, data(0))))).packets).toEqual([data(0)]);
  });

  test("with a captured length over the original one believes the bytes", async () => {
    const bytes = join(pcapHeader(order), pcapPacket(order, data(20), { originalBytes: 10 }));
    expect((await decodeCapture(bytes)).packets[0]?.originalBytes).toBe(20);
  });

  test("with a packet over its own snap length is read", async () => {
    const bytes = join(pcapHeader(order), pcapPacket(order, data(70_000)));
    expect((await readAll(bytes)).packets).toEqual([data(70_000)]);
  });

  test("with a check sequence announced beside the link type is read", async () => {
    const bytes = join(pcapHeader(order, { linkType: 0x44000001 }), pcapPacket(order, data(64)));
    expect((await readAll(bytes)).packets).toEqual([data(64)]);
  });

  test.for([
    { name: "in the file header", keep: 23, packets: 0, offset: 23 },
    { name: "in the first packet's header", keep: 24 + 15, packets: 0, offset: 39 },
    { name: "before the first packet's data", keep: 24 + 16, packets: 0, offset: 40 },
    { name: "in the second packet's header", keep: 24 + 26 + 1, packets: 1, offset: 51 },
    { name: "before the last byte", keep: 24 + 26 + 25, packets: 1, offset: 75 },
  ])("cut $name gives the whole packets and then an error", async ({ keep, packets, offset }) => {
    const whole = join(pcapHeader(order), pcapPacket(order, data(10)), pcapPacket(order, data(10)));
    const result = await readAll(whole.slice(0, keep));
    expect(result.packets).toHaveLength(packets);
    expect(result.error).toMatchObject({ code: "truncated", offset, source: "memory" });
  });

  test.for([
    {
      name: "link type 113",
      facts: { linkType: 113 },
      code: "unsupported-link-type",
      offset: 20,
      words: /113 .*SLL/,
    },
    {
      name: "link type 101",
      facts: { linkType: 101 },
      code: "unsupported-link-type",
      offset: 20,
      words: /101 .*raw IP/,
    },
    {
      name: "link type 4660",
      facts: { linkType: 4660 },
      code: "unsupported-link-type",
      offset: 20,
      words: /4660/,
    },
    { name: "version 2.3", facts: { minor: 3 }, code: "unsupported-format", offset: 4, words: /2\.3.*2\.4/ },
    {
      name: "version 543.0",
      facts: { major: 543, minor: 0 },
      code: "unsupported-format",
      offset: 4,
      words: /543\.0/,
    },
    {
      name: "magic a1b2cd34",
      facts: { magic: 0xa1b2cd34 },
      code: "unsupported-format",
      offset: 0,
      words: /Kuznetsov/,
    },
    {
      name: "magic a1b234cd",
      facts: { magic: 0xa1b234cd },
      code: "unsupported-format",
      offset: 0,
      words: /Mesquita/,
    },
    {
      name: "magic a12b3c4d",
      facts: { magic: 0xa12b3c4d },
      code: "unsupported-format",
      offset: 0,
      words: /Navtel/,
    },
    {
      name: "magic 1c0001ac",
      facts: { magic: 0x1c0001ac },
      code: "unsupported-format",
      offset: 0,
      words: /IXIA/,
    },
    {
      name: "magic 12345678",
      facts: { magic: 0x12345678 },
      code: "unknown-format",
      offset: 0,
      words: /12345678|78563412/,
    },
  ])("with $name is refused by name", async ({ facts, code, offset, words }) => {
    const { packets, error } = await readAll(join(pcapHeader(order, facts), pcapPacket(order, data(60))));
    expect(packets).toEqual([]);
    expect(error).toMatchObject({ code, offset });
    expect(error?.message).toMatch(words);
  });

  test.for([262_145, 0x7fffffff, 0xffffffff])(
    "with a captured length of %i is refused there",
    async (capturedBytes) => {
      const bytes = join(
        pcapHeader(order),
        pcapPacket(order, data(4)),
        pcapPacket(order, data(4), { capturedBytes }),
      );
      const { packets, error } = await readAll(bytes);
      expect(packets).toEqual([data(4)]);
      expect(error).toMatchObject({ code: "bad-length", offset: 24 + 20 + 8 });
      expect(error?.message).toContain(String(capturedBytes));
      expect(error?.message).toContain("262144");
    },
  );
});

test.for([
  { name: "nothing", bytes: [], code: "truncated", words: /empty/ },
  { name: "three bytes", bytes: [0xd4, 0xc3, 0xb2], code: "truncated", words: /3 bytes/ },
  {
    name: "an ELF file",
    bytes: [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0],
    code: "unknown-format",
    words: /7f454c46/,
  },
  { name: "snoop", bytes: [...Buffer.from("snoop\0\0\0")], code: "unsupported-format", words: /snoop/ },
  { name: "zstd", bytes: [0x28, 0xb5, 0x2f, 0xfd, 0], code: "unsupported-format", words: /zstd/ },
  { name: "xz", bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], code: "unsupported-format", words: /xz/ },
  { name: "bzip2", bytes: [0x42, 0x5a, 0x68, 0x39, 0x31], code: "unsupported-format", words: /bzip2/ },
])("$name is refused with what it is", async ({ bytes, code, words }) => {
  const { error } = await readAll(Uint8Array.from(bytes));
  expect(error).toMatchObject({ code });
  expect(error?.message).toMatch(words);
});
