import { describe, expect, test } from "vitest";
import { memorySource } from "../../../dataplane/capture/byte-source.ts";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import { readCapture } from "../../../dataplane/capture/capture-reader.ts";
import {
  BYTE_ORDERS,
  type ByteOrder,
  block,
  data,
  enhancedPacket,
  interfaceDescription,
  join,
  option,
  pack,
  sectionHeader,
} from "./bytes.ts";
import { readAll } from "./read-all.ts";

const TEXT = new TextEncoder();

// One section, one interface, one packet of six bytes at 2^32 + 1 microseconds: the layouts of draft-ietf-opsawg-pcapng, byte by byte.
// biome-ignore format: a line for every 16 bytes or block
const LITTLE_ENDIAN_FILE = [
  0x0a, 0x0d, 0x0d, 0x0a, 0x1c, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1c, 0, 0, 0,
  1, 0, 0, 0, 0x14, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0x14, 0, 0, 0,
  6, 0, 0, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0x40, 0, 0, 0,
  1, 2, 3, 4, 5, 6, 0, 0, 0x28, 0, 0, 0,
];
// biome-ignore format: a line for every 16 bytes or block
const BIG_ENDIAN_FILE = [
  0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 0x1c, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0,
  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0x1c,
  0, 0, 0, 1, 0, 0, 0, 0x14, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0x14,
  0, 0, 0, 6, 0, 0, 0, 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0x40,
  1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0x28,
];

test.for([
  { order: "little-endian", file: LITTLE_ENDIAN_FILE },
  { order: "big-endian", file: BIG_ENDIAN_FILE },
])("the smallest $order file is read", async ({ file }) => {
  expect(await decodeCapture(Uint8Array.from(file))).toEqual({
    interfaces: [
      { linkType: 1, snapLength: 262144, timestampResolution: 6, timestampOffsetSeconds: 0n, options: [] },
    ],
    packets: [
      {
        timeNs: 4_294_967_297_000n,
        bytes: data(6),
        originalBytes: 64,
        interfaceIndex: 0,
        id: undefined,
        verdict: undefined,
      },
    ],
  });
});

describe.for(BYTE_ORDERS)("a %s section", (order) => {
  const start = join(sectionHeader(order), interfaceDescription(order));

  test.for([
    {
      name: "name resolution",
      type: 4,
      contents: join(
        pack(order, [
          [2, 1],
          [2, 8],
        ]),
        [192, 0, 2, 1],
        TEXT.encode("a\0b\0"),
        pack(order, [
          [2, 0],
          [2, 0],
        ]),
      ),
    },
    {
      name: "interface statistics",
      type: 5,
      contents: join(
        pack(order, [
          [4, 0],
          [4, 1],
          [4, 2],
        ]),
        option(order, 4, pack(order, [[8, 17]])),
      ),
    },
    { name: "systemd journal", type: 9, contents: TEXT.encode("MESSAGE=hello\n\n\n") },
    {
      name: "decryption secrets",
      type: 10,
      contents: join(
        pack(order, [
          [4, 0x544c534b],
          [4, 4],
        ]),
        data(4),
      ),
    },
    { name: "custom", type: 0xbad, contents: join(pack(order, [[4, 32473]]), data(8)) },
    { name: "custom, not to be copied,", type: 0x40000bad, contents: pack(order, [[4, 32473]]) },
    { name: "unknown", type: 0x0000abcd, contents: data(2000) },
    { name: "empty unknown", type: 0x80000001, contents: data(0) },
  ])("passes over a $name block", async ({ type, contents }) => {
    const bytes = join(
      start,
      block(order, type, contents),
      enhancedPacket(order, data(7)),
      block(order, type, contents),
      enhancedPacket(order, data(9)),
      block(order, type, contents),
    );
    expect(await readAll(bytes)).toEqual({ packets: [data(7), data(9)], error: undefined });
    expect(await readAll(bytes, { windowBytes: 16, batchPackets: 1 })).toEqual({
      packets: [data(7), data(9)],
      error: undefined,
    });
  });

  test("gives simple packets the first interface, its snap length and no time", async () => {
    const bytes = join(
      sectionHeader(order),
      interfaceDescription(order, { snapLength: 5 }),
      interfaceDescription(order, { snapLength: 2 }),
      block(order, 3, join(pack(order, [[4, 100]]), data(5), [0, 0, 0])),
      block(order, 3, join(pack(order, [[4, 4]]), data(4))),
    );
    const facts = { timeNs: undefined, interfaceIndex: 0, id: undefined, verdict: undefined };
    expect((await decodeCapture(bytes)).packets).toEqual([
      { ...facts, bytes: data(5), originalBytes: 100 },
      { ...facts, bytes: data(4), originalBytes: 4 },
    ]);
  });

  test("gives obsolete packets their 16-bit interface and none of their options", async () => {
    const fixed = pack(order, [
      [2, 1],
      [2, 0xffff],
      [4, 1],
      [4, 2],
      [4, 3],
      [4, 9],
    ]);
    const options = option(order, 7, join([2], pack(order, [[8, 1]])));
    const bytes = join(
      start,
      interfaceDescription(order),
      block(order, 2, join(fixed, data(3), [0], options)),
    );
    expect((await decodeCapture(bytes)).packets).toEqual([
      {
        timeNs: 4_294_967_298_000n,
        bytes: data(3),
        originalBytes: 9,
        interfaceIndex: 1,
        id: undefined,
        verdict: undefined,
      },
    ]);
  });

  test("gives packets their id and the verdict of an XDP program", async () => {
    const id = option(order, 5, pack(order, [[8, 0x1122334455667788n]]));
    const comment = option(order, 1, TEXT.encode("a comment"));
    const hardwareVerdict = option(order, 7, Uint8Array.of(0, 1, 2));
    const verdict = option(order, 7, join([2], pack(order, [[8, 3]])));
    const end = option(order, 0, data(0));
    const bytes = join(
      start,
      enhancedPacket(order, data(5), { options: join(comment, hardwareVerdict, verdict, id, end, verdict) }),
      enhancedPacket(order, data(5), { options: verdict }),
      enhancedPacket(order, data(5), { options: hardwareVerdict }),
      enhancedPacket(order, data(5), { options: join(end, id) }),
      enhancedPacket(order, data(5), {
        options: pack(order, [
          [2, 5],
          [2, 800],
        ]),
      }),
    );
    expect((await decodeCapture(bytes)).packets.map(({ id, verdict }) => ({ id, verdict }))).toEqual([
      { id: 0x1122334455667788n, verdict: 3n },
      { id: undefined, verdict: 3n },
      { id: undefined, verdict: undefined },
      { id: undefined, verdict: undefined },
      { id: undefined, verdict: undefined },
    ]);
  });

  test("reads an interface's options whatever their order", async () => {
    const options = join(
      option(order, 2, TEXT.encode("eth0")),
      option(order, 9, Uint8Array.of(9)),
      option(order, 8, pack(order, [[8, 10_000_000_000n]])),
      option(order, 14, pack(order, [[8, 0xffff_ffff_ffff_fffen]])),
      option(order, 10, pack(order, [[4, 3600]])),
      option(order, 6, Uint8Array.of(2, 0, 0, 0, 0, 1)),
    );
    const { interfaces, packets } = await decodeCapture(
      join(
        sectionHeader(order),
        interfaceDescription(order, { options }),
        enhancedPacket(order, data(1), { timestamp: 5n }),
      ),
    );
    expect(interfaces).toEqual([
      {
        linkType: 1,
        snapLength: 0,
        timestampResolution: 9,
        timestampOffsetSeconds: -2n,
        options: [
          { code: 2, value: TEXT.encode("eth0") },
          { code: 8, value: pack("little-endian", [[8, 10_000_000_000n]]) },
          { code: 6, value: Uint8Array.of(2, 0, 0, 0, 0, 1) },
        ],
      },
    ]);
    expect(packets[0]?.timeNs).toBe(-1_999_999_995n);
  });

  test("may describe interfaces between packets", async () => {
    const bytes = join(
      start,
      enhancedPacket(order, data(1)),
      interfaceDescription(order),
      enhancedPacket(order, data(2), { interfaceId: 1 }),
      enhancedPacket(order, data(3)),
    );
    expect((await decodeCapture(bytes)).packets.map((packet) => packet.interfaceIndex)).toEqual([0, 1, 0]);
  });

  test("has interfaces of its own", async () => {
    const other: ByteOrder = order === "little-endian" ? "big-endian" : "little-endian";
    const nanoseconds = option(other, 9, Uint8Array.of(9));
    const bytes = join(
      start,
      enhancedPacket(order, data(1), { timestamp: 1n }),
      sectionHeader(other, 2),
      interfaceDescription(other, { options: nanoseconds }),
      enhancedPacket(other, data(2), { timestamp: 1n }),
    );
    const { interfaces, packets } = await decodeCapture(bytes);
    expect(interfaces.map((on) => on.timestampResolution)).toEqual([6, 9]);
    expect(packets.map(({ interfaceIndex, timeNs }) => ({ interfaceIndex, timeNs }))).toEqual([
      { interfaceIndex: 0, timeNs: 1000n },
      { interfaceIndex: 1, timeNs: 1n },
    ]);
    const orphan = join(start, sectionHeader(other), enhancedPacket(other, data(1)));
    expect((await readAll(orphan)).error).toMatchObject({ code: "bad-block", offset: start.length + 28 + 8 });
  });

  const packet = enhancedPacket(order, data(10));
  const after = start.length + packet.length;
  test.for([
    {
      name: "a length that is not a multiple of 4",
      bytes: pack(order, [
        [4, 6],
        [4, 42],
        [8, 0],
        [8, 0],
      ]),
      code: "bad-length",
      at: 4,
      words: /42/,
    },
    {
      name: "a length of 8",
      bytes: pack(order, [
        [4, 6],
        [4, 8],
        [4, 8],
      ]),
      code: "bad-length",
      at: 4,
      words: /8.*12/,
    },
    {
      name: "a length of 2 GiB",
      bytes: pack(order, [
        [4, 6],
        [4, 0x80000000],
        [4, 8],
      ]),
      code: "bad-length",
      at: 4,
      words: /2147483648.*16777216/,
    },
    {
      name: "a trailing length that differs",
      bytes: join(packet.slice(0, -4), pack(order, [[4, 48]])),
      code: "bad-length",
      at: packet.length - 4,
      words: /48.*44/,
    },
    {
      name: "an enhanced packet too short to be one",
      bytes: block(order, 6, data(16)),
      code: "bad-length",
      at: 4,
      words: /28.*32/,
    },
    {
      name: "a captured length over its block",
      bytes: enhancedPacket(order, data(8), { capturedBytes: 9 }),
      code: "bad-length",
      at: 20,
      words: /9.*8/,
    },
    {
      name: "a captured length over every packet",
      bytes: enhancedPacket(order, new Uint8Array(262_148)),
      code: "bad-length",
      at: 20,
      words: /262148.*262144/,
    },
    {
      name: "an interface never described",
      bytes: enhancedPacket(order, data(8), { interfaceId: 1 }),
      code: "bad-block",
      at: 8,
      words: /interface 1.*1/,
    },
    {
      name: "an obsolete packet too short to be one",
      bytes: block(order, 2, data(16)),
      code: "bad-length",
      at: 4,
      words: /28.*32/,
    },
    {
      name: "a simple packet too short to be one",
      bytes: block(order, 3, data(0)),
      code: "bad-length",
      at: 4,
      words: /12.*16/,
    },
    {
      name: "a simple packet over its block",
      bytes: block(
        order,
        3,
        pack(order, [
          [4, 5],
          [4, 0],
        ]),
      ),
      code: "bad-length",
      at: 8,
      words: /5.*4/,
    },
    {
      name: "an interface description too short to be one",
      bytes: block(order, 1, data(4)),
      code: "bad-length",
      at: 4,
      words: /16.*20/,
    },
    {
      name: "an interface option over its block",
      bytes: interfaceDescription(order, {
        options: pack(order, [
          [2, 2],
          [2, 5],
          [4, 0],
        ]),
      }),
      code: "bad-length",
      at: 16,
      words: /option/,
    },
    {
      name: "an if_tsresol of two bytes",
      bytes: interfaceDescription(order, { options: option(order, 9, data(2)) }),
      code: "bad-length",
      at: 18,
      words: /if_tsresol.*2.*1/,
    },
    {
      name: "an if_tsoffset of four bytes",
      bytes: interfaceDescription(order, { options: option(order, 14, data(4)) }),
      code: "bad-length",
      at: 18,
      words: /if_tsoffset.*4.*8/,
    },
    {
      name: "a packet of an interface of another link type",
      bytes: join(
        interfaceDescription(order, { linkType: 276 }),
        enhancedPacket(order, data(8), { interfaceId: 1 }),
      ),
      code: "unsupported-link-type",
      at: 28,
      words: /276.*SLL2.*any/,
    },
    {
      name: "a section too short to be one",
      bytes: block(order, 0x0a0d0d0a, pack(order, [[4, 0x1a2b3c4d]])),
      code: "bad-length",
      at: 4,
      words: /16.*28/,
    },
    {
      name: "a section of version 2.0",
      bytes: block(
        order,
        0x0a0d0d0a,
        pack(order, [
          [4, 0x1a2b3c4d],
          [2, 2],
          [2, 0],
          [8, 0],
        ]),
      ),
      code: "unsupported-format",
      at: 12,
      words: /2\.0.*1\.0/,
    },
    {
      name: "a section of no byte order",
      bytes: block(
        order,
        0x0a0d0d0a,
        pack(order, [
          [4, 0x12345678],
          [2, 1],
          [2, 0],
          [8, 0],
        ]),
      ),
      code: "bad-block",
      at: 8,
      words: /1a2b3c4d/,
    },
  ])("with $name gives the packets before it and an error there", async ({ bytes, code, at, words }) => {
    const { packets, error } = await readAll(join(start, packet, bytes, packet, packet));
    expect(packets).toEqual([data(10)]);
    expect(error).toMatchObject({ code, offset: after + at });
    expect(error?.message).toMatch(words);
  });

  test("may describe an interface of another link type that no packet is of", async () => {
    const whole = join(
      sectionHeader(order),
      interfaceDescription(order, { linkType: 113 }),
      interfaceDescription(order),
      enhancedPacket(order, data(10), { interfaceId: 1 }),
      enhancedPacket(order, data(11), { interfaceId: 1 }),
    );
    const { packets, error } = await readAll(whole);
    expect(error).toBeUndefined();
    expect(packets).toEqual([data(10), data(11)]);
  });

  test("cut anywhere gives the whole packets and then an error at the end", async () => {
    const parts = [
      sectionHeader(order),
      interfaceDescription(order),
      packet,
      block(order, 0xbad, data(8)),
      packet,
    ];
    const whole = join(...parts);
    const boundaries = new Map<number, number>(); // a cut here is no error: how many packets come before it
    let at = 0;
    let count = 0;
    for (const part of parts) {
      at += part.length;
      if (part === packet) count++;
      boundaries.set(at, count);
    }
    for (let keep = 4; keep < whole.length; keep++) {
      const { packets, error } = await readAll(whole.slice(0, keep));
      const before = [...boundaries].filter(([end]) => end <= keep).at(-1)?.[1] ?? 0;
      expect(packets).toHaveLength(before);
      if (boundaries.has(keep)) expect(error).toBeUndefined();
      else expect(error).toMatchObject({ code: "truncated", offset: keep });
    }
  });

  test("is the same whatever the sizes of window and batch", async () => {
    const sizes = [0, 1, 2, 3, 4, 60, 61, 1514, 9000, 262_144];
    const whole = join(start, ...sizes.map((size) => enhancedPacket(order, data(size))));
    for (const windowBytes of [4, 31, 32, 100, 4096, 1 << 20]) {
      for (const batchPackets of [1, 3, 100]) {
        const { packets, error } = await readAll(whole, { windowBytes, batchPackets });
        expect(error).toBeUndefined();
        expect(packets.map((bytes) => bytes.length)).toEqual(sizes);
        expect(packets.every((bytes) => Buffer.from(bytes).equals(data(bytes.length)))).toBe(true);
      }
    }
  });
});

test("an error is thrown again by every further call", async () => {
  const cut = join(sectionHeader("little-endian"), [6, 0, 0, 0]);
  const reader = await readCapture(memorySource(cut, "cut.pcapng"));
  for (let call = 0; call < 2; call++) {
    await expect(reader.nextBatch()).rejects.toMatchObject({
      code: "truncated",
      offset: 32,
      source: "cut.pcapng",
    });
  }
});
