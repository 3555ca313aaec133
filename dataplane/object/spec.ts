/**
 * What an object file says, as plain immutable data: the same file gives the same spec on any machine. Nothing here
 * is loaded or live; the kernel and the simulator each make their maps and programs from it.
 */
import type { Instruction } from "../isa/instruction.ts";
import type { BtfTypes } from "./btf.ts";

export interface ObjectSpec {
  /** The file, byte for byte: what libbpf loads, and what the object is known by. */
  readonly image: Uint8Array;
  readonly isLittleEndian: boolean;
  /** The `license` section, without its terminating zero; "" when absent. */
  readonly license: string;
  readonly programs: readonly ProgramSpec[];
  /** Maps of `.maps`, in the order of their definition, then one ARRAY for each of `.rodata*`, `.data*`, `.bss*` that exists. */
  readonly maps: readonly MapSpec[];
  /** Undefined when the object has no `.BTF` section. */
  readonly btf: BtfTypes | undefined;
}

export interface ProgramSpec {
  /** The function's symbol name. */
  readonly name: string;
  /** The ELF section, which says the program type: "xdp", "xdp.frags/name", "tc". */
  readonly section: string;
  /**
   * The program with every function it calls appended, and calls between them resolved. One element per slot: the second slot of a
   * 64-bit immediate load is a placeholder.
   */
  readonly instructions: readonly Instruction[];
  /** What instruction slots refer to maps, globals and functions; resolved to addresses only when loaded. */
  readonly references: readonly Reference[];
  readonly functions: readonly FunctionInfo[];
  /** Ascending by slot. */
  readonly lines: readonly LineInfo[];
}

/**
 * A relocated instruction. Slots count 8-byte units from the program's first; a 64-bit immediate load takes two.
 * - map: an ld_imm64 that wants the map itself. Its `src` says so (BPF_PSEUDO_MAP_FD), its immediate is 0.
 * - mapValue: an ld_imm64 that wants the address `offsetBytes` into the value of element 0 (a global variable). Its `src` says so
 *   (BPF_PSEUDO_MAP_VALUE), the low half of its immediate is 0 and the high half the offset.
 * - function: an ld_imm64 that wants a callback's address; `targetSlot` is its first slot. Its `src` says so (BPF_PSEUDO_FUNC), its
 *   immediate counts slots from the next one.
 * - extern: an ld_imm64 of an external symbol (kconfig, ksym), or a call of one (`src` BPF_PSEUDO_KFUNC_CALL), both with 0 as the
 *   immediate; a loader that does not know it refuses unless weak
 */
export type Reference =
  | { readonly kind: "map"; readonly slot: number; readonly map: string }
  | { readonly kind: "mapValue"; readonly slot: number; readonly map: string; readonly offsetBytes: number }
  | { readonly kind: "function"; readonly slot: number; readonly targetSlot: number }
  | { readonly kind: "extern"; readonly slot: number; readonly symbol: string; readonly isWeak: boolean };

export interface FunctionInfo {
  readonly name: string;
  readonly slot: number;
  readonly slotCount: number;
}

export interface LineInfo {
  readonly slot: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The source line as the compiler saw it, trimmed. */
  readonly text: string;
}

export interface MapSpec {
  readonly name: string;
  /** BPF_MAP_TYPE_*, see dataplane/vm/maps/map-type.ts. */
  readonly type: number;
  readonly keySizeBytes: number;
  readonly valueSizeBytes: number;
  /** 0 where the loader chooses (perf event arrays: the number of CPUs). */
  readonly maxEntries: number;
  /** BPF_F_* creation flags. */
  readonly flags: number;
  /** BTF type ids of key and value, where the definition names types. */
  readonly keyTypeId?: number;
  readonly valueTypeId?: number;
  /** Template of the inner maps of ARRAY_OF_MAPS and HASH_OF_MAPS. */
  readonly inner?: MapSpec;
  /** Initial entries of map-in-map and PROG_ARRAY definitions: index -> map or program name. */
  readonly values?: ReadonlyMap<number, string>;
  /** `.rodata`, `.data`, `.bss`: the section's bytes; `.bss` is zeros. */
  readonly contents?: Uint8Array;
  /** .rodata: read-only for the program, frozen after load. */
  readonly isReadonly: boolean;
  /** The definition asks that a loader shares the map through a pin of its name. */
  readonly isPinnedByName?: boolean;
  /** NUMA node to create it on. */
  readonly numaNode?: number;
  /** `map_extra`, whose meaning is the type's own (bloom filters: number of hashes). */
  readonly extra?: number;
}
