/** Every engine runs every case of the corpus (corpus.ts says how a case is written). */
import { describe, expect, test } from "vitest";
import { type Engine, VmFault } from "../../../dataplane/vm/engine.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { XDP_MD_SIZE_BYTES } from "../../../dataplane/vm/xdp-buffer.ts";
import { type Case, CORPUS_FILES, type Entry } from "./corpus.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";

describe.for(ENGINES)("$name", (engine) => {
  describe.for(CORPUS_FILES)("$file", ({ cases }) => {
    test.for(cases)("$name", (one) => check(engine, one));
  });
});

function check(engine: Engine, one: Case): void {
  const machine = new Machine(one.maps);
  const memory = machine.allocateRegion({
    name: "memory",
    sizeBytes: one.memory?.length ?? 0,
    isWritable: true,
  });
  machine.memory.write(memory, one.memory ?? new Uint8Array());
  const { xdp } = machine.cpu(0);
  if (one.frame !== undefined) xdp.load(one.frame, { ingressIfindex: 3, rxQueueIndex: 5 });

  const outcome = run();

  const wanted = one.expected.filter(({ kind }) => kind === "result" || kind === "fault");
  expect(wanted, "a case expects one result or one fault").toHaveLength(1);
  for (const expected of one.expected) {
    switch (expected.kind) {
      case "result":
        expect(outcome).toBe(expected.value);
        break;
      case "fault":
        expect(outcome).toBeInstanceOf(VmFault);
        expect(outcome).toMatchObject({ code: expected.code, slot: expected.slot });
        expect((outcome as VmFault).message).toContain(expected.words);
        break;
      case "memory":
        expect(hex(machine.memory.read(memory, one.memory?.length ?? 0))).toBe(hex(expected.bytes));
        break;
      case "frame":
        expect(hex(xdp.frame)).toBe(hex(expected.bytes));
        break;
      case "entry":
        expect(hex(machine.mapById(expected.map)!.lookupValue(expected.key))).toBe(hex(expected.value));
        break;
    }
  }

  function run(): bigint | VmFault {
    try {
      const programs = one.programs.map((source) => linkProgram(machine, programOf(source)));
      for (const entry of one.entries) fill(entry);
      const prepared = engine.prepare(programs[0]!, machine);
      return one.frame === undefined
        ? prepared.run(memory, one.memory?.length ?? 0, 0)
        : prepared.run(xdp.contextAddress, XDP_MD_SIZE_BYTES, 0);
    } catch (error) {
      if (error instanceof VmFault) return error;
      throw error;
    }
  }

  function fill({ map, key, value }: Entry): void {
    expect(machine.mapById(map)!.updateValue(key, value!), `entry of map ${map}`).toBe(0);
  }
}

function hex(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "none" : Buffer.from(bytes).toString("hex");
}
