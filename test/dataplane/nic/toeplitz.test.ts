import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Rss } from "../../../dataplane/nic/rss.ts";
import { TOEPLITZ_KEY_MICROSOFT, Toeplitz } from "../../../dataplane/nic/toeplitz.ts";

// "Verifying the RSS Hash Calculation", Microsoft NDIS documentation.
const VECTORS_IPV4 = [
  {
    destination: "161.142.100.80",
    destinationPort: 1766,
    source: "66.9.149.187",
    sourcePort: 2794,
    addresses: 0x323e8fc2,
    ports: 0x51ccc178,
  },
  {
    destination: "65.69.140.83",
    destinationPort: 4739,
    source: "199.92.111.2",
    sourcePort: 14230,
    addresses: 0xd718262a,
    ports: 0xc626b0ea,
  },
  {
    destination: "12.22.207.184",
    destinationPort: 38024,
    source: "24.19.198.95",
    sourcePort: 12898,
    addresses: 0xd2d0a5de,
    ports: 0x5c2b394a,
  },
  {
    destination: "209.142.163.6",
    destinationPort: 2217,
    source: "38.27.205.30",
    sourcePort: 48228,
    addresses: 0x82989176,
    ports: 0xafc7327f,
  },
  {
    destination: "202.188.127.2",
    destinationPort: 1303,
    source: "153.39.163.191",
    sourcePort: 44251,
    addresses: 0x5d1809c5,
    ports: 0x10e828a2,
  },
];
const VECTORS_IPV6 = [
  {
    destination: "3ffe:2501:200:3:0:0:0:1",
    destinationPort: 1766,
    source: "3ffe:2501:200:1fff:0:0:0:7",
    sourcePort: 2794,
    addresses: 0x2cc18cd5,
    ports: 0x40207d3d,
  },
  {
    destination: "ff02:0:0:0:0:0:0:1",
    destinationPort: 4739,
    source: "3ffe:501:8:0:260:97ff:fe40:efab",
    sourcePort: 14230,
    addresses: 0x0f0c461c,
    ports: 0xdde51bbf,
  },
  {
    destination: "fe80:0:0:0:200:f8ff:fe21:67cf",
    destinationPort: 38024,
    source: "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
    sourcePort: 44251,
    addresses: 0x4b61e985,
    ports: 0x02d1feef,
  },
];
const VECTORS = [
  ...VECTORS_IPV4.map((vector) => ({ ...vector, family: 4 as const })),
  ...VECTORS_IPV6.map((vector) => ({ ...vector, family: 6 as const })),
];

const TCP = 6;
const UDP = 17;
const ICMP = 1;

type Vector = (typeof VECTORS)[number];

function addressBytes(text: string): number[] {
  if (text.includes(".")) return text.split(".").map(Number);
  return text.split(":").flatMap((group) => be16(Number.parseInt(group, 16)));
}

function be16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** An Ethernet frame of the vector's addresses and ports. */
function frameOf(
  vector: Vector,
  change: {
    protocol?: number;
    tags?: readonly number[];
    fragment?: number;
    options?: number;
    extension?: boolean;
  } = {},
): Uint8Array {
  const { protocol = TCP, tags = [], fragment = 0, options = 0, extension = false } = change;
  const addresses = [...addressBytes(vector.source), ...addressBytes(vector.destination)];
  const ports = [...be16(vector.sourcePort), ...be16(vector.destinationPort)];
  const ip =
    vector.family === 4
      ? [
          ...[0x45 + options, 0, 0, 0, 0, 0, ...be16(fragment), 64, protocol, 0, 0, ...addresses],
          ...new Array(options * 4).fill(1),
        ]
      : [
          ...[0x60, 0, 0, 0, 0, 0, extension ? 0 : fragment === 0 ? protocol : 44, 64, ...addresses],
          ...(extension ? [protocol, 0, 1, 4, 0, 0, 0, 0] : []),
          ...(fragment === 0 ? [] : [protocol, 0, ...be16(fragment), 0, 0, 0, 1]),
        ];
  const ethernet = [...new Array(12).fill(2), ...tags.flatMap((tag) => [...be16(tag), 0, 7])];
  return Uint8Array.of(
    ...ethernet,
    ...be16(vector.family === 4 ? 0x0800 : 0x86dd),
    ...ip,
    ...ports,
    1,
    2,
    3,
    4,
  );
}

describe.for(VECTORS)("$source to $destination", (vector) => {
  const rss = new Rss({ queueCount: 4 });
  const addressesOnly = new Rss({ queueCount: 4, tcp: "addresses", udp: "addresses" });

  test.for([
    { name: "TCP", change: {}, field: "ports" },
    { name: "UDP", change: { protocol: UDP }, field: "ports" },
    { name: "TCP behind a VLAN tag", change: { tags: [0x8100] }, field: "ports" },
    { name: "TCP behind two VLAN tags", change: { tags: [0x88a8, 0x8100] }, field: "ports" },
    { name: "ICMP", change: { protocol: ICMP }, field: "addresses" },
    { name: "a first fragment", change: { fragment: vector.family === 4 ? 0x2000 : 1 }, field: "addresses" },
    { name: "a later fragment", change: { fragment: vector.family === 4 ? 100 : 0x320 }, field: "addresses" },
  ] as const)("$name hashes by $field", ({ change, field }) => {
    expect(rss.hashOf(frameOf(vector, change))).toBe(vector[field]);
  });

  test("ports are left out where the configuration says so", () => {
    expect(addressesOnly.hashOf(frameOf(vector))).toBe(vector.addresses);
    expect(addressesOnly.hashOf(frameOf(vector, { protocol: UDP }))).toBe(vector.addresses);
    const onlyTcp = new Rss({ queueCount: 4, udp: "addresses" });
    expect(onlyTcp.hashOf(frameOf(vector))).toBe(vector.ports);
    expect(onlyTcp.hashOf(frameOf(vector, { protocol: UDP }))).toBe(vector.addresses);
  });

  test("options or extension headers do not hide the addresses", () => {
    const hash =
      vector.family === 4
        ? rss.hashOf(frameOf(vector, { options: 3 }))
        : rss.hashOf(frameOf(vector, { extension: true }));
    expect(hash).toBe(vector.family === 4 ? vector.ports : vector.addresses);
  });

  test("a frame cut behind the addresses hashes by them, one cut within is not hashed", () => {
    const whole = frameOf(vector);
    const headerEnd = whole.length - 8;
    expect(rss.hashOf(whole.subarray(0, headerEnd + 4))).toBe(vector.ports);
    expect(rss.hashOf(whole.subarray(0, headerEnd + 3))).toBe(vector.addresses);
    for (let length = 0; length < headerEnd; length++) {
      expect(rss.hashOf(whole.subarray(0, length))).toBe(-1);
      expect(rss.queueOf(whole.subarray(0, length))).toBe(0);
    }
  });
});

test("the table finds what shifting the key bit by bit finds, for any key and input", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 40, maxLength: 40 }),
      fc.uint8Array({ minLength: 0, maxLength: 36 }),
      fc.nat({ max: 36 }),
      (key, input, split) => {
        const keyBits = [...key].map((byte) => byte.toString(2).padStart(8, "0")).join("");
        let expected = 0;
        [...input].forEach((byte, i) => {
          for (let bit = 0; bit < 8; bit++) {
            const at = i * 8 + bit;
            if (byte & (0x80 >> bit)) expected ^= Number.parseInt(keyBits.slice(at, at + 32), 2);
          }
        });
        const toeplitz = new Toeplitz(key);
        expect(toeplitz.extend(0, input, 0, input.length, 0)).toBe(expected >>> 0);
        const first = Math.min(split, input.length);
        const half = toeplitz.extend(0, input, 0, first, 0);
        expect(toeplitz.extend(half, input, first, input.length - first, first)).toBe(expected >>> 0);
      },
    ),
  );
});

describe("the queue", () => {
  const frame = frameOf(VECTORS[0]!);

  test("is the indirection table's entry for the low 7 bits of the hash", () => {
    const indirection = Array.from({ length: 128 }, (_, i) => (i === (0x51ccc178 & 127) ? 2 : 0));
    expect(new Rss({ queueCount: 3, indirection }).queueOf(frame)).toBe(2);
    expect(new Rss({ queueCount: 3 }).queueOf(frame)).toBe((0x51ccc178 & 127) % 3);
  });

  test("of everything that is not IP is 0", () => {
    const indirection = new Array(128).fill(1);
    const rss = new Rss({ queueCount: 2, indirection });
    for (const etherType of [0x0806, 0x88cc, 0x0000]) {
      expect(rss.queueOf(frame.with(12, etherType >> 8).with(13, etherType & 0xff))).toBe(0);
    }
    expect(rss.queueOf(frameOf(VECTORS[0]!, { tags: [0x8100, 0x8100, 0x8100] }))).toBe(0);
    expect(rss.queueOf(frame.with(14, 0x65))).toBe(0);
    expect(rss.queueOf(frame.with(14, 0x44))).toBe(0);
    expect(rss.queueOf(frame)).toBe(1);
  });

  test.for([
    { name: "no queues", options: { queueCount: 0 }, fact: "0 queues" },
    {
      name: "a short key",
      options: { queueCount: 1, key: new Uint8Array(39) },
      fact: "39 bytes, expected 40",
    },
    { name: "a short table", options: { queueCount: 1, indirection: [0] }, fact: "table of 1, expected 128" },
    {
      name: "a queue that is not there",
      options: { queueCount: 2, indirection: new Array(128).fill(0).with(5, 2) },
      fact: "entry 5 names queue 2, expected 0 to 1",
    },
  ])("is refused with $name", ({ options, fact }) => {
    expect(() => new Rss(options)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(fact) }),
    );
  });
});

test("the default key is the one of the verification suite", () => {
  expect(Buffer.from(TOEPLITZ_KEY_MICROSOFT).toString("hex")).toBe(
    "6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c6a42b73bbeac01fa",
  );
});
