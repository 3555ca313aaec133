/** An object as plain data, for `lamna object --json` and for what its text shows. */
import { type BtfTypes, typeName } from "../../dataplane/object/btf.ts";
import type { MapSpec, ObjectSpec, ProgramSpec } from "../../dataplane/object/spec.ts";
import { listVariables, readVariable, type Variable } from "../../dataplane/object/variables.ts";
import { mapFlagNames, mapTypeName } from "../../dataplane/vm/maps/map-type.ts";
import { listInstructions } from "./object-listing.ts";

export interface ObjectDescription {
  readonly file: string;
  readonly isLittleEndian: boolean;
  readonly license: string;
  readonly programs: readonly object[];
  readonly maps: readonly object[];
  readonly variables: readonly VariableDescription[];
  readonly externs: readonly ExternDescription[];
  readonly types: readonly TypeDescription[];
}

export interface VariableDescription {
  readonly name: string;
  /** Of `.rodata`: fixed once loaded. */
  readonly isOption: boolean;
  readonly map: string;
  readonly type: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  /** In decimal, or true or false; undefined for what is no number. */
  readonly value: string | undefined;
}

/** Something that the kernel defines: a setting, a variable, a function. */
export interface ExternDescription {
  readonly name: string;
  /** The program can do without it. */
  readonly isWeak: boolean;
  /** Programs that refer to it. */
  readonly programs: readonly string[];
}

export interface TypeDescription {
  /** "struct vip" */
  readonly name: string;
  readonly sizeBytes: number;
  /** Members of structs and unions; constants of enums. */
  readonly members: readonly MemberDescription[];
}

export type MemberDescription =
  | {
      readonly name: string;
      readonly type: string;
      readonly offsetBits: number;
      readonly bitFieldBits?: number;
    }
  | { readonly name: string; readonly value: string };

export function describeObject(
  file: string,
  spec: ObjectSpec,
  { isDisassembled }: { readonly isDisassembled: boolean },
): ObjectDescription {
  return {
    file,
    isLittleEndian: spec.isLittleEndian,
    license: spec.license,
    programs: spec.programs.map((program) =>
      describeProgram(program, isDisassembled ? listVariables(spec) : undefined),
    ),
    maps: spec.maps.map((map) => describeMap(map, spec.btf)),
    variables: describeVariables(spec),
    externs: describeExterns(spec),
    types: describeTypes(spec.btf),
  };
}

export function describeVariables(spec: ObjectSpec): VariableDescription[] {
  const contents = new Map(spec.maps.map((map) => [map.name, map.contents]));
  return listVariables(spec).map((variable) => {
    const { name, map, offsetBytes, sizeBytes, isReadonly, typeId, scalar } = variable;
    const bytes = contents.get(map);
    return {
      name,
      isOption: isReadonly,
      map,
      type: typeName(spec.btf!, typeId).replace(/\b(const|volatile) /g, ""),
      offsetBytes,
      sizeBytes,
      value: scalar === undefined || bytes === undefined ? undefined : String(readVariable(bytes, variable)),
    };
  });
}

export function describeExterns(spec: ObjectSpec): ExternDescription[] {
  const externs = new Map<string, { readonly isWeak: boolean; readonly programs: Set<string> }>();
  for (const program of spec.programs) {
    for (const reference of program.references) {
      if (reference.kind !== "extern") continue;
      const known = externs.get(reference.symbol) ?? {
        isWeak: reference.isWeak,
        programs: new Set<string>(),
      };
      known.programs.add(program.name);
      externs.set(reference.symbol, known);
    }
  }
  return [...externs].map(([name, { isWeak, programs }]) => ({ name, isWeak, programs: [...programs] }));
}

/** The named structs, unions and enums. */
export function describeTypes(btf: BtfTypes | undefined): TypeDescription[] {
  if (btf === undefined) return [];
  return btf.types.flatMap((type, id): TypeDescription[] => {
    if (type.kind === "enum" && type.name !== "") {
      const members = type.values.map(({ name, value }) => ({ name, value: String(value) }));
      return [{ name: `enum ${type.name}`, sizeBytes: type.sizeBytes, members }];
    }
    if ((type.kind !== "struct" && type.kind !== "union") || type.name === "") return [];
    const members = type.members.map(({ name, type: memberType, offsetBits, bitFieldBits }) => ({
      name,
      type: typeName(btf, memberType),
      offsetBits,
      ...(bitFieldBits === 0 ? {} : { bitFieldBits }),
    }));
    return [{ name: typeName(btf, id), sizeBytes: type.sizeBytes, members }];
  });
}

/** `variables`: also the instructions, with these names. */
function describeProgram(program: ProgramSpec, variables: readonly Variable[] | undefined): object {
  const { name, section, instructions, functions } = program;
  const listing = variables === undefined ? {} : { instructions: listInstructions(program, variables) };
  return { name, section, instructionCount: instructions.length, functions, ...listing };
}

function describeMap(map: MapSpec, btf: BtfTypes | undefined): object {
  const { name, type, keySizeBytes, valueSizeBytes, maxEntries, flags, inner, values } = map;
  const typeOf = (id: number | undefined): string | undefined =>
    id === undefined || btf === undefined ? undefined : typeName(btf, id);
  return {
    name,
    type: mapTypeName(type),
    keySizeBytes,
    keyType: typeOf(map.keyTypeId),
    valueSizeBytes,
    valueType: typeOf(map.valueTypeId),
    maxEntries,
    flags: mapFlagNames(flags),
    isPinnedByName: map.isPinnedByName ?? false,
    numaNode: map.numaNode,
    extra: map.extra,
    inner: inner === undefined ? undefined : describeMap(inner, btf),
    values: values === undefined ? undefined : Object.fromEntries(values),
  };
}
