/** Blocks and records put together by hand, for both byte orders: written from the specifications, not with our writer. */
export type ByteOrder = "little-endian" | "big-endian";
export const BYTE_ORDERS: readonly ByteOrder[] = ["little-endian", "big-endian"];

/** Numbers of a size, in one byte order: `pack("big-endian", [[2, 0x1234], [4, 1]])`. */
export function pack(
  order: ByteOrder,
  fields: readonly (readonly [size: 1 | 2 | 4 | 8, value: number | bigint])[],
): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  let at = 0;
  for (const [size, value] of fields) {
    let rest = BigInt(value);
    for (let i = 0; i < size; i++) {
      bytes[order === "little-endian" ? at + i : at + size - 1 - i] = Number(rest & 0xffn);
      rest >>= 8n;
    }
    at += size;
  }
  return bytes;
}

export function join(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function block(order: ByteOrder, type: number, contents: Uint8Array): Uint8Array {
  const sizeBytes = 12 + contents.length;
  return join(
    pack(order, [
      [4, type],
      [4, sizeBytes],
    ]),
    contents,
    pack(order, [[4, sizeBytes]]),
  );
}

export function option(order: ByteOrder, code: number, value: Uint8Array): Uint8Array {
  return join(
    pack(order, [
      [2, code],
      [2, value.length],
    ]),
    value,
    new Uint8Array(-value.length & 3),
  );
}

export function sectionHeader(order: ByteOrder, minor = 0): Uint8Array {
  return block(
    order,
    0x0a0d0d0a,
    pack(order, [
      [4, 0x1a2b3c4d],
      [2, 1],
      [2, minor],
      [8, 0xffff_ffff_ffff_ffffn],
    ]),
  );
}

export function interfaceDescription(
  order: ByteOrder,
  facts: { linkType?: number; snapLength?: number; options?: Uint8Array } = {},
): Uint8Array {
  const fixed = pack(order, [
    [2, facts.linkType ?? 1],
    [2, 0],
    [4, facts.snapLength ?? 0],
  ]);
  return block(order, 1, join(fixed, facts.options ?? []));
}

export function enhancedPacket(
  order: ByteOrder,
  data: Uint8Array,
  facts: {
    interfaceId?: number;
    timestamp?: bigint;
    originalBytes?: number;
    capturedBytes?: number;
    options?: Uint8Array;
  } = {},
): Uint8Array {
  const timestamp = facts.timestamp ?? 0n;
  const fixed = pack(order, [
    [4, facts.interfaceId ?? 0],
    [4, timestamp >> 32n],
    [4, timestamp & 0xffffffffn],
    [4, facts.capturedBytes ?? data.length],
    [4, facts.originalBytes ?? data.length],
  ]);
  return block(order, 6, join(fixed, data, new Uint8Array(-data.length & 3), facts.options ?? []));
}

export function pcapHeader(
  order: ByteOrder,
  facts: { magic?: number; major?: number; minor?: number; linkType?: number } = {},
): Uint8Array {
  return pack(order, [
    [4, facts.magic ?? 0xa1b2c3d4],
    [2, facts.major ?? 2],
    [2, facts.minor ?? 4],
    [4, 0],
    [4, 0],
    [4, 65535],
    [4, facts.linkType ?? 1],
  ]);
}

export function pcapPacket(
  order: ByteOrder,
  data: Uint8Array,
  facts: { seconds?: number; fraction?: number; originalBytes?: number; capturedBytes?: number } = {},
): Uint8Array {
  const header = pack(order, [
    [4, facts.seconds ?? 0],
    [4, facts.fraction ?? 0],
    [4, facts.capturedBytes ?? data.length],
    [4, facts.originalBytes ?? data.length],
  ]);
  return join(header, data);
}

/** Distinct bytes, so that a shifted or swapped packet shows. */
export function data(sizeBytes: number, first = 1): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (first + i) & 0xff);
}
