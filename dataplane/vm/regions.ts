/**
 * Where a program may load and store, other than its stack, its context and its packet: the values of maps, and memory that
 * the host hands over. A region is a row of equal values; an access stays inside one of them, so that a pointer to
 * a value never reaches its neighbour or the padding between.
 *
 *     address                 + strideBytes
 *     | value       | padding | value       | padding | ...    up to sizeBytes
 */
export interface Region {
  /** For messages: `map "vips"`. */
  readonly name: string;
  readonly address: number;
  readonly sizeBytes: number;
  readonly strideBytes: number;
  readonly valueSizeBytes: number;
  readonly isReadable: boolean;
  readonly isWritable: boolean;
}

export class RegionTable {
  /** Ascending by address; they do not overlap. */
  readonly #regions: Region[] = [];
  /** Most accesses go where the last one went. */
  #last: Region | undefined;

  add(region: Region): void {
    const at = this.#regions.findIndex(({ address }) => address > region.address);
    this.#regions.splice(at < 0 ? this.#regions.length : at, 0, region);
  }

  /** The region that holds this address; undefined when none does. */
  find(address: number): Region | undefined {
    const last = this.#last;
    if (last !== undefined && address >= last.address && address < last.address + last.sizeBytes) return last;
    const region = this.nearest(address);
    if (region === undefined || address >= region.address + region.sizeBytes) return undefined;
    this.#last = region;
    return region;
  }

  /** The region with the greatest start not beyond the address, whether or not it reaches it. */
  nearest(address: number): Region | undefined {
    let low = 0;
    let high = this.#regions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#regions[middle]!.address <= address) low = middle + 1;
      else high = middle;
    }
    return this.#regions[low - 1];
  }
}

/** Whether `sizeBytes` from `address`, which lies in the region, stay inside one value. */
export function isInsideOneValue(region: Region, address: number, sizeBytes: number): boolean {
  return ((address - region.address) % region.strideBytes) + sizeBytes <= region.valueSizeBytes;
}
