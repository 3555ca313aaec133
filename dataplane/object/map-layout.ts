/** Whether a program of one object can work on the maps of another: a newer version on those of the one that runs. */
import { type BtfTypes, resolveType } from "./btf.ts";
import type { MapSpec, ObjectSpec } from "./spec.ts";

/**
 * The first map of both that is not the same in both, and how; undefined when every map that both have can be shared. Numbers of
 * entries do not count, nor what every program has for itself (`.rodata`).
 */
export function mapLayoutDifference(
  before: ObjectSpec,
  after: ObjectSpec,
): { readonly map: string; readonly why: string } | undefined {
  for (const old of before.maps) {
    const next = after.maps.find(({ name }) => name === old.name);
    if (next === undefined || old.isReadonly) continue;
    const why = difference([before.btf, old], [after.btf, next]);
    if (why !== undefined) return { map: old.name, why };
  }
  return undefined;
}

type Typed = readonly [BtfTypes | undefined, MapSpec];

function difference([oldBtf, old]: Typed, [nextBtf, next]: Typed): string | undefined {
  for (const field of ["type", "keySizeBytes", "valueSizeBytes", "flags"] as const) {
    if (old[field] !== next[field]) return `${field} ${old[field]}, now ${next[field]}`;
  }
  if ((old.inner === undefined) !== (next.inner === undefined)) return "one is a map of maps";
  if (old.inner !== undefined && next.inner !== undefined) {
    const why = difference([oldBtf, old.inner], [nextBtf, next.inner]);
    if (why !== undefined) return `inner maps: ${why}`;
  }
  const fields = new Set(fieldsOf(nextBtf, next.valueTypeId));
  const gone = fieldsOf(oldBtf, old.valueTypeId).find((field) => !fields.has(field));
  return gone === undefined ? undefined : `its values had "${gone}"`;
}

/** Every field with its place. Reserved bytes are zero and nobody's, so that they may become fields, which then begin as zero. */
function fieldsOf(btf: BtfTypes | undefined, typeId: number | undefined): string[] {
  if (btf === undefined || typeId === undefined) return [];
  const lines: string[] = [];
  const visit = (id: number, path: string, offsetBits: number): void => {
    const resolved = resolveType(btf, id);
    const { type } = resolved;
    const sizeBytes = btf.sizesBytes[resolved.id];
    if (type.kind === "struct" || type.kind === "union") {
      for (const member of type.members) {
        if (!/^reserved\d*$/.test(member.name)) {
          visit(member.type, `${path}.${member.name}`, offsetBits + member.offsetBits);
        }
      }
    } else if (type.kind === "array") {
      lines.push(`${path.slice(1)}: ${type.count} elements`);
      visit(type.element, `${path}[]`, offsetBits);
    } else if (type.kind === "section") {
      for (const { type: variable, offsetBytes } of type.variables) {
        visit(variable, path, offsetBits + 8 * offsetBytes);
      }
    } else if (type.kind === "variable") {
      visit(type.type, `${path}.${type.name}`, offsetBits);
    } else {
      lines.push(`${path.slice(1)}: ${type.kind} of ${sizeBytes} bytes at bit ${offsetBits}`);
    }
  };
  visit(typeId, "", 0);
  return lines;
}
