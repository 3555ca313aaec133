/**
 * TypeScript from an object's BTF: an interface and a codec for every struct that its maps hold, the enums, maps, options and
 * variables. codec.ts says what the codecs promise; codec-fields.ts has the steps they are made of.
 *
 * Taken are the structs that keys and values of maps name (inner maps too) and the members of a union `shared_types`, if the object
 * has one, and whatever these contain. A named struct in an anonymous union is taken as well, under the name of
 * the outer struct and the member: `struct backend { union { ...; struct { ... } ipv4; }; }` gives `backendIpv4`.
 */
import {
  type BtfEnum,
  type BtfMember,
  type BtfStruct,
  type BtfTypes,
  resolveType,
  typeName,
  typeOf,
} from "./btf.ts";
import { ObjectError } from "./object-error.ts";
import type { MapSpec, ObjectSpec } from "./spec.ts";
import { listVariables, readVariable } from "./variables.ts";

export interface GenerateOptions {
  /** As the header says it. */
  readonly objectName: string;
  readonly objectSha256: string;
  /** What regenerates the file. */
  readonly command: string;
  /** Module specifier of the folder that holds codec.ts and codec-fields.ts. */
  readonly codecFolder: string;
}

const SHARED_TYPES = "shared_types";
/** The enum whose constants have public names. */
const REASON_ENUM = "reason";
const RESERVED = "reserved";

/** Throws ObjectError with code "unsupported" for a field that has no TypeScript counterpart. */
export function generateCodecs(spec: ObjectSpec, options: GenerateOptions): string {
  const { btf } = spec;
  if (btf === undefined)
    throw new ObjectError("unsupported", { section: ".BTF" }, "no types to generate codecs from");
  const taken = takeTypes(spec, btf);
  const body = [
    ...taken.structs.map((struct) => structText(btf, struct, spec.isLittleEndian)),
    ...taken.enums.map(enumText),
    ...taken.enums.filter(({ name }) => name === REASON_ENUM).map(reasonNamesText),
    mapsText(spec, taken),
    variablesText(spec),
    `/** Programs of the object, by section. */\nexport const programs: { readonly [name: string]: string } = {\n${spec.programs
      .map(({ name, section }) => `  ${name}: ${JSON.stringify(section)},\n`)
      .join("")}};\n`,
  ].join("\n");
  return `${headerText(options, body)}\n${body}`;
}

interface TakenStruct {
  readonly struct: BtfStruct;
  /** TypeScript names of the codec and of its interface. */
  readonly codec: string;
  readonly type: string;
  /** As C says it: "vip_bucket", "backend.ipv4". */
  readonly name: string;
  readonly title: string;
  readonly fields: readonly Field[];
}

/** What an anonymous struct is called. */
interface Naming {
  readonly name: string;
  readonly title: string;
}

interface Taken {
  readonly structs: readonly TakenStruct[];
  readonly enums: readonly BtfEnum[];
  /** Codec by type id of the struct. */
  readonly byTypeId: ReadonlyMap<number, TakenStruct>;
}

/** How a value lies in memory. */
type Shape =
  | {
      readonly kind: "integer";
      readonly sizeBytes: 1 | 2 | 4 | 8;
      readonly isSigned: boolean;
      readonly isNetwork: boolean;
    }
  | { readonly kind: "bool" }
  | { readonly kind: "bytes"; readonly length: number }
  | { readonly kind: "array"; readonly length: number; readonly strideBytes: number; readonly element: Shape }
  | { readonly kind: "struct"; readonly typeId: number };

interface Field {
  readonly name: string;
  readonly offsetBytes: number;
  readonly shape: Shape;
  /** How C says it. */
  readonly comment: string;
}

function takeTypes(spec: ObjectSpec, btf: BtfTypes): Taken {
  const byTypeId = new Map<number, TakenStruct>();
  const enums = new Map<string, BtfEnum>();
  const visit = (typeId: number, naming?: Naming): void => {
    const { id, type } = resolveType(btf, typeId);
    if (type.kind === "array") visit(type.element);
    if (type.kind === "enum" && type.name !== "") enums.set(type.name, type);
    if (type.kind !== "struct" || byTypeId.has(id)) return;
    if (type.name === "" && naming === undefined) return;
    const name = naming?.name ?? type.name;
    const codec = camelCase(name);
    const fields = fieldsOf(btf, type);
    const title = naming?.title ?? `struct ${type.name}`;
    for (const member of membersOf(btf, type)) {
      visit(member.type);
      nameUnionStructs(btf, type, member, visit);
    }
    byTypeId.set(id, { struct: type, codec, type: pascalCase(codec), name, title, fields });
  };

  for (const map of spec.maps) {
    if (map.contents !== undefined) continue;
    for (const typeId of [map.keyTypeId, map.valueTypeId, map.inner?.keyTypeId, map.inner?.valueTypeId]) {
      if (typeId !== undefined) visit(typeId);
    }
  }
  const shared = btf.types.find(
    (type): type is BtfStruct => type.kind === "union" && type.name === SHARED_TYPES,
  );
  for (const member of shared?.members ?? []) visit(member.type);
  return { structs: [...byTypeId.values()], enums: [...enums.values()], byTypeId };
}

/** Members, with those of anonymous structs in their place and of an anonymous union its first. Offsets are the outer struct's. */
function membersOf(btf: BtfTypes, struct: BtfStruct): readonly BtfMember[] {
  return struct.members.flatMap((member) => {
    if (member.name !== "") return [member];
    const inner = resolveType(btf, member.type).type;
    if (inner.kind !== "struct" && inner.kind !== "union") return [];
    const wanted = inner.kind === "union" ? { ...inner, members: inner.members.slice(0, 1) } : inner;
    return membersOf(btf, wanted).map((each) => ({
      ...each,
      offsetBits: each.offsetBits + member.offsetBits,
    }));
  });
}

/** The named structs in the anonymous union whose first member is `first`. */
function nameUnionStructs(
  btf: BtfTypes,
  struct: BtfStruct,
  first: BtfMember,
  visit: (typeId: number, naming: Naming) => void,
): void {
  for (const outer of struct.members) {
    const union = resolveType(btf, outer.type).type;
    if (outer.name !== "" || union.kind !== "union" || union.members[0]?.name !== first.name) continue;
    for (const member of union.members) {
      const { type } = resolveType(btf, member.type);
      if (type.kind !== "struct" || type.name !== "" || member.name === "") continue;
      visit(member.type, {
        name: `${struct.name}.${member.name}`,
        title: `${member.name} of struct ${struct.name}, at its byte ${outer.offsetBits / 8}`,
      });
    }
  }
}

function fieldsOf(btf: BtfTypes, struct: BtfStruct): Field[] {
  const names = new Set<string>();
  return membersOf(btf, struct)
    .filter(({ name }) => name !== RESERVED)
    .map((member) => {
      const name = camelCase(member.name);
      const place = { section: ".BTF", symbol: `${struct.name}.${member.name}` };
      if (names.has(name)) throw new ObjectError("unsupported", place, `second field called ${name}`);
      names.add(name);
      if (member.bitFieldBits !== 0)
        throw new ObjectError("unsupported", place, "is a bit field, expected whole bytes");
      return {
        name,
        offsetBytes: member.offsetBits / 8,
        shape: shapeOf(btf, member.type, place),
        comment: typeName(btf, member.type),
      };
    });
}

function shapeOf(
  btf: BtfTypes,
  typeId: number,
  place: { readonly section: string; readonly symbol: string },
): Shape {
  const isNetwork = isNetworkOrder(btf, typeId);
  const { id, type } = resolveType(btf, typeId);
  switch (type.kind) {
    case "int":
      if (type.isBool) return { kind: "bool" };
      return { kind: "integer", sizeBytes: integerSize(type.sizeBytes), isSigned: type.isSigned, isNetwork };
    case "enum":
      return { kind: "integer", sizeBytes: integerSize(type.sizeBytes), isSigned: type.isSigned, isNetwork };
    case "array": {
      const element = shapeOf(btf, type.element, place);
      const isBytes = element.kind === "integer" && element.sizeBytes === 1 && !element.isSigned;
      if (isBytes) return { kind: "bytes", length: type.count };
      return { kind: "array", length: type.count, strideBytes: btf.sizesBytes[type.element]!, element };
    }
    case "struct":
      if (type.name === "") break;
      return { kind: "struct", typeId: id };
    case "union":
      if (type.members[0] !== undefined) return shapeOf(btf, type.members[0].type, place);
      break;
    default:
      break;
  }
  throw new ObjectError(
    "unsupported",
    place,
    `is a ${type.kind}, expected integers, arrays and named structs`,
  );

  function integerSize(sizeBytes: number): 1 | 2 | 4 | 8 {
    if (sizeBytes === 1 || sizeBytes === 2 || sizeBytes === 4 || sizeBytes === 8) return sizeBytes;
    throw new ObjectError("unsupported", place, `is an integer of ${sizeBytes} bytes, expected 1, 2, 4 or 8`);
  }
}

function isNetworkOrder(btf: BtfTypes, typeId: number): boolean {
  for (let id = typeId; ; ) {
    const type = typeOf(btf, id);
    if (type.kind === "typedef" && /^__be(16|32|64)$/.test(type.name)) return true;
    if (!("target" in type) || type.kind === "pointer" || type.kind === "declTag") return false;
    id = type.target;
  }
}

// ---------------------------------------------------------------------------------------------------- text

function headerText(
  { objectName, objectSha256, command, codecFolder }: GenerateOptions,
  body: string,
): string {
  const helpers = [
    "clear",
    "elements",
    "i16",
    "i32",
    "i64",
    "i8",
    "readBytes",
    "u16",
    "u32",
    "u64",
    "u8",
    "viewOf",
    "writeBytes",
  ];
  const used = helpers.filter((helper) => new RegExp(`(?<![\\w.])${helper}\\(`).test(body));
  const lines = [
    `// Generated from the BTF of ${objectName} (sha256 ${objectSha256}).`,
    `// Do not edit; regenerate with: ${command}`,
    `import type { Codec, MapLayout } from "${codecFolder}/codec.ts";`,
  ];
  if (used.length > 0) lines.push(`import { ${used.join(", ")} } from "${codecFolder}/codec-fields.ts";`);
  return `${lines.join("\n")}\n`;
}

function structText(btf: BtfTypes, taken: TakenStruct, isLittleEndian: boolean): string {
  const { struct, codec, type, name, title, fields } = taken;
  const size = struct.sizeBytes;
  const memory = { btf, isLittleEndian };
  const fieldTypes = fields.map(
    (field) =>
      `  /** ${field.comment}, byte ${field.offsetBytes}${noteOf(field.shape)}. */\n  readonly ${field.name}: ${tsType(btf, field.shape)};\n`,
  );
  const offsets = fields.map(({ name, offsetBytes }) => `${name}: ${offsetBytes}`);
  const reads = fields.map(
    ({ name, offsetBytes, shape }) => `      ${name}: ${readText(memory, shape, String(offsetBytes), 0)},\n`,
  );
  // Where there are only structs inside, the view has done its work once it is made: it checks the bounds.
  const readsView = reads.some((read) => /\bview\b/.test(read));
  const writes = fields.map(({ name, offsetBytes, shape }) =>
    writeText(memory, shape, {
      at: String(offsetBytes),
      value: `value.${name}`,
      field: `${codec}.${name}`,
      depth: 0,
    }),
  );
  return `/** ${title}: ${size} bytes. */
export interface ${type} {
${fieldTypes.join("")}}

export const ${codec}: Codec<${type}> = {
  name: ${JSON.stringify(name)},
  sizeBytes: ${size},
  offsets: { ${offsets.join(", ")} },
  read(bytes: Uint8Array, offset = 0): ${type} {
    ${readsView ? "const view = " : ""}viewOf(bytes, offset, ${size});
    return {
${reads.join("")}    };
  },
  write(bytes: Uint8Array, value: ${type}, offset = 0): void {
    const view = viewOf(bytes, offset, ${size});
    clear(view);
${writes.map((line) => `    ${line}\n`).join("")}  },
};
`;
}

function noteOf(shape: Shape): string {
  if (shape.kind === "array") return noteOf(shape.element);
  return shape.kind === "integer" && shape.isNetwork ? ", network order in memory" : "";
}

function tsType(btf: BtfTypes, shape: Shape): string {
  switch (shape.kind) {
    case "integer":
      return shape.sizeBytes === 8 ? "bigint" : "number";
    case "bool":
      return "boolean";
    case "bytes":
      return "Uint8Array";
    case "array":
      return `readonly ${tsType(btf, shape.element).replace(/^readonly (.*)$/, "(readonly $1)")}[]`;
    case "struct":
      return pascalCase(camelCase(structName(btf, shape.typeId)));
  }
}

interface MemoryFacts {
  readonly btf: BtfTypes;
  readonly isLittleEndian: boolean;
}

/** An expression for the value at the offset that the expression `at` gives. */
function readText(memory: MemoryFacts, shape: Shape, at: string, depth: number): string {
  switch (shape.kind) {
    case "integer":
      return `view.get${accessor(shape)}(${at}${orderArgument(memory, shape)})`;
    case "bool":
      return `view.getUint8(${at}) !== 0`;
    case "bytes":
      return `readBytes(view, ${at}, ${shape.length})`;
    case "array": {
      const index = indexName(depth);
      const element = readText(memory, shape.element, elementOffset(at, shape.strideBytes, index), depth + 1);
      return `Array.from({ length: ${shape.length} }, (_, ${index}) => ${element})`;
    }
    case "struct":
      return `${camelCase(structName(memory.btf, shape.typeId))}.read(bytes, offset + ${at})`;
  }
}

interface WriteFacts {
  readonly at: string;
  readonly value: string;
  readonly field: string;
  readonly depth: number;
}

/** A statement, its first line without indentation. */
function writeText(memory: MemoryFacts, shape: Shape, { at, value, field, depth }: WriteFacts): string {
  switch (shape.kind) {
    case "integer": {
      const check = `${shape.isSigned ? "i" : "u"}${shape.sizeBytes * 8}`;
      return `view.set${accessor(shape)}(${at}, ${check}(${value}, "${field}")${orderArgument(memory, shape)});`;
    }
    case "bool":
      return `view.setUint8(${at}, ${value} ? 1 : 0);`;
    case "bytes":
      return `writeBytes(view, ${at}, ${shape.length}, ${value}, "${field}");`;
    case "array": {
      const index = indexName(depth);
      const element = `element${depth === 0 ? "" : depth}`;
      const inner = {
        at: elementOffset(at, shape.strideBytes, index),
        value: element,
        field,
        depth: depth + 1,
      };
      const statement = writeText(memory, shape.element, inner);
      const indent = "  ".repeat(depth + 2);
      const head = `for (const [${index}, ${element}] of elements(${value}, ${shape.length}, "${field}")) {`;
      return `${head}\n${indent}  ${statement}\n${indent}}`;
    }
    case "struct":
      return `${camelCase(structName(memory.btf, shape.typeId))}.write(bytes, ${value}, offset + ${at});`;
  }
}

function accessor({
  sizeBytes,
  isSigned,
}: {
  readonly sizeBytes: number;
  readonly isSigned: boolean;
}): string {
  return `${sizeBytes === 8 ? "Big" : ""}${isSigned ? "Int" : "Uint"}${sizeBytes * 8}`;
}

/** DataView's default is network order. */
function orderArgument(
  { isLittleEndian }: MemoryFacts,
  shape: { readonly sizeBytes: number; readonly isNetwork: boolean },
): string {
  return shape.sizeBytes === 1 || shape.isNetwork || !isLittleEndian ? "" : ", true";
}

function elementOffset(at: string, strideBytes: number, index: string): string {
  const step = strideBytes === 1 ? index : `${strideBytes} * ${index}`;
  return at === "0" ? step : `${at} + ${step}`;
}

function indexName(depth: number): string {
  return depth === 0 ? "index" : `index${depth}`;
}

function enumText({ name, values }: BtfEnum): string {
  const type = pascalCase(camelCase(name));
  return `/** enum ${name}. */
export const ${type} = {
${values.map((each) => `  ${each.name}: ${constant(each.value)},\n`).join("")}} as const;
export type ${type} = (typeof ${type})[keyof typeof ${type}];
`;
}

/** Constants as far as they count up from 0; the last, REASON_COUNT, is no reason. */
function reasonNamesText({ values }: BtfEnum): string {
  const names = values.map(({ name, value }, index) => {
    if (value !== BigInt(index)) {
      throw new ObjectError(
        "unsupported",
        { section: ".BTF", symbol: name },
        `is ${value}, expected ${index}: reasons count up from 0`,
      );
    }
    return name.replace(/^REASON_/, "").toLowerCase();
  });
  if (names.pop() !== "count") {
    throw new ObjectError(
      "unsupported",
      { section: ".BTF", symbol: `enum ${REASON_ENUM}` },
      "does not end with REASON_COUNT",
    );
  }
  return `/** Public names of reasons: the element at a reason's number. */
export const REASON_NAMES: readonly string[] = [
${names.map((name) => `  ${JSON.stringify(name)},\n`).join("")}];
`;
}

function mapsText({ maps, btf }: ObjectSpec, taken: Taken): string {
  const entries = maps.flatMap((map) => {
    const holder: MapSpec = map.inner ?? map;
    const typeId = map.contents === undefined ? holder.valueTypeId : undefined;
    const codec =
      typeId === undefined || btf === undefined ? undefined : taken.byTypeId.get(resolveType(btf, typeId).id);
    return codec === undefined ? [] : [{ map, holder, codec }];
  });
  const types = entries.map(({ map, codec }) => `  readonly ${map.name}: MapLayout<${codec.type}>;\n`);
  const values = entries.map(({ map, holder, codec }) => {
    const facts = [
      `name: ${JSON.stringify(map.name)}`,
      `keySizeBytes: ${map.keySizeBytes}`,
      `value: ${codec.codec}`,
      `maxEntries: ${holder.maxEntries}`,
      `isMapInMap: ${map.inner !== undefined}`,
    ];
    return `  ${map.name}: { ${facts.join(", ")} },\n`;
  });
  return `/** Maps whose values are structs, by name. */\nexport const maps: {\n${types.join("")}} = {\n${values.join("")}};\n`;
}

function variablesText(spec: ObjectSpec): string {
  const lineOf = (isReadonly: boolean): string =>
    listVariables(spec)
      .filter((variable) => variable.scalar !== undefined && variable.isReadonly === isReadonly)
      .map((variable) => {
        const { name, map, offsetBytes, sizeBytes, typeId } = variable;
        const contents = spec.maps.find((each) => each.name === map)!.contents!;
        const value = readVariable(contents, variable);
        const type = typeName(spec.btf!, typeId).replace(/\b(const|volatile) /g, "");
        return `  ${name}: { map: "${map}", type: "${type}", offsetBytes: ${offsetBytes}, sizeBytes: ${sizeBytes}, value: ${literal(value)} },\n`;
      })
      .join("");
  return `/** Options: variables of .rodata, fixed when the program is loaded, with their defaults. */
export const options = {
${lineOf(true)}} as const;

/** Variables of .data and .bss, with their initial values. */
export const variables = {
${lineOf(false)}} as const;
`;
}

/** 64-bit variables are bigint, as codecs have them. */
function literal(value: number | bigint | boolean): string {
  return typeof value === "bigint" ? `${value}n` : String(value);
}

/** Constants of enums are numbers as long as a number holds them. */
function constant(value: bigint): string {
  return BigInt.asIntN(54, value) === value ? String(value) : `${value}n`;
}

function structName(btf: BtfTypes, typeId: number): string {
  const type = typeOf(btf, typeId);
  return type.kind === "struct" ? type.name : "";
}

function camelCase(name: string): string {
  return name.replace(/[._]+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

function pascalCase(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}
