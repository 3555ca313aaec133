/**
 * The block that stands for a map in a program: its address is the map's `handle`. It lies in linear memory and says all
 * that code which knows only the handle needs: an inner map that was looked up, a compiled lookup, another thread.
 *
 *    0 u32 id               4 u32 type            8 u32 key size        12 u32 value size
 *   16 u32 max entries     20 u32 creation flags 24 u32 first value     28 u32 stride of values
 *   32 .. 63: eight words of the type's own state, drawn in its file
 *
 * All words are little-endian. The block is a cache line, so that two maps never share one.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";

export const DESCRIPTOR_BYTES = 64;
export const DESCRIPTOR_ID = 0;
export const DESCRIPTOR_TYPE = 4;
export const DESCRIPTOR_KEY_SIZE = 8;
export const DESCRIPTOR_VALUE_SIZE = 12;
export const DESCRIPTOR_MAX_ENTRIES = 16;
export const DESCRIPTOR_FLAGS = 20;
export const DESCRIPTOR_VALUES = 24;
export const DESCRIPTOR_STRIDE = 28;
export const DESCRIPTOR_STATE = 32;

/** Allocates and fills the block; `values` and `strideBytes` are 0 for a map whose values no program sees. */
export function allocateDescriptor(
  memory: Memory,
  spec: MapSpec,
  facts: { readonly id: number; readonly values: number; readonly strideBytes: number },
): number {
  const handle = memory.allocate(DESCRIPTOR_BYTES, DESCRIPTOR_BYTES);
  const { view } = memory;
  view.setUint32(handle + DESCRIPTOR_ID, facts.id, true);
  view.setUint32(handle + DESCRIPTOR_TYPE, spec.type, true);
  view.setUint32(handle + DESCRIPTOR_KEY_SIZE, spec.keySizeBytes, true);
  view.setUint32(handle + DESCRIPTOR_VALUE_SIZE, spec.valueSizeBytes, true);
  view.setUint32(handle + DESCRIPTOR_MAX_ENTRIES, spec.maxEntries, true);
  view.setUint32(handle + DESCRIPTOR_FLAGS, spec.flags, true);
  view.setUint32(handle + DESCRIPTOR_VALUES, facts.values, true);
  view.setUint32(handle + DESCRIPTOR_STRIDE, facts.strideBytes, true);
  return handle;
}
