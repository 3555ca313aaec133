/**
 * Which maps can stand inside a map-in-map (kernel/bpf/map_in_map.c, Linux 6.18). The outer map is made with a template, and
 * an inner map must be like it in type, sizes and flags. The number of entries may differ, since programs learn it from the
 * inner map itself, but for arrays: their lookups are inlined with the template's number, unless both have BPF_F_INNER_MAP.
 */
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { DESCRIPTOR_ID } from "./descriptor.ts";
import type { MapEnvironment } from "./environment.ts";
import { EBADF, EINVAL } from "./errno.ts";
import {
  BPF_F_INNER_MAP,
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH_OF_MAPS,
  BPF_MAP_TYPE_PROG_ARRAY,
  BPF_MAP_TYPE_XSKMAP,
} from "./map-type.ts";

/** Whether an inner map fits the template (bpf_map_meta_equal and its variants). */
export function isLikeTemplate(inner: MapSpec, template: MapSpec): boolean {
  if (
    inner.type !== template.type ||
    inner.keySizeBytes !== template.keySizeBytes ||
    inner.valueSizeBytes !== template.valueSizeBytes ||
    inner.flags !== template.flags
  ) {
    return false;
  }
  const needsEqualEntries =
    (template.type === BPF_MAP_TYPE_ARRAY && (template.flags & BPF_F_INNER_MAP) === 0) ||
    template.type === BPF_MAP_TYPE_XSKMAP;
  return !needsEqualEntries || inner.maxEntries === template.maxEntries;
}

export function isMapInMap(type: number): boolean {
  return type === BPF_MAP_TYPE_ARRAY_OF_MAPS || type === BPF_MAP_TYPE_HASH_OF_MAPS;
}

/** Why a map of this type cannot be a template; undefined when it can. */
export function refuseTemplate(type: number): "nested" | "unsupported" | undefined {
  if (isMapInMap(type)) return "nested";
  return type === BPF_MAP_TYPE_PROG_ARRAY ? "unsupported" : undefined;
}

/**
 * The handle of the map with this id, if it fits into `outer`: -EBADF when there is none, -EINVAL when it is not like the template.
 */
export function resolveInnerMap(id: number, outer: MapSpec, environment: MapEnvironment): number {
  const map = environment.mapById?.(id);
  if (map === undefined) return -EBADF;
  return outer.inner !== undefined && isLikeTemplate(map.spec, outer.inner) ? map.handle : -EINVAL;
}

/** The id of the map whose handle this is. */
export function idOfHandle(memory: Memory, handle: number): number {
  return memory.view.getUint32(handle + DESCRIPTOR_ID, true);
}
