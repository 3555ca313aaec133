/**
 * Which header field a byte of a frame belongs to, for saying "outer IPv4 destination" rather than "offset 30". A guess for
 * people, made from tables: what it does not know is a header's options, or payload.
 */
import { formatIpAddress } from "../model/address.ts";

export interface FrameField {
  /** "outer IPv4 destination". */
  readonly name: string;
  /** Where it ends in the frame. */
  readonly end: number;
  /** Of a checksum: where the bytes end that it is a consequence of. */
  readonly coveredEnd: number | undefined;
  /** The field's value in another frame that is the same up to it; "" where the bytes say it best themselves. */
  readonly format: (frame: Uint8Array) => string;
}

type Format = (bytes: Uint8Array) => string;
type FieldRow = readonly [offset: number, sizeBytes: number, name: string, format: Format];

const decimal: Format = (bytes) => bytes.reduce((sum, byte) => sum * 256 + byte, 0).toString();
const hexadecimal: Format = (bytes) => `0x${Buffer.from(bytes).toString("hex")}`;
const mac: Format = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(":");
const ipAddress: Format = (bytes) => formatIpAddress({ family: bytes.length === 4 ? 4 : 6, bytes });
const tcpFlags: Format = (bytes) => {
  const names = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"].filter(
    (_, bit) => bytes[0]! & (1 << bit),
  );
  return names.length === 0 ? "none" : names.join("+");
};

const ETHERNET: readonly FieldRow[] = [
  [0, 6, "destination", mac],
  [6, 6, "source", mac],
  [12, 2, "type", hexadecimal],
];
const VLAN: readonly FieldRow[] = [
  [0, 2, "priority and id", hexadecimal],
  [2, 2, "type", hexadecimal],
];
const IPV4: readonly FieldRow[] = [
  [0, 1, "version and header length", hexadecimal],
  [1, 1, "type of service", hexadecimal],
  [2, 2, "total length", decimal],
  [4, 2, "identification", hexadecimal],
  [6, 2, "flags and fragment offset", hexadecimal],
  [8, 1, "time to live", decimal],
  [9, 1, "protocol", decimal],
  [10, 2, "header checksum", hexadecimal],
  [12, 4, "source", ipAddress],
  [16, 4, "destination", ipAddress],
];
const IPV6: readonly FieldRow[] = [
  [0, 4, "version, traffic class and flow label", hexadecimal],
  [4, 2, "payload length", decimal],
  [6, 1, "next header", decimal],
  [7, 1, "hop limit", decimal],
  [8, 16, "source", ipAddress],
  [24, 16, "destination", ipAddress],
];
const TCP: readonly FieldRow[] = [
  [0, 2, "source port", decimal],
  [2, 2, "destination port", decimal],
  [4, 4, "sequence number", decimal],
  [8, 4, "acknowledgment number", decimal],
  [12, 1, "data offset", hexadecimal],
  [13, 1, "flags", tcpFlags],
  [14, 2, "window", decimal],
  [16, 2, "checksum", hexadecimal],
  [18, 2, "urgent pointer", decimal],
];
const UDP: readonly FieldRow[] = [
  [0, 2, "source port", decimal],
  [2, 2, "destination port", decimal],
  [4, 2, "length", decimal],
  [6, 2, "checksum", hexadecimal],
];
const ICMP: readonly FieldRow[] = [
  [0, 1, "type", decimal],
  [1, 1, "code", decimal],
  [2, 2, "checksum", hexadecimal],
  [4, 4, "rest of header", hexadecimal],
];

const TRANSPORTS: ReadonlyMap<number, readonly [name: string, rows: readonly FieldRow[]]> = new Map([
  [1, ["ICMP", ICMP]],
  [6, ["TCP", TCP]],
  [17, ["UDP", UDP]],
  [58, ["ICMPv6", ICMP]],
]);
const VLAN_TYPES = new Set([0x8100, 0x88a8]);
const TUNNELS_MAX = 2; // one that we make, one that may have come in

/** The field at `offset`; undefined beyond the headers that are known here. */
export function frameFieldAt(frame: Uint8Array, offset: number): FrameField | undefined {
  for (const header of headersOf(frame)) {
    const row = header.rows.find(
      ([at, sizeBytes]) => offset >= header.start + at && offset < header.start + at + sizeBytes,
    );
    if (row === undefined) continue;
    const [at, sizeBytes, name, format] = row;
    const start = header.start + at;
    const end = start + sizeBytes;
    return {
      name: `${header.name} ${name}`,
      end,
      coveredEnd: name.endsWith("checksum") ? header.coveredEnd : undefined,
      format: (frame) => (end <= frame.length ? format(frame.subarray(start, end)) : ""),
    };
  }
  return undefined;
}

/** Where an encapsulated packet is sent to; undefined for any other, and for one that is cut before it. */
export function outerDestination(frame: Uint8Array): string | undefined {
  for (const { name, rows, start } of headersOf(frame)) {
    if (!name.startsWith(OUTER)) continue;
    const [at, sizeBytes, , format] = rows.find(([, , field]) => field === "destination")!;
    const bytes = frame.subarray(start + at, start + at + sizeBytes);
    return bytes.length === sizeBytes ? format(bytes) : undefined;
  }
  return undefined;
}

interface Header {
  readonly name: string;
  readonly rows: readonly FieldRow[];
  readonly start: number;
  /** Where the bytes end that its checksum covers; what lies before the checksum differs first anyway. */
  readonly coveredEnd: number;
}

const OUTER = "outer ";

/** The headers that are known here, from the outside in. They need not be whole. */
function* headersOf(frame: Uint8Array): Generator<Header> {
  yield { name: "Ethernet", rows: ETHERNET, start: 0, coveredEnd: 0 };
  let at = 14;
  let type = uint16(frame, 12);
  while (VLAN_TYPES.has(type)) {
    yield { name: "VLAN", rows: VLAN, start: at, coveredEnd: 0 };
    type = uint16(frame, at + 2);
    at += 4;
  }
  let version = type === 0x0800 ? 4 : type === 0x86dd ? 6 : undefined;
  for (let depth = 0; version !== undefined; depth++) {
    const protocol = frame[at + (version === 4 ? 9 : 6)] ?? 255;
    const isTunnel = protocol === 4 || protocol === 41;
    const place = isTunnel ? OUTER : depth > 0 ? INNER : "";
    const next = at + (version === 4 ? Math.max((frame[at] ?? 0) & 15, 5) * 4 : 40);
    yield { name: `${place}IPv${version}`, rows: version === 4 ? IPV4 : IPV6, start: at, coveredEnd: next };
    at = next;
    if (!isTunnel || depth === TUNNELS_MAX) {
      const [name, rows] = TRANSPORTS.get(protocol) ?? [];
      if (name === undefined || rows === undefined) return;
      yield { name: `${depth > 0 ? INNER : ""}${name}`, rows, start: at, coveredEnd: frame.length };
      return;
    }
    version = protocol === 4 ? 4 : 6;
  }
}

const INNER = "inner ";

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
