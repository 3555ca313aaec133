/** Makes a map in a machine's memory from its spec. */
import { MapError } from "../../dataplane.ts";
import type { MapSpec } from "../../object/spec.ts";
import type { Memory } from "../memory.ts";
import { ArrayMap } from "./array.ts";
import { ArrayOfMaps } from "./array-of-maps.ts";
import type { MapEnvironment } from "./environment.ts";
import type { VmMap } from "./map.ts";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  mapTypeName,
} from "./map-type.ts";

/**
 * A new, empty map; one with `contents` (.rodata, .data) starts with these bytes in element 0. A map-in-map starts empty: its inner
 * maps are made apart, by the spec's `inner`, and put in by id with `updateValue`.
 *
 * Throws MapError "bad-definition" when the kernel would refuse the definition or memory is used up.
 */
export function createMap(spec: MapSpec, memory: Memory, environment: MapEnvironment): VmMap {
  switch (spec.type) {
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
      return new ArrayMap(spec, memory, environment);
    case BPF_MAP_TYPE_ARRAY_OF_MAPS: {
      if (spec.inner === undefined) {
        throw new MapError(
          "bad-definition",
          spec.name,
          "ARRAY_OF_MAPS without a definition of its inner maps",
        );
      }
      return new ArrayOfMaps(spec, memory, environment, spec.inner);
    }
    default:
      throw new MapError(
        "bad-definition",
        spec.name,
        `maps of type ${mapTypeName(spec.type)} are not supported`,
      );
  }
}
