/**
 * Maps of an object. Definitions are variables of section `.maps`; what they say is in their type alone:
 *
 *     __uint(name, n)      int (*name)[n]          the number is the length of the array
 *     __ulong(name, n)     enum { x = n } name     the number is the enumerator
 *     __type(name, t)      t *name
 *     __array(values, t)   t *values[]             t: the definition of an inner map, or a function (PROG_ARRAY)
 *
 * and, for `values`, in the relocations of its initializer. Variables of `.rodata*`, `.data*` and `.bss*` become one ARRAY for each section.
 */
import { type BtfSection, type BtfStruct, type BtfTypes, type ReadBtf, resolveType, typeOf } from "./btf.ts";
import {
  type ElfFile,
  type ElfRelocation,
  type ElfSection,
  SHF_EXECINSTR,
  SHT_NOBITS,
  SHT_PROGBITS,
} from "./elf.ts";
import { ObjectError } from "./object-error.ts";
import { R_BPF_64_ABS64, relocationError } from "./relocations.ts";
import { SectionReader } from "./section-reader.ts";
import type { MapSpec } from "./spec.ts";

/** Where a map is in the file, so that relocations find it. */
export interface PlacedMap {
  readonly spec: MapSpec;
  readonly section: number;
  /** In the section; 0 for the map of a whole section. */
  readonly offset: number;
}

export const MAPS_SECTION = ".maps";

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_MAP_TYPE_PROG_ARRAY = 3;
const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
const BPF_MAP_TYPE_HASH_OF_MAPS = 13;
const BPF_F_RDONLY_PROG = 1 << 7;
const BPF_F_MMAPABLE = 1 << 10;
const POINTER_SIZE_BYTES = 8;
/** The kernel has sizes in 32 bits. */
const SIZE_MAX_BYTES = 0xffff_ffff;

/** Zeros take no room in the file, so this is the one thing whose size it does not bound. */
const BSS_SIZE_MAX_BYTES = 64 * 1024 * 1024;

const FIELDS = [
  "type",
  "max_entries",
  "map_flags",
  "key",
  "key_size",
  "value",
  "value_size",
  "values",
  "pinning",
  "numa_node",
  "map_extra",
] as const;
type Field = (typeof FIELDS)[number];

/** Those of `.maps` by their offset, then those of the data sections by section. Throws ObjectError. */
export function readMaps(elf: ElfFile, read: ReadBtf | undefined): PlacedMap[] {
  const legacy = elf.sections.find(
    ({ name, sizeBytes }) => (name === "maps" || name.startsWith("maps/")) && sizeBytes > 0,
  );
  if (legacy !== undefined) {
    const why =
      "legacy map definitions (struct bpf_map_def) are not supported, expected BTF definitions in .maps";
    throw new ObjectError("unsupported", { section: legacy.name }, why);
  }
  return [...readDefinitions(elf, read), ...readDataSections(elf, read)];
}

export function isDataSection({ name, type, flags }: ElfSection): boolean {
  return (
    (type === SHT_PROGBITS || type === SHT_NOBITS) &&
    (flags & SHF_EXECINSTR) === 0 &&
    /^\.(rodata|data|bss)(\.|$)/.test(name)
  );
}

function readDataSections(elf: ElfFile, read: ReadBtf | undefined): PlacedMap[] {
  const bssSizeBytes = elf.sections
    .filter((section) => isDataSection(section) && section.type === SHT_NOBITS)
    .reduce((sum, section) => sum + section.sizeBytes, 0);
  const typeIds = new Map<string, number>();
  for (const [id, type] of (read?.btf.types ?? []).entries()) {
    if (type.kind === "section") typeIds.set(type.name, id);
  }
  return elf.sections
    .filter((section) => isDataSection(section) && section.sizeBytes > 0)
    .map((section) => {
      const { name, index, type, sizeBytes } = section;
      if (type === SHT_NOBITS && bssSizeBytes > BSS_SIZE_MAX_BYTES) {
        const why = `${bssSizeBytes} bytes of zeros, expected at most ${BSS_SIZE_MAX_BYTES}`;
        throw new ObjectError("unsupported", { section: name }, why);
      }
      const isReadonly = name.startsWith(".rodata");
      const valueTypeId = typeIds.get(name);
      const spec: MapSpec = {
        name,
        type: BPF_MAP_TYPE_ARRAY,
        keySizeBytes: 4,
        valueSizeBytes: sizeBytes,
        maxEntries: 1,
        flags: BPF_F_MMAPABLE | (isReadonly ? BPF_F_RDONLY_PROG : 0),
        ...(valueTypeId === undefined ? {} : { valueTypeId }),
        contents: type === SHT_NOBITS ? new Uint8Array(sizeBytes) : section.bytes.slice(),
        isReadonly,
      };
      return { spec, section: index, offset: 0 };
    });
}

function readDefinitions(elf: ElfFile, read: ReadBtf | undefined): PlacedMap[] {
  const section = elf.sections.find(({ name, sizeBytes }) => name === MAPS_SECTION && sizeBytes > 0);
  if (section === undefined) return [];
  const types = read?.btf.types ?? [];
  const layout = types.find(
    (type): type is BtfSection => type.kind === "section" && type.name === MAPS_SECTION,
  );
  if (read === undefined || layout === undefined) {
    throw new ObjectError(
      "bad-map",
      { section: MAPS_SECTION },
      "there are definitions, but no BTF that describes them",
    );
  }
  const { btf } = read;

  const variables = layout.variables
    .map(({ type, offsetBytes, sizeBytes }) => {
      const variable = typeOf(btf, type);
      if (variable.kind !== "variable")
        throw new ObjectError("bad-btf", { section: MAPS_SECTION }, `lists a ${variable.kind}`);
      return { name: variable.name, typeId: variable.type, offset: offsetBytes, sizeBytes };
    })
    .sort((a, b) => a.offset - b.offset);
  const names = new Set<string>();
  for (const [index, { name, offset, sizeBytes }] of variables.entries()) {
    const place = { section: MAPS_SECTION, symbol: name, offset };
    const limit = variables[index + 1]?.offset ?? section.sizeBytes;
    if (offset + sizeBytes > limit)
      throw new ObjectError(
        "bad-map",
        place,
        `size ${sizeBytes}, but the next one or the end is at ${limit}`,
      );
    if (name === "" || names.has(name)) throw new ObjectError("bad-map", place, "expected a name of its own");
    names.add(name);
  }

  const definitions = variables.map((variable) => ({
    ...variable,
    ...readDefinition(btf, variable.name, variable.typeId, 0),
  }));
  const initializers = initializersOf(section, definitions);
  const namesByOffset = new Map(definitions.map(({ spec, offset }) => [offset, spec.name]));
  return definitions.map(({ spec, offset, sizeBytes, valuesOffsetBytes }, index) => {
    const relocations = initializers.get(index) ?? [];
    const values = new Map<number, string>();
    for (const relocation of relocations) {
      if (valuesOffsetBytes === undefined)
        throw relocationError(section, relocation, `map "${spec.name}" has no "values"`);
      const from = relocation.offset - offset - valuesOffsetBytes;
      if (
        from < 0 ||
        from % POINTER_SIZE_BYTES !== 0 ||
        relocation.offset + POINTER_SIZE_BYTES > offset + sizeBytes
      ) {
        throw relocationError(section, relocation, `is not at an element of "values" of map "${spec.name}"`);
      }
      values.set(from / POINTER_SIZE_BYTES, initialValue(elf, section, relocation, spec, namesByOffset));
    }
    const whole = values.size === 0 ? spec : { ...spec, values };
    return { spec: whole, section: section.index, offset };
  });
}

interface Definition {
  readonly spec: MapSpec;
  /** Of the member `values`, in the definition's variable. */
  readonly valuesOffsetBytes: number | undefined;
}

function readDefinition(btf: BtfTypes, name: string, typeId: number, depth: number): Definition {
  const struct = resolveType(btf, typeId).type;
  if (struct.kind !== "struct") throw mapError(name, `is a ${struct.kind}, expected a struct`);
  const numbers = new Map<Field, number>();
  let keyTypeId: number | undefined;
  let valueTypeId: number | undefined;
  let inner: MapSpec | undefined;
  let valuesOffsetBytes: number | undefined;
  const seen = new Set<string>();
  for (const member of struct.members) {
    if (seen.has(member.name)) throw mapError(name, `field "${member.name}" for the second time`);
    seen.add(member.name);
    const field = FIELDS.find((known) => known === member.name);
    if (field === undefined)
      throw mapError(name, `unknown field "${member.name}", expected ${FIELDS.join(", ")}`);
    if (field === "key") keyTypeId = pointedAt(btf, name, member);
    else if (field === "value") valueTypeId = pointedAt(btf, name, member);
    else if (field === "values") {
      valuesOffsetBytes = member.offsetBits / 8;
      inner = readValues(btf, name, struct, member, depth);
    } else numbers.set(field, numberOf(btf, name, member));
  }

  const type = numbers.get("type");
  if (type === undefined || type === 0) throw mapError(name, 'field "type" is missing');
  const isMapInMap = type === BPF_MAP_TYPE_ARRAY_OF_MAPS || type === BPF_MAP_TYPE_HASH_OF_MAPS;
  if (isMapInMap && valuesOffsetBytes !== undefined && inner === undefined) {
    throw mapError(name, 'field "values" names a function, expected the definition of an inner map');
  }
  if (inner !== undefined && !isMapInMap)
    throw mapError(name, `type ${type} has inner maps, expected an array or hash of maps`);
  if (inner === undefined && valuesOffsetBytes !== undefined && type !== BPF_MAP_TYPE_PROG_ARRAY) {
    throw mapError(
      name,
      `type ${type} has "values", expected only an array or hash of maps, or an array of programs`,
    );
  }
  const pinning = numbers.get("pinning") ?? 0;
  if (pinning > 1) throw mapError(name, `pinning ${pinning}, expected 0 (none) or 1 (by name)`);
  const valueSizeDefault = valuesOffsetBytes === undefined ? 0 : 4; // what user space sees: a file descriptor or an id
  const spec: MapSpec = {
    name,
    type,
    keySizeBytes: sizeOf(btf, name, "key", numbers.get("key_size"), keyTypeId, 0),
    valueSizeBytes: sizeOf(btf, name, "value", numbers.get("value_size"), valueTypeId, valueSizeDefault),
    maxEntries: numbers.get("max_entries") ?? 0,
    flags: numbers.get("map_flags") ?? 0,
    ...(keyTypeId === undefined ? {} : { keyTypeId }),
    ...(valueTypeId === undefined ? {} : { valueTypeId }),
    ...(inner === undefined ? {} : { inner }),
    ...(pinning === 0 ? {} : { isPinnedByName: true }),
    ...(numbers.has("numa_node") ? { numaNode: numbers.get("numa_node")! } : {}),
    ...(numbers.has("map_extra") ? { extra: numbers.get("map_extra")! } : {}),
    isReadonly: false,
  };
  return { spec, valuesOffsetBytes };
}

/** `values`: the inner map's spec, or undefined when it is an array of function pointers. */
function readValues(
  btf: BtfTypes,
  name: string,
  struct: BtfStruct,
  member: BtfStruct["members"][number],
  depth: number,
): MapSpec | undefined {
  if (struct.members.at(-1) !== member) throw mapError(name, 'field "values" must be the last');
  if (depth > 0) throw mapError(name, "an inner map cannot have inner maps");
  const array = resolveType(btf, member.type).type;
  const pointer = array.kind === "array" ? resolveType(btf, array.element).type : undefined;
  const target = pointer?.kind === "pointer" ? resolveType(btf, pointer.target) : undefined;
  if (array.kind !== "array" || array.count !== 0 || target === undefined) {
    throw mapError(name, 'field "values" is no array of pointers without a length');
  }
  if (target.type.kind === "prototype") return undefined;
  return readDefinition(btf, `${name}.inner`, target.id, depth + 1).spec;
}

function numberOf(btf: BtfTypes, name: string, member: BtfStruct["members"][number]): number {
  const { type } = resolveType(btf, member.type);
  if (type.kind === "enum" && type.values.length === 1) {
    const { value } = type.values[0]!;
    if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw mapError(name, `field "${member.name}" is ${value}, expected 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  const array = type.kind === "pointer" ? resolveType(btf, type.target).type : undefined;
  if (array?.kind !== "array")
    throw mapError(name, `field "${member.name}" is no number, expected __uint or __ulong`);
  return array.count;
}

function pointedAt(btf: BtfTypes, name: string, member: BtfStruct["members"][number]): number {
  const { type } = resolveType(btf, member.type);
  if (type.kind !== "pointer")
    throw mapError(name, `field "${member.name}" is a ${type.kind}, expected __type`);
  if (btf.sizesBytes[type.target] === 0)
    throw mapError(name, `field "${member.name}" names a type without a size`);
  return type.target;
}

function sizeOf(
  btf: BtfTypes,
  name: string,
  what: "key" | "value",
  written: number | undefined,
  typeId: number | undefined,
  otherwise: number,
): number {
  const ofType = typeId === undefined ? undefined : btf.sizesBytes[typeId];
  if (ofType !== undefined && ofType > SIZE_MAX_BYTES) {
    throw mapError(name, `type of ${what} has ${ofType} bytes, expected less than 4 GiB`);
  }
  if (written !== undefined && ofType !== undefined && written !== ofType) {
    throw mapError(name, `${what}_size ${written}, but type of ${what} has ${ofType} bytes`);
  }
  return written ?? ofType ?? otherwise;
}

function initialValue(
  elf: ElfFile,
  section: ElfSection,
  relocation: ElfRelocation,
  spec: MapSpec,
  namesByOffset: ReadonlyMap<number, string>,
): string {
  const { symbol, type } = relocation;
  if (type !== R_BPF_64_ABS64) throw relocationError(section, relocation, "expected R_BPF_64_ABS64");
  const facts = { section: section.name, isLittleEndian: elf.isLittleEndian, code: "bad-map" } as const;
  const addend = new SectionReader(section.bytes, facts).u64(relocation.offset);
  if (spec.inner === undefined) {
    const home = elf.sections[symbol.section ?? 0];
    if (
      symbol.kind !== "function" ||
      addend !== 0n ||
      home === undefined ||
      (home.flags & SHF_EXECINSTR) === 0
    ) {
      throw relocationError(section, relocation, `entry of map "${spec.name}" is no function`);
    }
    return symbol.name;
  }
  // A static map is named by its section and its offset.
  const target = namesByOffset.get(symbol.value + Number(addend));
  if (symbol.section !== section.index || target === undefined) {
    throw relocationError(section, relocation, `entry of map "${spec.name}" is no map`);
  }
  return target;
}

/** The relocations of each definition's initializer, by its index. Definitions and relocations both ascend. */
function initializersOf(
  section: ElfSection,
  definitions: readonly { readonly offset: number; readonly sizeBytes: number }[],
): Map<number, ElfRelocation[]> {
  const byDefinition = new Map<number, ElfRelocation[]>();
  let index = 0;
  for (const relocation of section.relocations) {
    const end = (): number => definitions[index]!.offset + definitions[index]!.sizeBytes;
    while (index < definitions.length && end() <= relocation.offset) index++;
    if ((definitions[index]?.offset ?? Number.POSITIVE_INFINITY) > relocation.offset) {
      throw relocationError(section, relocation, "lies in no map definition");
    }
    const list = byDefinition.get(index) ?? [];
    list.push(relocation);
    byDefinition.set(index, list);
  }
  return byDefinition;
}

function mapError(name: string, why: string): ObjectError {
  return new ObjectError("bad-map", { section: MAPS_SECTION, symbol: name }, why);
}
