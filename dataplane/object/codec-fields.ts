/** What generated codecs are made of: checked steps that say which field does not fit. All throw RangeError. */

export function viewOf(bytes: Uint8Array, offset: number, sizeBytes: number): DataView {
  if (!Number.isInteger(offset) || offset < 0 || offset + sizeBytes > bytes.length) {
    throw new RangeError(`${sizeBytes} bytes at offset ${offset} of ${bytes.length}`);
  }
  return new DataView(bytes.buffer, bytes.byteOffset + offset, sizeBytes);
}

export function u8(value: number, field: string): number {
  return integer(value, 0, 0xff, field);
}

export function u16(value: number, field: string): number {
  return integer(value, 0, 0xffff, field);
}

export function u32(value: number, field: string): number {
  return integer(value, 0, 0xffff_ffff, field);
}

export function u64(value: bigint, field: string): bigint {
  if (value >= 0n && value <= 0xffff_ffff_ffff_ffffn) return value;
  throw new RangeError(`${field}: ${value}, expected 0 to ${0xffff_ffff_ffff_ffffn}`);
}

export function i8(value: number, field: string): number {
  return integer(value, -0x80, 0x7f, field);
}

export function i16(value: number, field: string): number {
  return integer(value, -0x8000, 0x7fff, field);
}

export function i32(value: number, field: string): number {
  return integer(value, -0x8000_0000, 0x7fff_ffff, field);
}

export function i64(value: bigint, field: string): bigint {
  if (BigInt.asIntN(64, value) === value) return value;
  throw new RangeError(`${field}: ${value}, expected a signed 64-bit number`);
}

/** An array of exactly `length` elements, with their indices. */
export function elements<T>(
  values: readonly T[],
  length: number,
  field: string,
): IterableIterator<[number, T]> {
  if (values.length !== length)
    throw new RangeError(`${field}: ${values.length} elements, expected ${length}`);
  return values.entries();
}

/** A copy. */
export function readBytes(view: DataView, offset: number, length: number): Uint8Array {
  // Not slice(), which aliases when the bytes are a Buffer's.
  return new Uint8Array(new Uint8Array(view.buffer, view.byteOffset + offset, length));
}

export function writeBytes(
  view: DataView,
  offset: number,
  length: number,
  value: Uint8Array,
  field: string,
): void {
  if (value.length !== length) throw new RangeError(`${field}: ${value.length} bytes, expected ${length}`);
  new Uint8Array(view.buffer, view.byteOffset + offset, length).set(value);
}

export function clear(view: DataView): void {
  new Uint8Array(view.buffer, view.byteOffset, view.byteLength).fill(0);
}

function integer(value: number, min: number, max: number, field: string): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${field}: ${value}, expected an integer from ${min} to ${max}`);
}
