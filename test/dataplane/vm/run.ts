/** Runs a program given as assembly once. */
import type { ProgramSpec } from "../../../dataplane/object/spec.ts";
import { type Engine, VmFault } from "../../../dataplane/vm/engine.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import type { Machine } from "../../../dataplane/vm/machine.ts";
import { XDP_MD_SIZE_BYTES } from "../../../dataplane/vm/xdp-buffer.ts";
import { programOf } from "./program.ts";

export interface RunOptions {
  readonly cpu?: number;
  /** Default: 60 bytes, 0 to 59. */
  readonly frame?: Uint8Array;
  readonly spec?: Partial<ProgramSpec>;
}

export const FRAME: Uint8Array = Uint8Array.from({ length: 60 }, (_, i) => i);

/** r1 is the context of a frame from interface 3, queue 5. Returns r0. */
export function run(engine: Engine, machine: Machine, source: string, options: RunOptions = {}): bigint {
  const cpu = options.cpu ?? 0;
  const { xdp } = machine.cpu(cpu);
  xdp.load(options.frame ?? FRAME, { ingressIfindex: 3, rxQueueIndex: 5 });
  const program = linkProgram(machine, programOf(source, options.spec));
  return engine.prepare(program, machine).run(xdp.contextAddress, XDP_MD_SIZE_BYTES, cpu);
}

/** The fault a program ends with; fails when it ends without. */
export function faultOf(body: () => unknown): VmFault {
  try {
    body();
  } catch (error) {
    if (error instanceof VmFault) return error;
    throw error;
  }
  throw new Error("the program ended without a fault");
}
