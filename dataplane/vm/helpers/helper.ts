/**
 * What a helper is: a number, a name, what kinds of arguments it takes, and what it does. Arguments are checked against their kinds
 * before the call, as the verifier checks them against the kernel's `struct bpf_func_proto`, so that `call` may trust every
 * address and size it finds in the registers.
 */
import type { Cpu } from "../cpu.ts";
import type { Machine } from "../machine.ts";
import type { VmMap } from "../maps/map.ts";
import type { Registers } from "../registers.ts";

export interface Helper {
  /** BPF_FUNC_* of include/uapi/linux/bpf.h. */
  readonly number: number;
  /** Without `bpf_`. */
  readonly name: string;
  /** From r1 on. */
  readonly parameters: readonly Parameter[];
  /** Returns r0: a number from -2^31 to 2^53, sign-extended, or all 64 bits as a BigInt. */
  readonly call: (call: HelperCall) => number | bigint;
}

/** What a helper sees of the program that called it. */
export interface HelperCall {
  readonly machine: Machine;
  readonly cpu: Cpu;
  /** r1 to r5 are the arguments. */
  readonly registers: Registers;
  /** The map argument. Only for helpers that have one. */
  readonly map: VmMap;
  /**
   * Calls a function by its first slot, which a `FUNCTION` argument's register holds, with r1 to r5 as they are now; what it returns is in r0. The caller's
   * other registers are kept. Throws VmFault when the function does, or when it would be the ninth frame.
   */
  invoke(slot: number): void;
  /** Whether the program could read these bytes: of pointers that are not arguments, as in what a format string shows. */
  canRead(address: bigint, sizeBytes: number): boolean;
}

/**
 * - any: whatever number
 * - size: the length of the memory in front of it
 * - context: the program's context
 * - map: a map, if `types` is given of one of these
 * - key, value: memory to read as long as the map's key or value
 * - memory: memory to read or to write, as long as the next argument says; where it may say 0, the address does not matter then
 * - fixed: memory of a known size
 * - text: a string that ends with a zero, in a map that programs cannot write
 * - function: a callback; the helper finds its first slot in the register
 * - record: a reserved ring buffer record, at its first byte
 * - lock: a `struct bpf_spin_lock` in a map's value
 */
export type Parameter =
  | {
      readonly kind: "any" | "size" | "context" | "key" | "value" | "text" | "function" | "record" | "lock";
    }
  | { readonly kind: "map"; readonly types?: readonly number[] }
  | { readonly kind: "memory"; readonly isWritten: boolean; readonly isSizeZeroAllowed: boolean }
  | { readonly kind: "fixed"; readonly sizeBytes: number; readonly isWritten: boolean };

export const ANY: Parameter = { kind: "any" };
export const SIZE: Parameter = { kind: "size" };
export const CONTEXT: Parameter = { kind: "context" };
export const MAP: Parameter = { kind: "map" };
export const KEY: Parameter = { kind: "key" };
export const VALUE: Parameter = { kind: "value" };
export const TEXT: Parameter = { kind: "text" };
export const FUNCTION: Parameter = { kind: "function" };
export const RECORD: Parameter = { kind: "record" };
export const LOCK: Parameter = { kind: "lock" };
// SIZE follows these. The kernel's ARG_PTR_TO_MEM with ARG_CONST_SIZE or ARG_CONST_SIZE_OR_ZERO.
export const READ_MEMORY: Parameter = { kind: "memory", isWritten: false, isSizeZeroAllowed: false };
export const READ_MEMORY_OR_NONE: Parameter = { kind: "memory", isWritten: false, isSizeZeroAllowed: true };
export const WRITE_MEMORY: Parameter = { kind: "memory", isWritten: true, isSizeZeroAllowed: false };
export const WRITE_MEMORY_OR_NONE: Parameter = { kind: "memory", isWritten: true, isSizeZeroAllowed: true };

export function mapOf(...types: number[]): Parameter {
  return { kind: "map", types };
}
