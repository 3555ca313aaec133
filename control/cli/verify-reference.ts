/**
 * The interpreter as the side that others are compared with: the same as ever, but that it tells what a run stored to, and on demand
 * every line of the program that a run went through.
 */
import { basename } from "node:path";
import type { ProgramSpec } from "../../dataplane/object/spec.ts";
import type { Engine, PreparedProgram } from "../../dataplane/vm/engine.ts";
import { interpreter } from "../../dataplane/vm/interpreter.ts";
import type { LinkedProgram } from "../../dataplane/vm/link.ts";
import type { Machine } from "../../dataplane/vm/machine.ts";

/** A line of source, and what its instructions did. */
export interface TraceStep {
  /** Base name; "" where the object has no line info. */
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** Registers whose value is another after the line than before, r0 to r9. */
  readonly registers: readonly { readonly name: string; readonly value: bigint }[];
  /** What was stored to: "frame[26..30)", "vip_counters[3]"; the program's stack is left out. */
  readonly stores: readonly string[];
}

/** A line that many instructions of a loop come back to is a step each time: an end there must be. */
const STEPS_MAX = 5000;
const TRACED_REGISTERS = 10;

/** Names what is at an address of the machine while the program runs; undefined for what nobody wants to know of. */
export type PlaceOf = (address: number, sizeBytes: number) => string | undefined;

export class ObservedInterpreter implements Engine {
  readonly name = "interpreter";
  /** Called before every store of a program, with its address. */
  onStore: ((address: number) => void) | undefined;
  #trace: Trace | undefined;

  /** What `run` makes programs go through. */
  trace(run: () => void, placeOf: PlaceOf): TraceStep[] {
    const trace = new Trace(placeOf);
    this.#trace = trace;
    try {
      run();
    } finally {
      this.#trace = undefined;
    }
    return trace.end();
  }

  prepare(program: LinkedProgram, machine: Machine): PreparedProgram {
    const plain = interpreter({ onStore: (address) => this.onStore?.(address) }).prepare(program, machine);
    const traced = interpreter({
      onStore: (address, sizeBytes) => this.#trace?.store(address, sizeBytes),
      trace: (slot, registers, { spec }) => this.#trace?.instruction(slot, registers, spec),
    }).prepare(program, machine);
    return {
      run: (...parameters) => (this.#trace === undefined ? plain : traced).run(...parameters),
    };
  }
}

class Trace {
  readonly #placeOf: PlaceOf;
  readonly #steps: TraceStep[] = [];
  /** Of the step in hand. */
  #spec: ProgramSpec | undefined;
  #line = -1;
  #stores: string[] = [];
  readonly #before = new BigUint64Array(TRACED_REGISTERS);
  readonly #now = new BigUint64Array(TRACED_REGISTERS);

  constructor(placeOf: PlaceOf) {
    this.#placeOf = placeOf;
  }

  instruction(slot: number, registers: BigUint64Array, spec: ProgramSpec): void {
    this.#now.set(registers.subarray(0, TRACED_REGISTERS));
    const line = spec.lines.findLastIndex((candidate) => candidate.slot <= slot);
    if (spec === this.#spec && isSameLine(spec, line, this.#line)) return;
    this.#endStep();
    this.#spec = spec;
    this.#line = line;
  }

  store(address: number, sizeBytes: number): void {
    const place = this.#placeOf(address, sizeBytes);
    if (place !== undefined && this.#stores.at(-1) !== place) this.#stores.push(place);
  }

  end(): TraceStep[] {
    this.#endStep();
    return this.#steps;
  }

  #endStep(): void {
    if (this.#spec !== undefined && this.#steps.length < STEPS_MAX) {
      const info = this.#spec.lines[this.#line];
      const registers = Array.from(this.#now, (value, r) => ({ name: `r${r}`, value })).filter(
        ({ value }, r) => value !== this.#before[r],
      );
      this.#steps.push({
        file: info === undefined ? "" : basename(info.file),
        line: info?.line ?? 0,
        text: info?.text ?? "",
        registers,
        stores: this.#stores,
      });
    }
    this.#before.set(this.#now);
    this.#stores = [];
  }
}

function isSameLine({ lines }: ProgramSpec, a: number, b: number): boolean {
  return a === b || (lines[a]?.file === lines[b]?.file && lines[a]?.line === lines[b]?.line);
}
