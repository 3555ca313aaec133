/** What a NIC wants to know of a DEVMAP or DEVMAP_HASH: its interfaces, and whether an entry brings a program of its own. */
import type { VmMap } from "../vm/maps/map.ts";
import { readU32, u32Bytes } from "../vm/maps/map-access.ts";

/** Ifindexes of all entries, in the order of the map's keys. */
export function* devmapTargets(map: VmMap): Generator<number> {
  for (let key = map.nextKey(undefined); key !== undefined; key = map.nextKey(key)) {
    const value = map.lookupValue(key);
    if (value !== undefined) yield readU32(value);
  }
}

/**
 * Whether the entry names a program to run on the frame before it leaves. The NIC does not run it; rather than send a frame out
 * that it would have changed, it counts an error.
 */
export function hasOwnProgram(map: VmMap, key: number): boolean {
  if (map.spec.valueSizeBytes !== 8) return false;
  const value = map.lookupValue(u32Bytes(key));
  return value !== undefined && readU32(value.subarray(4)) !== 0;
}
