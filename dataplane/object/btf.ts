/**
 * BTF, the type information of BPF objects (kernel 6.18, Documentation/bpf/btf.rst). `readBtf` turns the `.BTF` section into a plain
 * array of types whose index is the type's id. After it every reference is within the array, no type contains
 * itself, and every size is known, so that users can follow types without checks of their own. Sizes are below 4 GiB but for
 * arrays that nothing is made of: `int (*max_entries)[n]` in a map's definition only says n.
 */
import { SectionReader } from "./section-reader.ts";
import { StringTable } from "./string-table.ts";

export interface BtfTypes {
  /** By id; 0 is void. */
  readonly types: readonly BtfType[];
  /**
   * By id; 0 for what has no size (void, functions, forward declarations). An array that is only pointed at, and aliases of it, may
   * have any size; one beyond 2^53 - 1 counts as that.
   */
  readonly sizesBytes: readonly number[];
}

export type BtfType =
  | { readonly kind: "void" }
  | BtfInt
  | { readonly kind: "pointer"; readonly target: number }
  | BtfArray
  | BtfStruct
  | BtfEnum
  | { readonly kind: "forward"; readonly name: string; readonly isUnion: boolean }
  | BtfAlias
  | {
      readonly kind: "function";
      readonly name: string;
      readonly prototype: number;
      readonly linkage: BtfLinkage;
    }
  | { readonly kind: "prototype"; readonly returns: number; readonly parameters: readonly BtfParameter[] }
  | { readonly kind: "variable"; readonly name: string; readonly type: number; readonly linkage: BtfLinkage }
  | BtfSection
  | { readonly kind: "float"; readonly name: string; readonly sizeBytes: number }
  | {
      readonly kind: "declTag";
      readonly name: string;
      readonly target: number;
      readonly componentIndex: number;
    };

export interface BtfInt {
  readonly kind: "int";
  readonly name: string;
  readonly sizeBytes: number;
  readonly bits: number;
  readonly isSigned: boolean;
  readonly isChar: boolean;
  readonly isBool: boolean;
}

export interface BtfArray {
  readonly kind: "array";
  readonly element: number;
  readonly index: number;
  readonly count: number;
}

export interface BtfStruct {
  readonly kind: "struct" | "union";
  /** "" when anonymous. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly members: readonly BtfMember[];
}

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** From the struct's start. */
  readonly offsetBits: number;
  /** Width of a bit field; 0: an ordinary member. */
  readonly bitFieldBits: number;
}

/** ENUM and ENUM64. */
export interface BtfEnum {
  readonly kind: "enum";
  readonly name: string;
  readonly sizeBytes: number;
  readonly isSigned: boolean;
  readonly values: readonly { readonly name: string; readonly value: bigint }[];
}

/** What is another type under a name or with a qualifier. Only typedefs and type tags have a name. */
export interface BtfAlias {
  readonly kind: "typedef" | "volatile" | "const" | "restrict" | "typeTag";
  readonly name: string;
  readonly target: number;
}

export interface BtfParameter {
  /** "" when unnamed; a last parameter of type 0 without a name stands for `...`. */
  readonly name: string;
  readonly type: number;
}

/** DATASEC: the variables of an ELF section. */
export interface BtfSection {
  readonly kind: "section";
  readonly name: string;
  readonly sizeBytes: number;
  readonly variables: readonly {
    readonly type: number;
    readonly offsetBytes: number;
    readonly sizeBytes: number;
  }[];
}

export type BtfLinkage = "static" | "global" | "extern";

const SECTION = ".BTF";
const MAGIC = 0xeb9f;
const HEADER_SIZE_BYTES = 24;
const SIZE_LIMIT_BYTES = 2 ** 32;
const LINKAGES: readonly BtfLinkage[] = ["static", "global", "extern"];

// BTF_KIND_*, section 2.2 of the document.
const KIND_INT = 1;
const KIND_POINTER = 2;
const KIND_ARRAY = 3;
const KIND_STRUCT = 4;
const KIND_UNION = 5;
const KIND_ENUM = 6;
const KIND_FORWARD = 7;
const KIND_TYPEDEF = 8;
const KIND_VOLATILE = 9;
const KIND_CONST = 10;
const KIND_RESTRICT = 11;
const KIND_FUNCTION = 12;
const KIND_PROTOTYPE = 13;
const KIND_VARIABLE = 14;
const KIND_SECTION = 15;
const KIND_FLOAT = 16;
const KIND_DECL_TAG = 17;
const KIND_TYPE_TAG = 18;
const KIND_ENUM64 = 19;

export interface ReadBtf {
  readonly btf: BtfTypes;
  /** Also the strings of `.BTF.ext`. */
  readonly strings: StringTable;
  /** Byte offset of each type in the section, by id, so that errors can name it. */
  readonly offsets: readonly number[];
}

/** Reads a `.BTF` section, relocations applied. Throws ObjectError with code "bad-btf". */
export function readBtf(bytes: Uint8Array, isLittleEndian: boolean): ReadBtf {
  const reader = new SectionReader(bytes, { section: SECTION, isLittleEndian, code: "bad-btf" });
  const magic = reader.u16(0);
  if (magic !== MAGIC)
    throw reader.error(0, `magic 0x${magic.toString(16)}, expected 0x${MAGIC.toString(16)}`);
  const version = reader.u8(2);
  if (version !== 1) throw reader.error(2, `version ${version}, expected 1`);
  const headerSize = reader.u32(4);
  if (headerSize < HEADER_SIZE_BYTES) {
    throw reader.error(4, `header of ${headerSize} bytes, expected at least ${HEADER_SIZE_BYTES}`);
  }
  const typesStart = headerSize + reader.u32(8);
  const typesSize = reader.u32(12);
  reader.slice(typesStart, typesSize);
  const strings = new StringTable(reader, headerSize + reader.u32(16), reader.u32(20));

  const types: BtfType[] = [{ kind: "void" }];
  const offsets: number[] = [typesStart];
  const end = typesStart + typesSize;
  let offset = typesStart;
  while (offset < end) {
    const { type, sizeBytes } = readType(reader, strings, offset, end);
    types.push(type);
    offsets.push(offset);
    offset += sizeBytes;
  }
  checkReferences(reader, types, offsets);
  const sizesBytes = measure(reader, types, offsets);
  checkMembers(reader, types, sizesBytes, offsets);
  return { btf: { types, sizesBytes }, strings, offsets };
}

/** The type behind typedefs, qualifiers and type tags. */
export function resolveType(btf: BtfTypes, id: number): { readonly id: number; readonly type: BtfType } {
  let at = id;
  // readBtf refuses cycles, so this ends.
  for (;;) {
    const type = typeOf(btf, at);
    switch (type.kind) {
      case "typedef":
      case "volatile":
      case "const":
      case "restrict":
      case "typeTag":
        at = type.target;
        break;
      default:
        return { id: at, type };
    }
  }
}

/** A type by an id that came out of the same BTF. */
export function typeOf(btf: BtfTypes, id: number): BtfType {
  const type = btf.types[id];
  if (type === undefined) throw new RangeError(`BTF type id ${id}, expected 0 to ${btf.types.length - 1}`);
  return type;
}

/** How C would write a type's name: "struct vip", "__u32", "const char *", "__u8[6]". */
export function typeName(btf: BtfTypes, id: number): string {
  return nameAtDepth(btf, id, 0);
}

function nameAtDepth(btf: BtfTypes, id: number, depth: number): string {
  // A chain of pointers may be as long as the file; nobody wants to read more of it.
  if (depth > 16) return "...";
  const type = typeOf(btf, id);
  switch (type.kind) {
    case "void":
      return "void";
    case "pointer": {
      const target = nameAtDepth(btf, type.target, depth + 1);
      return target.endsWith("*") ? `${target}*` : `${target} *`;
    }
    case "array": {
      // Dimensions are written outermost first.
      const element = nameAtDepth(btf, type.element, depth + 1);
      const bracket = element.indexOf("[");
      const head = bracket < 0 ? element : element.slice(0, bracket);
      return `${head}[${type.count}]${bracket < 0 ? "" : element.slice(bracket)}`;
    }
    case "struct":
    case "union":
    case "enum":
      return type.name === "" ? `${type.kind} {...}` : `${type.kind} ${type.name}`;
    case "forward":
      return `${type.isUnion ? "union" : "struct"} ${type.name}`;
    case "volatile":
    case "const":
    case "restrict":
      return `${type.kind} ${nameAtDepth(btf, type.target, depth + 1)}`;
    case "typeTag":
      return nameAtDepth(btf, type.target, depth + 1);
    case "prototype":
      return `${nameAtDepth(btf, type.returns, depth + 1)} ()`;
    case "int":
    case "float":
    case "typedef":
    case "function":
    case "variable":
    case "section":
    case "declTag":
      return type.name;
  }
}

function readType(
  reader: SectionReader,
  strings: StringTable,
  offset: number,
  end: number,
): { type: BtfType; sizeBytes: number } {
  const name = strings.get(reader.u32(offset));
  const info = reader.u32(offset + 4);
  const last = reader.u32(offset + 8); // a size or a type id, as the kind has it
  const count = info & 0xffff;
  const kind = (info >>> 24) & 0x1f;
  const flag = info >>> 31 === 1;
  const body = offset + 12;

  switch (kind) {
    case KIND_INT: {
      const encoding = reader.u32(body);
      const bits = encoding & 0xff;
      const flags = (encoding >>> 24) & 0xf;
      if (last === 0 || last > 16 || bits > last * 8) {
        throw reader.error(offset, `integer ${quote(name)} of ${last} bytes and ${bits} bits`);
      }
      const isBool = (flags & 4) !== 0;
      return done(
        {
          kind: "int",
          name,
          sizeBytes: last,
          bits,
          isSigned: (flags & 1) !== 0,
          isChar: (flags & 2) !== 0,
          isBool,
        },
        4,
      );
    }
    case KIND_POINTER:
      return done({ kind: "pointer", target: last }, 0);
    case KIND_ARRAY:
      return done(
        {
          kind: "array",
          element: reader.u32(body),
          index: reader.u32(body + 4),
          count: reader.u32(body + 8),
        },
        12,
      );
    case KIND_STRUCT:
    case KIND_UNION: {
      need(12);
      const members = Array.from({ length: count }, (_, index) => {
        const at = body + index * 12;
        const position = reader.u32(at + 8);
        return {
          name: strings.get(reader.u32(at)),
          type: reader.u32(at + 4),
          offsetBits: flag ? position & 0xffffff : position,
          bitFieldBits: flag ? position >>> 24 : 0,
        };
      });
      return done(
        { kind: kind === KIND_STRUCT ? "struct" : "union", name, sizeBytes: last, members },
        count * 12,
      );
    }
    case KIND_ENUM: {
      need(8);
      const values = Array.from({ length: count }, (_, index) => {
        const at = body + index * 8;
        return {
          name: strings.get(reader.u32(at)),
          value: BigInt(flag ? reader.i32(at + 4) : reader.u32(at + 4)),
        };
      });
      return done({ kind: "enum", name, sizeBytes: enumSize(), isSigned: flag, values }, count * 8);
    }
    case KIND_ENUM64: {
      need(12);
      const values = Array.from({ length: count }, (_, index) => {
        const at = body + index * 12;
        const unsigned = (BigInt(reader.u32(at + 8)) << 32n) | BigInt(reader.u32(at + 4));
        return { name: strings.get(reader.u32(at)), value: flag ? BigInt.asIntN(64, unsigned) : unsigned };
      });
      return done({ kind: "enum", name, sizeBytes: enumSize(), isSigned: flag, values }, count * 12);
    }
    case KIND_FORWARD:
      return done({ kind: "forward", name, isUnion: flag }, 0);
    case KIND_TYPEDEF:
      return done({ kind: "typedef", name, target: last }, 0);
    case KIND_VOLATILE:
      return done({ kind: "volatile", name, target: last }, 0);
    case KIND_CONST:
      return done({ kind: "const", name, target: last }, 0);
    case KIND_RESTRICT:
      return done({ kind: "restrict", name, target: last }, 0);
    case KIND_TYPE_TAG:
      return done({ kind: "typeTag", name, target: last }, 0);
    case KIND_FUNCTION:
      return done({ kind: "function", name, prototype: last, linkage: linkage(count) }, 0);
    case KIND_PROTOTYPE: {
      need(8);
      const parameters = Array.from({ length: count }, (_, index) => ({
        name: strings.get(reader.u32(body + index * 8)),
        type: reader.u32(body + index * 8 + 4),
      }));
      return done({ kind: "prototype", returns: last, parameters }, count * 8);
    }
    case KIND_VARIABLE:
      return done({ kind: "variable", name, type: last, linkage: linkage(reader.u32(body)) }, 4);
    case KIND_SECTION: {
      need(12);
      const variables = Array.from({ length: count }, (_, index) => ({
        type: reader.u32(body + index * 12),
        offsetBytes: reader.u32(body + index * 12 + 4),
        sizeBytes: reader.u32(body + index * 12 + 8),
      }));
      return done({ kind: "section", name, sizeBytes: last, variables }, count * 12);
    }
    case KIND_FLOAT:
      return done({ kind: "float", name, sizeBytes: last }, 0);
    case KIND_DECL_TAG:
      return done({ kind: "declTag", name, target: last, componentIndex: reader.i32(body) }, 4);
    default:
      throw reader.error(offset, `BTF kind ${kind}, expected ${KIND_INT} to ${KIND_ENUM64}`);
  }

  /** Before `count` elements are made: are their bytes there? */
  function need(elementSizeBytes: number): void {
    const missing = body + count * elementSizeBytes - end;
    if (missing > 0) throw reader.error(offset, `${count} elements reach ${missing} bytes beyond the types`);
  }
  function done(type: BtfType, bodySizeBytes: number): { type: BtfType; sizeBytes: number } {
    if (body + bodySizeBytes > end) throw reader.error(offset, "a type reaches beyond the types");
    return { type, sizeBytes: 12 + bodySizeBytes };
  }
  function enumSize(): number {
    if (last === 1 || last === 2 || last === 4 || last === 8) return last;
    throw reader.error(offset, `enum ${quote(name)} of ${last} bytes, expected 1, 2, 4 or 8`);
  }
  function linkage(value: number): BtfLinkage {
    const found = LINKAGES[value];
    if (found === undefined)
      throw reader.error(offset, `linkage ${value} of ${quote(name)}, expected 0 to 2`);
    return found;
  }
}

/** Types that a type refers to, in whatever way. */
function referencesOf(type: BtfType): readonly number[] {
  switch (type.kind) {
    case "pointer":
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
    case "typeTag":
    case "declTag":
      return [type.target];
    case "array":
      return [type.element, type.index];
    case "struct":
    case "union":
      return type.members.map((member) => member.type);
    case "function":
      return [type.prototype];
    case "prototype":
      return [type.returns, ...type.parameters.map((parameter) => parameter.type)];
    case "variable":
      return [type.type];
    case "section":
      return type.variables.map((variable) => variable.type);
    case "void":
    case "int":
    case "enum":
    case "forward":
    case "float":
      return [];
  }
}

function checkReferences(reader: SectionReader, types: readonly BtfType[], offsets: readonly number[]): void {
  for (const [id, type] of types.entries()) {
    for (const target of referencesOf(type)) {
      const found = types[target];
      if (found === undefined) {
        throw reader.error(
          offsets[id],
          `type ${id} refers to type ${target}, expected 0 to ${types.length - 1}`,
        );
      }
      if (type.kind === "function" && found.kind !== "prototype") {
        throw reader.error(offsets[id], `function ${quote(type.name)} has a ${found.kind} as its prototype`);
      }
      if (type.kind === "section" && found.kind !== "variable" && found.kind !== "function") {
        throw reader.error(
          offsets[id],
          `section ${quote(type.name)} lists a ${found.kind}, expected a variable`,
        );
      }
      // Only variables and functions stand in sections, tags on anything; as a type of something they make no sense.
      const isTypePosition = type.kind !== "section" && type.kind !== "declTag" && type.kind !== "function";
      if (isTypePosition && ["function", "variable", "section", "declTag"].includes(found.kind)) {
        throw reader.error(
          offsets[id],
          `type ${id} (${type.kind}) refers to a ${found.kind}, expected a type`,
        );
      }
    }
  }
}

/** Types whose size is part of a type's own: what may not form a cycle. */
function partsOf(type: BtfType): readonly number[] {
  switch (type.kind) {
    case "array":
      return [type.element];
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
    case "typeTag":
    case "struct":
    case "union":
    case "variable":
      return referencesOf(type);
    default:
      return [];
  }
}

/** Sizes of all types. Depth first with a stack of our own, since a chain of types may be as long as the file. */
function measure(reader: SectionReader, types: readonly BtfType[], offsets: readonly number[]): number[] {
  const sizes: number[] = new Array<number>(types.length).fill(0);
  const state = new Uint8Array(types.length); // 0: not seen, 1: its parts are being measured, 2: measured
  for (let root = 0; root < types.length; root++) {
    if (state[root] !== 0) continue;
    const stack = [{ id: root, parts: partsOf(types[root]!), next: 0 }];
    state[root] = 1;
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const part = top.parts[top.next++];
      if (part === undefined) {
        const type = types[top.id]!;
        sizes[top.id] = sizeOf(type, sizes);
        // Structs and unions have their own size, which checkMembers() holds their members against.
        if (type.kind === "variable" && sizes[top.id]! >= SIZE_LIMIT_BYTES) {
          const why = `variable ${quote(type.name)} has ${sizes[top.id]} bytes, expected less than 4 GiB`;
          throw reader.error(offsets[top.id], why);
        }
        state[top.id] = 2;
        stack.pop();
      } else if (state[part] === 1) {
        throw reader.error(offsets[part], `type ${part} contains itself`);
      } else if (state[part] === 0) {
        state[part] = 1;
        stack.push({ id: part, parts: partsOf(types[part]!), next: 0 });
      }
    }
  }
  return sizes;
}

function sizeOf(type: BtfType, sizes: readonly number[]): number {
  switch (type.kind) {
    case "int":
    case "enum":
    case "float":
    case "struct":
    case "union":
    case "section":
      return type.sizeBytes;
    case "pointer":
      return 8;
    case "array":
      return Math.min(type.count * sizes[type.element]!, Number.MAX_SAFE_INTEGER);
    case "typedef":
    case "volatile":
    case "const":
    case "restrict":
    case "typeTag":
      return sizes[type.target]!;
    case "variable":
      return sizes[type.type]!;
    case "void":
    case "forward":
    case "function":
    case "prototype":
    case "declTag":
      return 0;
  }
}

function checkMembers(
  reader: SectionReader,
  types: readonly BtfType[],
  sizes: readonly number[],
  offsets: readonly number[],
): void {
  for (const [id, type] of types.entries()) {
    if (type.kind !== "struct" && type.kind !== "union") continue;
    for (const { name, type: memberType, offsetBits, bitFieldBits } of type.members) {
      const bits = bitFieldBits === 0 ? sizes[memberType]! * 8 : bitFieldBits;
      if (bitFieldBits === 0 && offsetBits % 8 !== 0) {
        throw reader.error(
          offsets[id],
          `member ${quote(name)} of ${quote(type.name)} at bit ${offsetBits}, expected whole bytes`,
        );
      }
      if (offsetBits + bits > type.sizeBytes * 8) {
        const reach = `reaches bit ${offsetBits + bits}, but there are ${type.sizeBytes * 8}`;
        throw reader.error(offsets[id], `member ${quote(name)} of ${quote(type.name)} ${reach}`);
      }
    }
  }
}

function quote(name: string): string {
  return JSON.stringify(name);
}
