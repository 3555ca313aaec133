/**
 * How a C struct of a map becomes a TypeScript value and back. Codecs are generated from an object's BTF
 * (`npm run gen`), never written by hand.
 *
 * Field names turn from snake_case to camelCase. `__be16` and `__be32` fields are network order in memory and host order as
 * values; other integers are in the object's byte order. 64-bit integers are bigint. `__u8 name[N]` is a Uint8Array of
 * N bytes; any other array is a readonly array. The first member of a union stands for the whole.
 * Fields named `reserved` are left out of the value and written as zeros.
 */
export interface Codec<T> {
  readonly name: string;
  readonly sizeBytes: number;
  /** Offset of each field in bytes, for single stores into a live map. */
  readonly offsets: { readonly [field in keyof T]: number };
  /** Reads at `offset` (0 if left out). Throws RangeError beyond the end. Copies: the value does not alias `bytes`. */
  read(bytes: Uint8Array, offset?: number): T;
  /**
   * Writes all `sizeBytes`, padding as zeros. Throws RangeError beyond the end, or when a number does not fit its field or an array
   * has another length; what was written up to there stays.
   */
  write(bytes: Uint8Array, value: T, offset?: number): void;
}

/** A map as generated code names it. Sizes are the object's; a loader may change how many entries there are. */
export interface MapLayout<T> {
  readonly name: string;
  readonly keySizeBytes: number;
  /** Of the inner maps where the map is one of maps. */
  readonly value: Codec<T>;
  /** Of the inner maps where the map is one of maps. */
  readonly maxEntries: number;
  readonly isMapInMap: boolean;
}
