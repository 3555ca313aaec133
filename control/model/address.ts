/**
 * IP addresses as text and as bytes. Reading is strict, because what is ambiguous to a reader has been read
 * differently by different programs: no octal or short IPv4 ("010.0.0.1", "10.1"), no zone ids, no brackets, and no IPv4-mapped
 * IPv6 ("::ffff:10.0.0.1"), which would name an IPv4 host by an address that never appears on the wire. Writing is
 * the one canonical form of RFC 5952 section 4.
 */
export interface IpAddress {
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. Shared freely: nobody writes to it. */
  readonly bytes: Uint8Array;
}

/** Text that is no address. The message says what is wrong with it and what was expected, without quoting the text. */
export class AddressError extends Error {
  readonly code: "syntax" | "leading-zero" | "zone" | "ipv4-mapped" | "brackets" | "port" | "prefix";
  readonly text: string;

  constructor(code: AddressError["code"], text: string, message: string) {
    super(message);
    this.name = "AddressError";
    this.code = code;
    this.text = text;
  }
}

/** Reads an address (RFC 4291 section 2.2). Throws AddressError. */
export function parseIpAddress(text: string): IpAddress {
  if (text.includes("/"))
    throw new AddressError("prefix", text, "a prefix, where a single address is expected");
  if (text.includes("%"))
    throw new AddressError("zone", text, "an address with a zone id, expected one without");
  if (/[[\]]/.test(text))
    throw new AddressError("brackets", text, "expected an address without brackets or port");
  if (/^[0-9.]+:[0-9]*$/.test(text))
    throw new AddressError("port", text, "expected an address without a port");
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

/** RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::", the first of equals. */
export function formatIpAddress({ family, bytes }: IpAddress): string {
  if (family === 4) return bytes.join(".");

  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2) groups.push((bytes[index]! << 8) | bytes[index + 1]!);

  const { start, length } = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

export function isSameAddress(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.bytes.every((byte, index) => byte === b.bytes[index]);
}

export type AddressKind = "unicast" | "multicast" | "broadcast" | "loopback" | "unspecified";

/** What an address is for (RFC 6890, RFC 4291 section 2.4). All of 0.0.0.0/8 counts as unspecified: it is never a destination. */
export function addressKind({ family, bytes }: IpAddress): AddressKind {
  if (family === 4) {
    const first = bytes[0]!;
    if (first === 0) return "unspecified";
    if (first === 127) return "loopback";
    if (first >= 224 && first <= 239) return "multicast";
    return bytes.every((byte) => byte === 255) ? "broadcast" : "unicast";
  }
  if (bytes[0] === 0xff) return "multicast";
  if (bytes.subarray(0, 15).some((byte) => byte !== 0)) return "unicast";
  if (bytes[15] === 0) return "unspecified";
  return bytes[15] === 1 ? "loopback" : "unicast";
}

/** `whole` is what errors quote: the text that `text` is a part of. */
function parseIpv4(text: string, whole = text): IpAddress {
  const octets = text.split(".");
  if (octets.length !== 4 || !octets.every((octet) => /^[0-9]{1,3}$/.test(octet))) throw notAnAddress(whole);
  if (octets.some((octet) => octet.length > 1 && octet.startsWith("0"))) {
    throw new AddressError(
      "leading-zero",
      whole,
      "a number with a leading zero, which some programs read as octal, expected none",
    );
  }
  const bytes = octets.map(Number);
  if (bytes.some((byte) => byte > 255)) throw notAnAddress(whole);
  return { family: 4, bytes: Uint8Array.from(bytes) };
}

function parseIpv6(text: string): IpAddress {
  const halves = text.split("::");
  if (halves.length > 2) throw notAnAddress(text);

  const isCompressed = halves.length === 2;
  const head = groupsOf(halves[0]!, text, !isCompressed);
  const tail = isCompressed ? groupsOf(halves[1]!, text, true) : [];
  const zeros = 8 - head.length - tail.length;
  if (isCompressed ? zeros < 1 : zeros !== 0) throw notAnAddress(text);

  const groups = [...head, ...new Array<number>(zeros).fill(0), ...tail];
  const bytes = Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));
  if (bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff) {
    const ipv4 = bytes.subarray(12).join(".");
    throw new AddressError(
      "ipv4-mapped",
      text,
      `an IPv4-mapped address, expected the IPv4 address itself: ${ipv4}`,
    );
  }
  return { family: 6, bytes };
}

/** The 16-bit groups of one side of "::". Where `isLast`, it may end in a dotted IPv4 address (RFC 4291 section 2.2, form 3). */
function groupsOf(side: string, text: string, isLast: boolean): number[] {
  if (side === "") return [];
  const parts = side.split(":");
  return parts.flatMap((part, index) => {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) return [Number.parseInt(part, 16)];
    if (!isLast || index !== parts.length - 1 || !part.includes(".")) throw notAnAddress(text);
    const [a, b, c, d] = parseIpv4(part, text).bytes as unknown as [number, number, number, number];
    return [(a << 8) | b, (c << 8) | d];
  });
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index < groups.length; index++) {
    if (groups[index] !== 0) start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

function notAnAddress(text: string): AddressError {
  return new AddressError(
    "syntax",
    text,
    "expected an IPv4 address such as 10.0.0.1 or an IPv6 address such as fc00::1",
  );
}
