/**
 * The vectors of bpf_conformance (github.com/Alan-Jowett/bpf_conformance, commit f558566), assembled to bytes. r1 is the address
 * of the vector's memory and r2 its length.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decode } from "../../../dataplane/isa/encoding.ts";
import { linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";

interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly mem: string;
  readonly result: string;
}

const FILE = new URL("../../../../shared/conformance/bpf_conformance.json", import.meta.url);
const vectors: readonly Vector[] = existsSync(FILE) ? JSON.parse(readFileSync(FILE, "utf8")) : [];

if (vectors.length === 0) {
  test.skip(`conformance vectors are not at ${FILE.pathname}`);
}

// A suite without tests would be an error.
describe.for(vectors.length === 0 ? [] : ENGINES)("$name", (engine) => {
  test.for(vectors)("$name", ({ hex, mem, result }) => {
    const machine = new Machine([]);
    const bytes = Buffer.from(mem, "hex");
    const address = machine.allocateRegion({ name: "memory", sizeBytes: bytes.length, isWritable: true });
    machine.memory.write(address, bytes);
    const program = linkProgram(machine, programOf(decode(Buffer.from(hex, "hex"), true)));

    expect(engine.prepare(program, machine).run(address, bytes.length, 0)).toBe(BigInt(result));
  });
});
