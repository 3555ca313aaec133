/**
 * Which maps can stand inside a map-in-map (kernel/bpf/map_in_map.c, Linux 6.18). The outer map is made with a template, and
 * an inner map must be like it in type, sizes and flags. The number of entries may differ, since programs learn it from the
 * inner map itself, but for arrays: their lookups are inlined with the template's number, unless both have BPF_F_INNER_MAP.
 */
import type { MapSpec } from "../../object/spec.ts";
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
