/** NICs under test, with programs written in assembly. */
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { Nic, type NicOptions } from "../../../dataplane/nic/nic.ts";
import type { MapSpec, ProgramSpec } from "../../../dataplane/object/spec.ts";
import type { PreparedProgram } from "../../../dataplane/vm/engine.ts";
import { interpreter } from "../../../dataplane/vm/interpreter.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine, type MachineOptions } from "../../../dataplane/vm/machine.ts";

export function programSpec(text: string, maps: readonly (readonly [number, string])[] = []): ProgramSpec {
  const instructions = assemble(text);
  return {
    name: "tested",
    section: "xdp",
    instructions,
    references: maps.map(([slot, map]) => ({ kind: "map", slot, map })),
    functions: [{ name: "tested", slot: 0, slotCount: instructions.length }],
    lines: [],
  };
}

export function prepare(machine: Machine, spec: ProgramSpec): PreparedProgram {
  return interpreter().prepare(linkProgram(machine, spec), machine);
}

export function nicWith(
  spec: ProgramSpec,
  options: NicOptions & { readonly maps?: readonly MapSpec[]; readonly machine?: MachineOptions } = {},
): { readonly machine: Machine; readonly nic: Nic } {
  const machine = new Machine(options.maps ?? [], options.machine);
  const nic = new Nic(machine, options);
  nic.attach(prepare(machine, spec));
  return { machine, nic };
}

/** Returns the frame's first byte, or 99 for an empty frame. */
export const FIRST_BYTE: ProgramSpec = programSpec(`
  r2 = *(u32 *)(r1 + 0)
  r3 = *(u32 *)(r1 + 4)
  r4 = r2
  r4 += 1
  r0 = 99
  if r4 > r3 goto +1
  r0 = *(u8 *)(r2 + 0)
  exit`);

/** A frame whose first byte is `first`; not IP. */
export function frameWith(first: number, sizeBytes = 60): Uint8Array {
  const frame = Uint8Array.from({ length: sizeBytes }, (_, i) => i & 0xff);
  frame.set([0x88, 0xb5], 12);
  frame[0] = first;
  return frame;
}

/** A TCP frame of flow number `flow` whose first byte is `first`. */
export function tcpFrame(first: number, flow: number): Uint8Array {
  const frame = new Uint8Array(60);
  frame.set([first, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1, 0x08, 0x00]);
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, flow >> 8, flow & 255, 10, 200, 1, 1], 14);
  frame.set([flow >> 8, flow & 255, 0, 80], 34);
  return frame;
}
