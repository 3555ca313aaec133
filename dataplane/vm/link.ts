/**
 * From a program's spec to one that runs on a given machine: what instructions refer to becomes an address.
 *
 *     map            the map's handle
 *     global         an address inside the value of `.rodata`, `.data` or `.bss`
 *     function       (id of the program) << 32 | slot, which is no address, so that a program can call it but not look at it
 *     extern         0 when it is weak; otherwise the program is refused
 *
 * A spec that comes from no object file says the same without references, by the kinds of RFC 9669, section 5.4: then a "map by fd" is a
 * map's id, and a "map by index" counts from the machine's first.
 */

import { MapError } from "../dataplane.ts";
import type { Instruction } from "../isa/instruction.ts";
import {
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_IDX,
  BPF_PSEUDO_MAP_IDX_VALUE,
  BPF_PSEUDO_MAP_VALUE,
} from "../isa/opcodes.ts";
import type { MapSpec, ObjectSpec, ProgramSpec, Reference } from "../object/spec.ts";
import { faultAt } from "./fault.ts";
import type { Machine } from "./machine.ts";
import { errnoName } from "./maps/errno.ts";
import type { VmMap } from "./maps/map.ts";
import { u32Bytes } from "./maps/map-access.ts";
import { BPF_MAP_TYPE_PROG_ARRAY } from "./maps/map-type.ts";
import { checkStructure } from "./structure.ts";

export interface LinkedProgram {
  /** In its machine, from 1: what a PROG_ARRAY holds. */
  readonly id: number;
  readonly spec: ProgramSpec;
  /** As in the spec, one element per slot, but every 64-bit immediate load is of kind 0 and loads the final number. */
  readonly instructions: readonly Instruction[];
  /** First slots of the functions, ascending, the program's own (0) included. */
  readonly functionSlots: readonly number[];
}

export interface LinkOptions {
  /** Maps by name in place of the machine's: a `.rodata` of its own for a program that replaces another. */
  readonly maps?: ReadonlyMap<string, VmMap>;
}

/** Throws VmFault "bad-program" when something it refers to is not there, or its structure is none (structure.ts). */
export function linkProgram(machine: Machine, spec: ProgramSpec, options: LinkOptions = {}): LinkedProgram {
  const functionSlots = checkStructure(spec);
  return machine.addProgram((id) => ({
    id,
    spec,
    instructions: resolve(machine, spec, id, options),
    functionSlots,
  }));
}

/**
 * Links every program of an object that can be (`isWanted`; default all) and fills its PROG_ARRAYs where their definitions say with
 * which programs. By program name.
 */
export function linkObject(
  machine: Machine,
  object: ObjectSpec,
  options: LinkOptions & { readonly isWanted?: (program: ProgramSpec) => boolean } = {},
): ReadonlyMap<string, LinkedProgram> {
  const linked = new Map<string, LinkedProgram>();
  for (const program of object.programs) {
    if (!(options.isWanted?.(program) ?? true)) continue;
    if (!object.isLittleEndian) {
      const why = "the object is big-endian, and a machine's memory is little-endian";
      throw faultAt(program, 0, { code: "bad-program", why });
    }
    linked.set(program.name, linkProgram(machine, program, options));
  }
  for (const spec of object.maps) {
    if (spec.type === BPF_MAP_TYPE_PROG_ARRAY) fillProgramArray(machine, spec, linked);
  }
  return linked;
}

function fillProgramArray(machine: Machine, spec: MapSpec, linked: ReadonlyMap<string, LinkedProgram>): void {
  for (const [index, name] of spec.values ?? []) {
    const program = linked.get(name);
    if (program === undefined) continue;
    const result = machine.map(spec.name).updateValue(u32Bytes(index), u32Bytes(program.id));
    if (result !== 0) {
      throw new MapError(
        "out-of-range",
        spec.name,
        `index ${index}, program "${name}": ${errnoName(result)}`,
      );
    }
  }
}

function resolve(
  machine: Machine,
  spec: ProgramSpec,
  programId: number,
  options: LinkOptions,
): Instruction[] {
  const references = new Map(spec.references.map((reference) => [reference.slot, reference]));
  const fail = (slot: number, why: string): Error => faultAt(spec, slot, { code: "bad-program", why });

  return spec.instructions.map((instruction, slot) => {
    if (instruction.imm64 === undefined) return instruction;
    const reference = references.get(slot);
    const value =
      reference === undefined ? byKind(instruction, instruction.imm64, slot) : byReference(reference, slot);
    return {
      ...instruction,
      src: 0,
      imm: Number(BigInt.asIntN(32, value)),
      imm64: value,
    };
  });

  function byReference(reference: Reference, slot: number): bigint {
    switch (reference.kind) {
      case "map":
        return BigInt(mapNamed(reference.map, slot).handle);
      case "mapValue":
        return valueAddress(mapNamed(reference.map, slot), reference.offsetBytes, slot);
      case "function":
        return functionAddress(programId, reference.targetSlot);
      case "extern":
        if (reference.isWeak) return 0n;
        throw fail(slot, `external symbol "${reference.symbol}" is not known, and it is not weak`);
    }
  }

  function byKind(instruction: Instruction, imm64: bigint, slot: number): bigint {
    const low = instruction.imm;
    const high = Number(imm64 >> 32n);
    switch (instruction.src) {
      case 0:
        return imm64;
      case BPF_PSEUDO_MAP_FD:
        return BigInt(mapWithId(low, slot).handle);
      case BPF_PSEUDO_MAP_IDX:
        return BigInt(mapWithId(low + 1, slot).handle);
      case BPF_PSEUDO_MAP_VALUE:
        return valueAddress(mapWithId(low, slot), high, slot);
      case BPF_PSEUDO_MAP_IDX_VALUE:
        return valueAddress(mapWithId(low + 1, slot), high, slot);
      case BPF_PSEUDO_FUNC:
        return functionAddress(programId, slot + 1 + low);
      default:
        throw fail(slot, `64-bit immediate of kind ${instruction.src}: not known here`);
    }
  }

  function mapNamed(name: string, slot: number): VmMap {
    const map = options.maps?.get(name) ?? machine.maps.get(name);
    if (map === undefined) throw fail(slot, `map "${name}" is not in this machine`);
    return map;
  }

  function mapWithId(id: number, slot: number): VmMap {
    const map = machine.mapById(id);
    if (map === undefined) throw fail(slot, `map with id ${id} is not in this machine`);
    return map;
  }

  function valueAddress(map: VmMap, offsetBytes: number, slot: number): bigint {
    if (map.valueRegion === undefined || offsetBytes < 0 || offsetBytes >= map.spec.valueSizeBytes) {
      throw fail(
        slot,
        `offset ${offsetBytes} into the value of map "${map.spec.name}", which has ${map.spec.valueSizeBytes} bytes`,
      );
    }
    return BigInt(map.valueRegion.address + offsetBytes);
  }
}

/** What stands for a function in a register: callbacks, callx. */
export function functionAddress(programId: number, slot: number): bigint {
  return (BigInt(programId) << 32n) | BigInt(slot);
}
