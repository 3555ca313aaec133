/**
 * Damaged object files: reading one gives a spec that keeps its promises or an ObjectError, in little time, whatever the bytes.
 *
 * As a command it runs for as long as it is told to, and ends with exit code 1 and the smallest damage it could find that still fails:
 *
 *   npm run fuzz:objects -- --seconds 3600 --seed 7
 *
 * Everything follows from the seed. Input number n of a run depends on seed and n alone.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { disassemble } from "../../dataplane/isa/disassemble.ts";
import { encode } from "../../dataplane/isa/encoding.ts";
import { LD_IMM64 } from "../../dataplane/isa/instruction.ts";
import { type BtfTypes, typeName } from "../../dataplane/object/btf.ts";
import { readElf } from "../../dataplane/object/elf.ts";
import { ObjectError } from "../../dataplane/object/object-error.ts";
import { readObject } from "../../dataplane/object/read-object.ts";
import type { ObjectSpec, ProgramSpec } from "../../dataplane/object/spec.ts";
import { listVariables, readVariable } from "../../dataplane/object/variables.ts";
import { Random } from "../packets/random.ts";
import { fuzzArguments } from "./arguments.ts";

export interface ObjectFuzzOptions {
  readonly seed: number;
  /** The run ends after whichever comes first. */
  readonly seconds?: number;
  readonly inputs?: number;
  readonly onProgress?: (result: Omit<ObjectFuzzResult, "failure">) => void;
}

export interface ObjectFuzzResult {
  readonly inputs: number;
  /** Inputs that were objects all the same. */
  readonly accepted: number;
  /** How often each code was the answer. */
  readonly codes: ReadonlyMap<string, number>;
  readonly slowestMs: number;
  readonly failure: ObjectFuzzFailure | undefined;
}

export interface ObjectFuzzFailure {
  /** Of the run, and which of its inputs. */
  readonly seed: number;
  readonly input: number;
  readonly object: string;
  /** What is left of the damage, in words. */
  readonly edits: readonly string[];
  readonly bytes: Uint8Array;
  readonly why: string;
}

/** Far beyond what any of the objects takes, and what a hang would pass soon. */
const READ_MS_MAX = 2000;

const BALANCER = "dataplane/xdp/balancer.bpf.o";

interface Edit {
  readonly text: string;
  readonly apply: (bytes: Uint8Array) => Uint8Array;
}

interface Sample {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly isLittleEndian: boolean;
  /** Ranges worth hitting: headers, tables, sections. */
  readonly targets: readonly { readonly start: number; readonly sizeBytes: number; readonly step: number }[];
}

export function fuzzObjects(options: ObjectFuzzOptions): ObjectFuzzResult {
  const samples = loadSamples();
  const endMs = Date.now() + (options.seconds ?? Number.POSITIVE_INFINITY) * 1000;
  const inputsMax = options.inputs ?? Number.POSITIVE_INFINITY;
  const codes = new Map<string, number>();
  let accepted = 0;
  let slowestMs = 0;
  for (let input = 0; ; input++) {
    const progress = { inputs: input, accepted, codes, slowestMs };
    if (input === inputsMax || Date.now() >= endMs) return { ...progress, failure: undefined };
    if (input % 1000 === 999) options.onProgress?.(progress);
    const random = new Random((options.seed + input * 0x9e3779b1) >>> 0);
    const sample = random.pick(samples);
    const edits = Array.from({ length: random.pick([1, 1, 1, 2, 2, 3, 5, 8]) }, () =>
      randomEdit(random, sample, samples),
    );
    const outcome = readDamaged(sample, edits);
    slowestMs = Math.max(slowestMs, outcome.ms);
    if (outcome.why !== undefined) {
      const left = shrink(sample, edits);
      const failure: ObjectFuzzFailure = {
        seed: options.seed,
        input,
        object: sample.name,
        edits: left.map(({ text }) => text),
        bytes: damaged(sample, left),
        why: readDamaged(sample, left).why ?? outcome.why,
      };
      return { ...progress, inputs: input + 1, slowestMs, failure };
    }
    if (outcome.code === undefined) accepted++;
    else codes.set(outcome.code, (codes.get(outcome.code) ?? 0) + 1);
  }
}

interface Outcome {
  readonly ms: number;
  /** Of the ObjectError; undefined when the input was accepted. */
  readonly code: string | undefined;
  /** What went wrong, undefined when nothing did. */
  readonly why: string | undefined;
}

function readDamaged(sample: Sample, edits: readonly Edit[]): Outcome {
  const bytes = damaged(sample, edits);
  const start = performance.now();
  let code: string | undefined;
  let why: string | undefined;
  try {
    const spec = readObject(bytes);
    const broken = brokenPromise(spec);
    if (broken !== undefined) why = `a broken promise: ${broken}`;
  } catch (error) {
    if (error instanceof ObjectError) code = error.code;
    else why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const ms = performance.now() - start;
  if (why === undefined && ms > READ_MS_MAX)
    why = `took ${ms.toFixed(0)} ms, expected at most ${READ_MS_MAX}`;
  return { ms, code, why };
}

/** What a spec says of itself, in spec.ts and btf.ts; undefined: it is all true. */
function brokenPromise(spec: ObjectSpec): string | undefined {
  for (const map of spec.maps) {
    if (map.contents !== undefined && map.contents.length !== map.valueSizeBytes)
      return `contents of map ${map.name}`;
  }
  for (const program of spec.programs) {
    const broken = brokenProgram(program, spec);
    if (broken !== undefined) return `program ${program.name}: ${broken}`;
  }
  for (const variable of listVariables(spec)) {
    const contents = spec.maps.find(({ name }) => name === variable.map)?.contents;
    if (contents === undefined) return `variable ${variable.name} without a map`;
    if (variable.scalar !== undefined) readVariable(contents, variable);
  }
  return spec.btf === undefined ? undefined : brokenTypes(spec.btf);
}

function brokenTypes(btf: BtfTypes): string | undefined {
  for (const [id, type] of btf.types.entries()) {
    typeName(btf, id);
    let alias = type;
    for (let steps = 0; alias.kind !== "pointer" && alias.kind !== "declTag" && "target" in alias; steps++) {
      if (steps > btf.types.length) return `type ${id} is an alias of itself`;
      alias = btf.types[alias.target]!;
    }
    if (type.kind !== "struct" && type.kind !== "union") continue;
    for (const member of type.members) {
      const bits = member.bitFieldBits === 0 ? btf.sizesBytes[member.type]! * 8 : member.bitFieldBits;
      if (!(member.offsetBits + bits <= type.sizeBytes * 8))
        return `member ${member.name} of type ${id} reaches beyond it`;
    }
  }
  return undefined;
}

function brokenProgram(
  { instructions, references, functions, lines }: ProgramSpec,
  { maps }: ObjectSpec,
): string | undefined {
  encode(instructions, true);
  for (const [slot, { dst, src }] of instructions.entries()) {
    if (dst > 10 || src > 10) return `register ${Math.max(dst, src)} at slot ${slot}`;
    disassemble(instructions[slot]!);
  }
  let slot = 0;
  for (const each of functions) {
    if (each.slot !== slot) return `function ${each.name} at slot ${each.slot}, expected ${slot}`;
    slot += each.slotCount;
  }
  if (slot !== instructions.length)
    return `functions of ${slot} slots, instructions of ${instructions.length}`;
  for (const reference of references) {
    const isLoad = instructions[reference.slot]?.opcode === LD_IMM64;
    if (!isLoad && reference.kind !== "extern") return `slot ${reference.slot} is no 64-bit immediate load`;
    if (
      (reference.kind === "map" || reference.kind === "mapValue") &&
      !maps.some(({ name }) => name === reference.map)
    ) {
      return `no map ${reference.map}`;
    }
    if (reference.kind === "mapValue") {
      const sizeBytes = maps.find(({ name }) => name === reference.map)!.valueSizeBytes;
      if (reference.offsetBytes < 0 || reference.offsetBytes > sizeBytes)
        return `offset ${reference.offsetBytes} of ${sizeBytes}`;
    }
    if (reference.kind === "function" && !functions.some((each) => each.slot === reference.targetSlot)) {
      return `no function at slot ${reference.targetSlot}`;
    }
  }
  for (const [index, line] of lines.entries()) {
    if (line.slot >= instructions.length || line.slot <= (lines[index - 1]?.slot ?? -1))
      return `line at slot ${line.slot}`;
  }
  return undefined;
}

/** Drops edits one after the other as long as what is left still fails. */
function shrink(sample: Sample, edits: readonly Edit[]): readonly Edit[] {
  for (const edit of edits) {
    const fewer = edits.filter((each) => each !== edit);
    if (fewer.length > 0 && readDamaged(sample, fewer).why !== undefined) return shrink(sample, fewer);
  }
  return edits;
}

function damaged(sample: Sample, edits: readonly Edit[]): Uint8Array {
  return edits.reduce<Uint8Array>((bytes, edit) => edit.apply(bytes), sample.bytes.slice());
}

const INTERESTING = [
  0, 1, 2, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff,
];

function randomEdit(random: Random, sample: Sample, samples: readonly Sample[]): Edit {
  const { isLittleEndian } = sample;
  const target = random.pick(sample.targets);
  const steps = Math.max(1, Math.floor(target.sizeBytes / target.step));
  // In a table a field, elsewhere any byte.
  const offset =
    target.start +
    random.integer(0, steps - 1) * target.step +
    random.integer(0, Math.max(0, target.step - 1));
  const size = sample.bytes.length;
  switch (
    random.pick([
      "bit",
      "byte",
      "half",
      "word",
      "word",
      "word",
      "step",
      "whole",
      "fill",
      "copy",
      "swap",
      "cut",
      "grow",
      "splice",
    ])
  ) {
    case "bit": {
      const mask = 1 << random.integer(0, 7);
      return poke(`byte ${offset}: bit mask ${mask} flipped`, offset, 1, (view) =>
        view.setUint8(offset, view.getUint8(offset) ^ mask),
      );
    }
    case "byte": {
      const value = random.integer(0, 255);
      return poke(`byte ${offset}: ${value}`, offset, 1, (view) => view.setUint8(offset, value));
    }
    case "half": {
      const value = random.chance(0.5) ? random.pick(INTERESTING) & 0xffff : random.integer(0, 0xffff);
      return poke(`16 bits at ${offset}: ${value}`, offset, 2, (view) =>
        view.setUint16(offset, value, isLittleEndian),
      );
    }
    case "word": {
      const at = offset & ~3;
      const value = random.pick([
        random.pick(INTERESTING),
        random.integer(0, 300),
        random.integer(0, size),
        random.word(),
      ]);
      return poke(`32 bits at ${at}: ${value}`, at, 4, (view) => view.setUint32(at, value, isLittleEndian));
    }
    case "step": {
      const at = offset & ~3;
      const by = random.pick([-8, -4, -1, 1, 4, 8, 24]);
      return poke(`32 bits at ${at}: ${by} added`, at, 4, (view) =>
        view.setUint32(at, (view.getUint32(at, isLittleEndian) + by) >>> 0, isLittleEndian),
      );
    }
    case "whole": {
      const at = offset & ~7;
      const value = random.pick([
        BigInt(random.integer(0, size)),
        BigInt(random.pick(INTERESTING)),
        1n << BigInt(random.integer(31, 63)),
      ]);
      return poke(`64 bits at ${at}: ${value}`, at, 8, (view) =>
        view.setBigUint64(at, value, isLittleEndian),
      );
    }
    case "fill": {
      const length = random.pareto(1, 1, 4096);
      const value = random.pick([0, 0xff, random.integer(0, 255)]);
      return {
        text: `${length} bytes at ${offset}: ${value}`,
        apply: (bytes) => bytes.fill(value, offset, offset + length),
      };
    }
    case "copy": {
      const from = random.integer(0, size - 1);
      const length = random.pareto(1, 4, 4096);
      return {
        text: `${length} bytes from ${from} copied to ${offset}`,
        apply: (bytes) =>
          bytes.copyWithin(offset, from, from + Math.min(length, Math.max(0, bytes.length - offset))),
      };
    }
    case "swap": {
      const other = target.start + random.integer(0, steps - 1) * target.step;
      const at = target.start + random.integer(0, steps - 1) * target.step;
      return {
        text: `${target.step} bytes at ${at} and ${other} swapped`,
        apply: (bytes) => {
          const [a, b] = [bytes.slice(at, at + target.step), bytes.slice(other, other + target.step)];
          if (a.length === b.length) {
            bytes.set(b, Math.min(at, bytes.length - b.length));
            bytes.set(a, Math.min(other, bytes.length - a.length));
          }
          return bytes;
        },
      };
    }
    case "cut": {
      const length = random.integer(0, size - 1);
      return { text: `cut to ${length} bytes`, apply: (bytes) => bytes.slice(0, length) };
    }
    case "grow": {
      const length = random.pareto(1, 8, 65536);
      return {
        text: `${length} zeros behind the end`,
        apply: (bytes) => {
          const longer = new Uint8Array(bytes.length + length);
          longer.set(bytes);
          return longer;
        },
      };
    }
    default: {
      const other = random.pick(samples);
      const from = random.integer(0, other.bytes.length - 1);
      const length = random.pareto(1, 16, 8192);
      return {
        text: `${length} bytes at ${offset} from byte ${from} of ${other.name}`,
        apply: (bytes) => {
          const piece = other.bytes.subarray(
            from,
            from + Math.min(length, Math.max(0, bytes.length - offset)),
          );
          if (offset < bytes.length) bytes.set(piece, offset);
          return bytes;
        },
      };
    }
  }
}

/** A change of one field, where the bytes have not been cut off before. */
function poke(text: string, at: number, sizeBytes: number, change: (view: DataView) => void): Edit {
  return {
    text,
    apply: (bytes) => {
      if (at + sizeBytes <= bytes.length)
        change(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      return bytes;
    },
  };
}

function loadSamples(): Sample[] {
  const root = rootFolder();
  const folder = join(root, "test/dataplane/object/objects");
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".o"))
    .sort()
    .map((name) => join(folder, name));
  files.push(join(root, BALANCER));
  return files.map((file) => {
    const bytes = new Uint8Array(readFileSync(file));
    const elf = readElf(bytes);
    const headers = Number(new DataView(bytes.buffer).getBigUint64(40, elf.isLittleEndian));
    const steps = new Map([
      [".symtab", 24],
      [".BTF", 4],
      [".BTF.ext", 4],
    ]);
    const sections = elf.sections
      .filter((section) => section.bytes.length > 0)
      .map((section) => ({
        start: section.bytes.byteOffset - bytes.byteOffset,
        sizeBytes: section.bytes.length,
        step: steps.get(section.name) ?? (section.name.startsWith(".rel") ? 16 : 8),
      }));
    const targets = [
      { start: 0, sizeBytes: 64, step: 2 },
      { start: headers, sizeBytes: elf.sections.length * 64, step: 8 },
      ...sections,
    ];
    return { name: file.slice(root.length + 1), bytes, isLittleEndian: elf.isLittleEndian, targets };
  });
}

/** The checkout that this file is in, or that it was compiled to a place below of. */
function rootFolder(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, BALANCER))) {
    if (folder === dirname(folder)) throw new Error(`no ${BALANCER} in ${import.meta.dirname} or above it`);
    folder = dirname(folder);
  }
  return folder;
}

/** Writes the input that failed, and says in words what it is. */
export function writeObjectFailure(failure: ObjectFuzzFailure, folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "failing.o"), failure.bytes);
  const edits = failure.edits.map((edit) => `  ${edit}\n`).join("");
  const text = `seed ${failure.seed}, input ${failure.input}: ${failure.object} with\n${edits}${failure.why}`;
  writeFileSync(join(folder, "failure.txt"), `${text}\n`);
  return text;
}

function main(): void {
  const { seed, seconds, counts, out } = fuzzArguments(["inputs"], "object-fuzz-failure");
  console.log(`seed ${seed}`);
  let reportedMs = Date.now();
  const result = fuzzObjects({
    seed,
    seconds,
    ...counts,
    onProgress: ({ inputs, accepted }) => {
      if (Date.now() - reportedMs < 10_000) return;
      reportedMs = Date.now();
      console.log(`${inputs} inputs, ${accepted} of them accepted`);
    },
  });
  const codes = [...result.codes].map(([code, count]) => `${count} ${code}`).join(", ");
  console.log(
    `${result.inputs} inputs: ${result.accepted} accepted, ${codes}; slowest ${result.slowestMs.toFixed(0)} ms`,
  );
  if (result.failure === undefined) return;
  console.log(writeObjectFailure(result.failure, out));
  console.log(`the input is in ${out}/`);
  process.exitCode = 1;
}

if (process.argv[1] === import.meta.filename) main();
