/**
 * A dataplane's maps as a comparison sees them: arrays of bytes by name, the inner maps of a map-in-map one by one. Two dataplanes that
 * were loaded alike have the same ones, element for element.
 */
import type { Dataplane, DataplaneMap } from "../../dataplane/dataplane.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";

export interface ComparedMap {
  /** "vips", or "flows_ipv4[2]" for an inner map. */
  readonly name: string;
  readonly map: DataplaneMap;
  /** From one element to the next. */
  readonly strideBytes: number;
}

/**
 * Maps that only the control plane writes. They are compared when it has written them and when all packets have run; all other maps are
 * taken for written by the program.
 */
const CONTROL_MAPS: ReadonlySet<string> = new Set([
  "settings",
  "vip_buckets",
  "vips",
  "rings",
  "backends",
  "interfaces",
]);

export interface ComparedMaps {
  readonly byProgram: readonly ComparedMap[];
  readonly byControl: readonly ComparedMap[];
}

/** All but those that no program can write. Throws MapError. */
export function comparedMaps(dataplane: Dataplane, object: ObjectSpec): ComparedMaps {
  const byProgram: ComparedMap[] = [];
  const byControl: ComparedMap[] = [];
  for (const spec of object.maps) {
    if (spec.isReadonly) continue;
    const target = CONTROL_MAPS.has(spec.name) ? byControl : byProgram;
    const map = dataplane.map(spec.name);
    if (spec.inner === undefined) target.push(compared(spec.name, map));
    else {
      for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
        target.push(compared(`${spec.name}[${cpu}]`, map.inner(cpu)));
      }
    }
  }
  return { byProgram, byControl };
}

function compared(name: string, map: DataplaneMap): ComparedMap {
  return { name, map, strideBytes: Math.ceil(map.valueSizeBytes / 8) * 8 };
}

/** The live bytes of all these maps at once, for the length of the call. */
export function withMapViews<T>(
  maps: readonly ComparedMap[],
  use: (views: readonly Uint8Array[]) => T,
  views: readonly Uint8Array[] = [],
): T {
  const next = maps[views.length];
  if (next === undefined) return use(views);
  return next.map.withView(0, next.map.maxEntries, (bytes) => withMapViews(maps, use, [...views, bytes]));
}

/** Elements of a map that are not alike. */
export interface ElementDifference {
  /** "flows_ipv4[0]". */
  readonly map: string;
  readonly index: number;
  /** The whole element. */
  readonly expected: Uint8Array;
  readonly found: Uint8Array;
}

/** The first `countMax` elements that differ. The maps are those of two dataplanes that were loaded alike. */
export function differingElements(
  maps: readonly ComparedMap[],
  expected: readonly Uint8Array[],
  found: readonly Uint8Array[],
  countMax: number,
): ElementDifference[] {
  const differences: ElementDifference[] = [];
  for (const [m, { name, strideBytes }] of maps.entries()) {
    const [left, right] = [expected[m]!, found[m]!];
    if (Buffer.compare(left, right) === 0) continue;
    for (let at = 0; at < left.length; at += strideBytes) {
      const pair = [left, right].map((bytes) => bytes.subarray(at, at + strideBytes)) as [
        Uint8Array,
        Uint8Array,
      ];
      if (Buffer.compare(...pair) === 0) continue;
      if (differences.length === countMax) return differences;
      differences.push({
        map: name,
        index: at / strideBytes,
        expected: pair[0].slice(),
        found: pair[1].slice(),
      });
    }
  }
  return differences;
}

export function areAlike(expected: readonly Uint8Array[], found: readonly Uint8Array[]): boolean {
  return expected.every((bytes, m) => Buffer.compare(bytes, found[m]!) === 0);
}
