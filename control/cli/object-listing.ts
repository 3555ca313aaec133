/** A program as text: disassembly, with the source lines between the instructions and what they refer to behind them. */
import { disassemble } from "../../dataplane/isa/disassemble.ts";
import { type Instruction, LD_IMM64 } from "../../dataplane/isa/instruction.ts";
import {
  BPF_CALL,
  BPF_HELPER_CALL,
  BPF_JA,
  BPF_JMP,
  BPF_JMP32,
  BPF_PSEUDO_CALL,
  operationOf,
} from "../../dataplane/isa/opcodes.ts";
import type { LineInfo, ProgramSpec, Reference } from "../../dataplane/object/spec.ts";
import type { Variable } from "../../dataplane/object/variables.ts";
import { helperName } from "../../dataplane/vm/helpers/names.ts";
import type { Painter } from "./output.ts";
import { printable } from "./printable.ts";

export interface ListedInstruction {
  readonly slot: number;
  readonly text: string;
  /** What it calls, loads the address of, or jumps to. */
  readonly note: string | undefined;
  /** The line that begins here. */
  readonly line: LineInfo | undefined;
}

const NOTE_COLUMN = 44;

/** `variables` are the object's, so that what a program reads and writes has a name. */
export function listInstructions(program: ProgramSpec, variables: readonly Variable[]): ListedInstruction[] {
  const lines = new Map(program.lines.map((line) => [line.slot, line]));
  const references = new Map(program.references.map((reference) => [reference.slot, reference]));
  const functions = new Map(program.functions.map(({ slot, name }) => [slot, name]));
  return program.instructions.flatMap((instruction, slot) => {
    if (program.instructions[slot - 1]?.opcode === LD_IMM64) return [];
    const note = noteOf({ instruction, slot, reference: references.get(slot), functions, variables });
    return [{ slot, text: disassemble(instruction), note, line: lines.get(slot) }];
  });
}

/** Ends with a newline. */
export function listProgram(program: ProgramSpec, variables: readonly Variable[], paint: Painter): string {
  const functions = new Map(program.functions.map(({ slot, name }) => [slot, name]));
  const width = String(program.instructions.length).length;
  let out = `${paint("bold", `program ${printable(program.name)}`)} (section ${printable(program.section)})\n`;
  let previous = "";
  for (const { slot, text, note, line } of listInstructions(program, variables)) {
    const name = functions.get(slot);
    if (name !== undefined) out += `\n${paint("bold", `${printable(name)}:`)}\n`;
    // Clang gives every column of a line a record of its own; the line is worth printing once.
    const source = line === undefined ? previous : `${line.file}:${line.line}`;
    if (line !== undefined && (source !== previous || name !== undefined)) {
      out += paint("dim", `; ${printable(source)}: ${printable(line.text)}`);
      out += "\n";
    }
    previous = source;
    const left = `${String(slot).padStart(width + 2)}: ${text}`;
    out += note === undefined ? left : `${left.padEnd(NOTE_COLUMN)} ${paint("cyan", `; ${printable(note)}`)}`;
    out += "\n";
  }
  return out;
}

interface Place {
  readonly instruction: Instruction;
  readonly slot: number;
  readonly reference: Reference | undefined;
  readonly functions: ReadonlyMap<number, string>;
  readonly variables: readonly Variable[];
}

function noteOf({ instruction, slot, reference, functions, variables }: Place): string | undefined {
  const { opcode, src, offset, imm } = instruction;
  switch (reference?.kind) {
    case "map":
      return `map ${reference.map}`;
    case "mapValue":
      return variableAt(reference.map, reference.offsetBytes, variables);
    case "function":
      return functions.get(reference.targetSlot);
    case "extern":
      return `extern ${reference.symbol}`;
    case undefined:
      break;
  }
  if (opcode === (BPF_CALL | BPF_JMP)) {
    if (src === BPF_PSEUDO_CALL) return functions.get(slot + imm + 1);
    const name = src === BPF_HELPER_CALL ? helperName(imm) : undefined;
    return name === undefined ? undefined : `bpf_${name}`;
  }
  const instructionClass = opcode & 0x07;
  if (instructionClass !== BPF_JMP && instructionClass !== BPF_JMP32) return undefined;
  if (opcode === (BPF_JA | BPF_JMP32)) return `to ${slot + imm + 1}`;
  return operationOf(instruction)?.operands.has("offset") ? `to ${slot + offset + 1}` : undefined;
}

/** "option_echo", "table + 8", or ".rodata + 64" where no variable is known. */
function variableAt(map: string, offsetBytes: number, variables: readonly Variable[]): string {
  const found = variables.find((variable) => {
    const distance = offsetBytes - variable.offsetBytes;
    return variable.map === map && distance >= 0 && distance < variable.sizeBytes;
  });
  const [base, distance] =
    found === undefined ? [map, offsetBytes] : [found.name, offsetBytes - found.offsetBytes];
  return distance === 0 ? base : `${base} + ${distance}`;
}
