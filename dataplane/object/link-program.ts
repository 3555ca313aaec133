/**
 * A program from its entry function: every function it reaches is appended once, and calls between them are aimed anew.
 * Instructions that do not change are shared with the other programs of the object.
 */
import { type Instruction, loadImmediate64 } from "../isa/instruction.ts";
import {
  BPF_CALL,
  BPF_JMP,
  BPF_PSEUDO_CALL,
  BPF_PSEUDO_FUNC,
  BPF_PSEUDO_KFUNC_CALL,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
} from "../isa/opcodes.ts";
import { ObjectError } from "./object-error.ts";
import { type CodeFunction, type CodePlace, placeKey } from "./read-functions.ts";
import type { FunctionInfo, LineInfo, ProgramSpec, Reference } from "./spec.ts";

/** What the kernel takes at most (BPF_COMPLEXITY_LIMIT_INSNS). */
export const PROGRAM_SLOTS_MAX = 1_000_000;

/** Throws ObjectError. */
export function linkProgram(entry: CodeFunction, functions: ReadonlyMap<string, CodeFunction>): ProgramSpec {
  const parts = collect(entry, functions);
  const instructions: Instruction[] = [];
  const references: Reference[] = [];
  const lines: LineInfo[] = [];
  const infos: FunctionInfo[] = [];
  for (const [part, firstSlot] of parts) {
    infos.push({ name: part.name, slot: firstSlot, slotCount: part.instructions.length });
    for (const instruction of part.instructions) instructions.push(instruction);
    for (const line of part.lines) lines.push({ ...line, slot: line.slot + firstSlot });
  }
  for (const [part, firstSlot] of parts) {
    for (const reference of part.references) {
      const slot = firstSlot + reference.slot;
      const instruction = instructions[slot]!;
      switch (reference.kind) {
        case "map":
          replaceLoad(slot, 0n, BPF_PSEUDO_MAP_FD);
          references.push({ kind: "map", slot, map: reference.map });
          break;
        case "mapValue":
          replaceLoad(slot, BigInt(reference.offsetBytes) << 32n, BPF_PSEUDO_MAP_VALUE);
          references.push({ kind: "mapValue", slot, map: reference.map, offsetBytes: reference.offsetBytes });
          break;
        case "address": {
          const targetSlot = slotOf(part, reference.slot, reference.place);
          replaceLoad(slot, BigInt.asUintN(32, BigInt(targetSlot - slot - 1)), BPF_PSEUDO_FUNC);
          references.push({ kind: "function", slot, targetSlot });
          break;
        }
        case "call": {
          const targetSlot = slotOf(part, reference.slot, reference.place);
          instructions[slot] = { ...instruction, src: BPF_PSEUDO_CALL, imm: targetSlot - slot - 1 };
          break;
        }
        case "extern":
          if (instruction.opcode === (BPF_CALL | BPF_JMP))
            instructions[slot] = { ...instruction, src: BPF_PSEUDO_KFUNC_CALL, imm: 0 };
          else replaceLoad(slot, 0n, 0);
          references.push({ kind: "extern", slot, symbol: reference.symbol, isWeak: reference.isWeak });
          break;
      }
    }
  }
  return { name: entry.name, section: entry.section, instructions, references, functions: infos, lines };

  function replaceLoad(slot: number, imm64: bigint, kind: number): void {
    const [first, second] = loadImmediate64(instructions[slot]!.dst, imm64, kind);
    instructions[slot] = first;
    instructions[slot + 1] = second;
  }
  function slotOf(from: CodeFunction, slot: number, place: CodePlace): number {
    return parts.get(target(functions, from, slot, place))!;
  }
}

/** The functions of a program and the slot of each, in the order in which they are first referred to. */
function collect(
  entry: CodeFunction,
  functions: ReadonlyMap<string, CodeFunction>,
): Map<CodeFunction, number> {
  const slots = new Map<CodeFunction, number>([[entry, 0]]);
  let size = entry.instructions.length;
  // A Map's iteration goes on over what is added to it meanwhile.
  for (const [part] of slots) {
    for (const reference of part.references) {
      if (reference.kind !== "call" && reference.kind !== "address") continue;
      const callee = target(functions, part, reference.slot, reference.place);
      if (slots.has(callee)) continue;
      slots.set(callee, size);
      size += callee.instructions.length;
    }
    if (size > PROGRAM_SLOTS_MAX) {
      const why = `${size} instructions with all functions it calls, expected at most ${PROGRAM_SLOTS_MAX}`;
      throw new ObjectError("unsupported", { section: entry.section, symbol: entry.name }, why);
    }
  }
  return slots;
}

function target(
  functions: ReadonlyMap<string, CodeFunction>,
  from: CodeFunction,
  slot: number,
  place: CodePlace,
): CodeFunction {
  const found = functions.get(placeKey(place));
  if (found !== undefined) return found;
  const offset = from.offsetBytes + slot * 8;
  const why = `refers to code at offset ${place.offsetBytes} of section ${place.section}, where no function begins`;
  throw new ObjectError("bad-relocation", { section: from.section, symbol: from.name, offset }, why);
}
