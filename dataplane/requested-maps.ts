/** What a load request makes of an object's maps: the same for the kernel and the simulator. */
import { type LoadRequest, MapError } from "./dataplane.ts";
import type { MapSpec } from "./object/spec.ts";
import { findVariable, type Variable, writeVariable } from "./object/variables.ts";

/** The kernel counts in 32 bits. */
const ENTRIES_MAX = 0xffff_ffff;

/**
 * The object's maps with the request's sizes and options. Throws MapError for a map the object does not have, ObjectError for an option it does
 * not have, RangeError for a value that does not fit.
 */
export function requestedMaps(request: LoadRequest): MapSpec[] {
  const { object, options, maxEntries, cpuCount } = request;
  for (const [name, entries] of maxEntries) {
    if (!Number.isInteger(entries) || entries < 1 || entries > ENTRIES_MAX) {
      throw new MapError("bad-definition", name, `${entries} entries, expected 1 to ${ENTRIES_MAX}`);
    }
    if (!object.maps.some((spec) => spec.name === name)) {
      throw new MapError("no-such-map", name, "the object has no such map");
    }
  }
  const variables = [...options].map(([name, value]) => ({ variable: findOption(request, name), value }));
  return object.maps.map((spec) => {
    const entries = maxEntries.get(spec.name);
    if (entries !== undefined) {
      return spec.inner === undefined
        ? { ...spec, maxEntries: entries }
        : { ...spec, maxEntries: cpuCount, inner: { ...spec.inner, maxEntries: entries } };
    }
    const set = variables.filter(({ variable }) => variable.map === spec.name);
    if (set.length === 0) return spec;
    const contents = Uint8Array.from(spec.contents ?? new Uint8Array(spec.valueSizeBytes));
    for (const { variable, value } of set) writeVariable(contents, variable, value);
    return { ...spec, contents };
  });
}

function findOption(request: LoadRequest, name: string): Variable {
  const variable = findVariable(request.object, name);
  if (!variable.isReadonly) {
    throw new MapError("wrong-type", variable.map, `variable "${name}" is no option: programs may change it`);
  }
  return variable;
}

/**
 * A program that replaces another works on its maps, so their layout cannot change. Throws MapError "wrong-layout" with the first field that
 * differs.
 */
export function requireSameMap(wanted: MapSpec, present: MapSpec): void {
  for (const field of ["type", "keySizeBytes", "valueSizeBytes", "maxEntries", "flags"] as const) {
    // A DEVMAP has a flag more than its definition, and so has a map on a memory node of its own.
    if (field === "flags" && (wanted.flags & present.flags) === wanted.flags) continue;
    // The loader chose the size of a map that asked for it.
    if (field === "maxEntries" && wanted.maxEntries === 0) continue;
    if (wanted[field] !== present[field]) {
      throw new MapError(
        "wrong-layout",
        wanted.name,
        `${field} ${wanted[field]}, the loaded map has ${present[field]}`,
      );
    }
  }
  if (wanted.inner !== undefined && present.inner !== undefined) requireSameMap(wanted.inner, present.inner);
}
