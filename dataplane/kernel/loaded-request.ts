/** What a running program was loaded with, told from its object file, its `.rodata` and the sizes of its maps. */
import type { LoadRequest } from "../dataplane.ts";
import type { ObjectSpec } from "../object/spec.ts";
import { listVariables, readVariable } from "../object/variables.ts";
import type { MapDescriptors } from "./load.ts";
import { mapInfo } from "./map-info.ts";
import { RawMap } from "./raw-map.ts";

/** `maps` by the object's names, all of them. Throws KernelError. */
export function loadedRequest(
  object: ObjectSpec,
  program: string,
  maps: ReadonlyMap<string, MapDescriptors>,
): LoadRequest {
  const options = new Map<string, number | bigint | boolean>();
  const maxEntries = new Map<string, number>();
  let cpuCount = 1;
  for (const spec of object.maps) {
    const map = maps.get(spec.name);
    if (map === undefined) continue;
    if (spec.isReadonly) {
      const values = new RawMap(map.descriptor, spec.name).lookup(KEY) ?? new Uint8Array(spec.valueSizeBytes);
      for (const variable of listVariables(object)) {
        if (variable.map !== spec.name || variable.scalar === undefined) continue;
        options.set(variable.name, readVariable(values, variable));
      }
    } else if (spec.contents === undefined) {
      const [first] = map.inner ?? [];
      if (map.inner !== undefined) cpuCount = map.inner.length;
      maxEntries.set(spec.name, mapInfo(first ?? map.descriptor).maxEntries);
    }
  }
  return { object, program, cpuCount, options, maxEntries };
}

/** Of the one element that a data section is. */
const KEY = new Uint8Array(4);
