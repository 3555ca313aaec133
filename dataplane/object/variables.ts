/**
 * Global variables of an object by name: options in `.rodata`, cells in `.data`. A loader writes them into a copy of the
 * section's bytes (MapSpec.contents) before the map is made of it.
 */
import { type BtfTypes, resolveType, typeOf } from "./btf.ts";
import { ObjectError } from "./object-error.ts";
import type { ObjectSpec } from "./spec.ts";

export interface Variable {
  readonly name: string;
  /** The map of its section: ".rodata", ".data", ".bss". */
  readonly map: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly isReadonly: boolean;
  /** BTF type id, qualifiers included. */
  readonly typeId: number;
  /** What a number means in it; undefined for arrays, structs and other types that are no number. */
  readonly scalar: VariableScalar | undefined;
  readonly isLittleEndian: boolean;
}

export type VariableScalar = "unsigned" | "signed" | "bool";

/** All variables of sections that become maps, by map and offset. [] for an object without BTF. */
export function listVariables(spec: ObjectSpec): Variable[] {
  const { btf } = spec;
  if (btf === undefined) return [];
  return spec.maps.flatMap((map) => {
    if (map.contents === undefined || map.valueTypeId === undefined) return [];
    const section = typeOf(btf, map.valueTypeId);
    if (section.kind !== "section") return [];
    return section.variables.flatMap(({ type, offsetBytes, sizeBytes }) => {
      const variable = typeOf(btf, type);
      if (variable.kind !== "variable") return [];
      return {
        name: variable.name,
        map: map.name,
        offsetBytes,
        sizeBytes,
        isReadonly: map.isReadonly,
        typeId: variable.type,
        scalar: scalarOf(btf, variable.type, sizeBytes),
        isLittleEndian: spec.isLittleEndian,
      };
    });
  });
}

/** Throws ObjectError with code "no-such-name". */
export function findVariable(spec: ObjectSpec, name: string): Variable {
  const found = listVariables(spec).find((variable) => variable.name === name);
  if (found === undefined)
    throw new ObjectError("no-such-name", { symbol: name }, "no variable of this name");
  return found;
}

/** The variable's value in `bytes`, which are those of its map. 64-bit numbers are bigint. Throws RangeError for what is no number. */
export function readVariable(bytes: Uint8Array, variable: Variable): number | bigint | boolean {
  const { offsetBytes, sizeBytes, scalar, isLittleEndian } = variable;
  if (scalar === undefined) throw new RangeError(`variable "${variable.name}" is no number`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isSigned = scalar === "signed";
  switch (sizeBytes) {
    case 1: {
      const value = isSigned ? view.getInt8(offsetBytes) : view.getUint8(offsetBytes);
      return scalar === "bool" ? value !== 0 : value;
    }
    case 2:
      return isSigned
        ? view.getInt16(offsetBytes, isLittleEndian)
        : view.getUint16(offsetBytes, isLittleEndian);
    case 4:
      return isSigned
        ? view.getInt32(offsetBytes, isLittleEndian)
        : view.getUint32(offsetBytes, isLittleEndian);
    default:
      return isSigned
        ? view.getBigInt64(offsetBytes, isLittleEndian)
        : view.getBigUint64(offsetBytes, isLittleEndian);
  }
}

/** Writes a value into `bytes`, which are those of its map. Throws RangeError when it does not fit or the variable is no number. */
export function writeVariable(bytes: Uint8Array, variable: Variable, value: number | bigint | boolean): void {
  const { name, offsetBytes, sizeBytes, scalar, isLittleEndian } = variable;
  if (scalar === undefined) throw new RangeError(`variable "${name}" is no number`);
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new RangeError(`variable "${name}": ${value}, expected an integer`);
  }
  const bits = BigInt(sizeBytes * 8);
  const [min, max] =
    scalar === "bool"
      ? [0n, 1n]
      : scalar === "signed"
        ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n]
        : [0n, (1n << bits) - 1n];
  const whole = BigInt(value);
  if (whole < min || whole > max)
    throw new RangeError(`variable "${name}": ${value}, expected ${min} to ${max}`);
  for (let index = 0; index < sizeBytes; index++) {
    const shift = BigInt(8 * (isLittleEndian ? index : sizeBytes - 1 - index));
    bytes[offsetBytes + index] = Number(BigInt.asUintN(64, whole >> shift) & 0xffn);
  }
}

function scalarOf(btf: BtfTypes, typeId: number, sizeBytes: number): VariableScalar | undefined {
  const { id, type } = resolveType(btf, typeId);
  if (![1, 2, 4, 8].includes(sizeBytes) || btf.sizesBytes[id] !== sizeBytes) return undefined;
  if (type.kind === "int") return type.isBool ? "bool" : type.isSigned ? "signed" : "unsigned";
  if (type.kind === "enum") return type.isSigned ? "signed" : "unsigned";
  return undefined;
}
