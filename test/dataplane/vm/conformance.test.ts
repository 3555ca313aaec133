/**
 * The vectors of bpf_conformance on every engine. r1 is the address of the vector's memory and r2 its length.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decode } from "../../../dataplane/isa/encoding.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { CONFORMANCE_VECTORS, conformanceVectors, lacks } from "../../needs.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly mem: string;
  readonly result: string;
}

const isSkipped = lacks("the engines on the conformance vectors", conformanceVectors);
const vectors: readonly Vector[] = isSkipped ? [] : JSON.parse(readFileSync(CONFORMANCE_VECTORS, "utf8"));

test.skipIf(isSkipped)("all vectors are there", () => {
  expect(vectors).toHaveLength(313);
});

// A suite without tests would be an error.
describe.for(isSkipped ? [] : ENGINES)("$name", (engine) => {
  test.for(vectors)("$name", ({ hex, mem, result }) => {
    const machine = new Machine([]);
    const bytes = Buffer.from(mem, "hex");
    const address = machine.allocateRegion({ name: "memory", sizeBytes: bytes.length, isWritable: true });
    machine.memory.write(address, bytes);
    const program = linkProgram(machine, programOf(decode(Buffer.from(hex, "hex"), true)));

    expect(engine.prepare(program, machine).run(address, bytes.length, 0)).toBe(BigInt(result));
  });
});
