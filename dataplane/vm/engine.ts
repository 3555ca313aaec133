/**
 * The one interface of all engines. An engine turns a linked program into something that runs; the interpreter does so
 * by looking at one instruction after another, a compiler by translating. Both run the same corpus and must agree
 * on result, memory, maps and faults.
 */
import type { LinkedProgram } from "./link.ts";
import type { Machine } from "./machine.ts";

export interface Engine {
  readonly name: string;
  /** Throws VmFault (code "bad-program") when the program's structure is not one the engine can run. */
  prepare(program: LinkedProgram, machine: Machine): PreparedProgram;
}

export interface PreparedProgram {
  /**
   * Runs from the first instruction. `contextAddress` goes into r1 and `contextSizeBytes` into r2 (which a verified program does
   * not read). Returns r0, unsigned. `cpu` chooses per-CPU values, the stack and what get_smp_processor_id says.
   * Throws VmFault; the machine stays usable.
   */
  run(contextAddress: number, contextSizeBytes: number, cpu: number): bigint;
}

export type VmFaultCode =
  | "bad-program" // an instruction that does not exist, a jump out of the program, a call to nowhere, records never submitted
  | "out-of-bounds" // an access outside every region it may touch
  | "read-only" // a store into .rodata or the like
  | "misaligned" // an atomic on an address that is not a multiple of its size
  | "bad-helper-argument"
  | "unknown-helper"
  | "call-depth" // more than 8 frames; a tail call too many is not a fault, it does nothing
  | "step-limit"; // more instructions than the limit allows: an endless loop

/** A program that was stopped. Facts as fields; the message has them all in words. */
export class VmFault extends Error {
  readonly code: VmFaultCode;
  /** Slot of the instruction, from the program's first. */
  readonly slot: number;
  /** Its disassembly. */
  readonly instruction: string;
  /** `file:line: text`, where BTF.ext knows. */
  readonly source: string | undefined;
  /** What was accessed, where that is what went wrong. */
  readonly address: bigint | undefined;

  constructor(facts: {
    readonly code: VmFaultCode;
    readonly slot: number;
    readonly instruction: string;
    readonly source?: string | undefined;
    readonly address?: bigint | undefined;
    readonly why: string;
  }) {
    const place = facts.source === undefined ? "" : ` (${facts.source})`;
    super(`slot ${facts.slot}: ${facts.instruction}${place}: ${facts.why}`);
    this.name = "VmFault";
    this.code = facts.code;
    this.slot = facts.slot;
    this.instruction = facts.instruction;
    this.source = facts.source;
    this.address = facts.address;
  }
}
