/** Programs for tests, without an object file around them. */
import { assemble } from "../../../dataplane/isa/assemble.ts";
import type { Instruction } from "../../../dataplane/isa/instruction.ts";
import type { ProgramSpec } from "../../../dataplane/object/spec.ts";

export function programOf(
  source: string | readonly Instruction[],
  rest: Partial<ProgramSpec> = {},
): ProgramSpec {
  return {
    name: "test",
    section: "xdp",
    instructions: typeof source === "string" ? assemble(source) : source,
    references: [],
    functions: [],
    lines: [],
    ...rest,
  };
}
