/** `lamna object`: what an object file holds. */
import { readFileSync, statSync } from "node:fs";
import { Command } from "commander";
import { ObjectError } from "../../dataplane/object/object-error.ts";
import { readObject } from "../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { listVariables } from "../../dataplane/object/variables.ts";
import { UsageError } from "./exit.ts";
import { describeObject } from "./object-json.ts";
import { listProgram } from "./object-listing.ts";
import { objectText } from "./object-text.ts";
import { formatBytes, painterFor } from "./output.ts";
import { printableJson } from "./printable.ts";

interface Options {
  readonly program?: string;
  readonly disassemble?: true;
  readonly json?: true;
}

/** Far above any object; it keeps a wrong argument from filling the memory. */
const FILE_SIZE_MAX_BYTES = 256 * 1024 * 1024;

export function objectCommand(): Command {
  return new Command("object")
    .description("show what a BPF object file holds: programs, maps, options, types")
    .argument("<file>", "ELF object, as clang -target bpf makes it")
    .option("--program <name>", "only this program")
    .option("--disassemble", "instructions too, with the source lines they come from")
    .option("--json", "print one JSON object")
    .action((file: string, options: Options) => {
      const spec = selectProgram(readSpec(file), options.program, file);
      const isDisassembled = options.disassemble ?? false;
      if (options.json) {
        process.stdout.write(`${printableJson(describeObject(file, spec, { isDisassembled }))}\n`);
        return;
      }
      const paint = painterFor(process.stdout);
      // One program's listing alone is what one wants to page through or to compare.
      if (!isDisassembled || options.program === undefined)
        process.stdout.write(objectText(file, spec, paint));
      if (!isDisassembled) return;
      const variables = listVariables(spec);
      for (const program of spec.programs)
        process.stdout.write(`\n${listProgram(program, variables, paint)}`);
    });
}

function readSpec(file: string): ObjectSpec {
  const facts = statSync(file);
  if (facts.isDirectory()) throw new UsageError(`${file}: a directory, expected a file`);
  if (!facts.isFile()) throw new UsageError(`${file}: not a regular file, expected an object file`);
  if (facts.size > FILE_SIZE_MAX_BYTES) {
    const [found, allowed] = [formatBytes(facts.size), formatBytes(FILE_SIZE_MAX_BYTES)];
    throw new UsageError(`${file}: ${found}, expected an object file of at most ${allowed}`);
  }
  try {
    return readObject(readFileSync(file));
  } catch (cause) {
    if (!(cause instanceof ObjectError)) throw cause;
    throw new UsageError(`object ${file}: ${cause.message}`, { cause });
  }
}

function selectProgram(spec: ObjectSpec, name: string | undefined, file: string): ObjectSpec {
  if (name === undefined) return spec;
  const program = spec.programs.find((each) => each.name === name);
  if (program !== undefined) return { ...spec, programs: [program] };
  const names = spec.programs.map((each) => each.name).join(", ");
  throw new UsageError(
    `object ${file}: no program "${name}", expected ${names === "" ? "none: it has no programs" : names}`,
  );
}
