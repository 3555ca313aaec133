/**
 * Objects of a few megabytes made to be slow: each multiplies something that a careless reader would go through again and again. They are
 * read or refused within the test's time limit, which work in proportion to the square of their size would not keep.
 */
import { expect, test } from "vitest";
import { assemble } from "../../../dataplane/isa/assemble.ts";
import { encode } from "../../../dataplane/isa/encoding.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import {
  type BuiltSection,
  type BuiltSymbol,
  buildElf,
  GLOBAL_FUNCTION,
  LOCAL_FUNCTION,
} from "./elf-builder.ts";
import { objectErrorOf } from "./test-objects.ts";

const CODE_FLAGS = 4; // SHF_EXECINSTR
const EXIT = encode(assemble("exit"), true);
const CALL_ELSEWHERE = encode(assemble("call pc-1"), true);
const R_BPF_64_32 = 10;
const TIME_LIMIT_MS = 10_000;

test("an object put together by hand is read", () => {
  const spec = readObject(
    buildElf(
      [
        { name: ".text", flags: CODE_FLAGS, bytes: repeat(EXIT, 2) },
        {
          name: "xdp",
          flags: CODE_FLAGS,
          bytes: concat([CALL_ELSEWHERE, EXIT]),
          relocations: [{ offset: 0, type: R_BPF_64_32, symbol: 1 }],
        },
      ],
      [
        { name: "sub", info: LOCAL_FUNCTION, section: 0, value: 8, sizeBytes: 8 },
        { name: "program", info: GLOBAL_FUNCTION, section: 1, sizeBytes: 16 },
      ],
    ),
  );
  expect(spec.programs.map(({ name, functions }) => [name, functions.map((each) => each.name)])).toEqual([
    ["program", ["program", "sub"]],
  ]);
});

test("programs that each bring a large subprogram are refused when they add up", {
  timeout: TIME_LIMIT_MS,
}, () => {
  const count = 10_000;
  const { sections, symbols } = callers(count, 100_000);
  const error = objectErrorOf(() => readObject(buildElf(sections, symbols)));
  expect(error.code).toBe("unsupported");
  expect(error.message).toMatch(/instructions in all programs so far, expected at most 8 for each byte/);
});

test("a program beyond what the kernel takes is refused", { timeout: TIME_LIMIT_MS }, () => {
  const { sections, symbols } = callers(1, 1_000_000);
  const error = objectErrorOf(() => readObject(buildElf(sections, symbols)));
  expect(error.message).toMatch(/1000002 instructions with all functions it calls, expected at most 1000000/);
});

test("a chain of calls through a hundred thousand functions is followed", { timeout: TIME_LIMIT_MS }, () => {
  const count = 100_000;
  const callNext = encode(assemble("call pc+1\nexit"), true);
  const text = concat([repeat(callNext, count - 1), repeat(EXIT, 2)]);
  const symbols: BuiltSymbol[] = Array.from({ length: count }, (_, index) => ({
    name: index === 0 ? "program" : "",
    info: index === 0 ? GLOBAL_FUNCTION : LOCAL_FUNCTION,
    section: 0,
    value: 16 * index,
    sizeBytes: 16,
  }));
  const spec = readObject(buildElf([{ name: "xdp", flags: CODE_FLAGS, bytes: text }], symbols));
  expect(spec.programs[0]?.functions).toHaveLength(count);
});

test("functions that call each other in a circle are each taken once", () => {
  const text = encode(assemble("call pc+1\nexit\ncall pc-3\nexit"), true);
  const symbols = [
    { name: "program", info: GLOBAL_FUNCTION, section: 0, value: 0, sizeBytes: 16 },
    { name: "back", info: LOCAL_FUNCTION, section: 0, value: 16, sizeBytes: 16 },
  ];
  const spec = readObject(buildElf([{ name: "xdp", flags: CODE_FLAGS, bytes: text }], symbols));
  expect(spec.programs[0]?.functions.map(({ name }) => name)).toEqual(["program", "back"]);
});

test("tens of thousands of sections are read", { timeout: TIME_LIMIT_MS }, () => {
  const count = 60_000;
  const sections: BuiltSection[] = Array.from({ length: count }, (_, index) => ({
    name: `.data.${index}`,
    bytes: Uint8Array.of(index & 0xff),
  }));
  const spec = readObject(buildElf(sections, []));
  expect(spec.maps).toHaveLength(count);
  expect(spec.maps.at(-1)).toMatchObject({ name: `.data.${count - 1}`, valueSizeBytes: 1 });
});

test("hundreds of thousands of symbols and relocations are read", { timeout: TIME_LIMIT_MS }, () => {
  const count = 200_000;
  const loads = repeat(encode(assemble("r1 = 0x0 ll"), true), count);
  const spec = readObject(
    buildElf(
      [
        {
          name: "xdp",
          flags: CODE_FLAGS,
          bytes: concat([loads, EXIT]),
          relocations: Array.from({ length: count }, (_, index) => ({
            offset: 16 * index,
            type: 1,
            symbol: index + 2,
          })),
        },
        { name: ".data", bytes: new Uint8Array(8) },
      ],
      [
        { name: "program", info: GLOBAL_FUNCTION, section: 0, sizeBytes: 16 * count + 8 },
        ...Array.from({ length: count }, () => ({ name: "", info: 1, section: 1, value: 4 })),
      ],
    ),
  );
  expect(spec.programs[0]?.references).toHaveLength(count);
  expect(spec.programs[0]?.references.at(-1)).toMatchObject({
    kind: "mapValue",
    map: ".data",
    offsetBytes: 4,
  });
});

test("two executable sections of one name are refused", () => {
  const section = { name: "xdp", flags: CODE_FLAGS, bytes: EXIT };
  expect(objectErrorOf(() => readObject(buildElf([section, section], []))).code).toBe("bad-elf");
});

/** Programs that each call one subprogram of `slots` instructions in .text. */
function callers(count: number, slots: number): { sections: BuiltSection[]; symbols: BuiltSymbol[] } {
  return {
    sections: [
      { name: ".text", flags: CODE_FLAGS, bytes: repeat(EXIT, slots) },
      {
        name: "xdp",
        flags: CODE_FLAGS,
        bytes: repeat(concat([CALL_ELSEWHERE, EXIT]), count),
        relocations: Array.from({ length: count }, (_, index) => ({
          offset: 16 * index,
          type: R_BPF_64_32,
          symbol: 1,
        })),
      },
    ],
    symbols: [
      { name: "sub", info: LOCAL_FUNCTION, section: 0, sizeBytes: 8 * slots },
      ...Array.from({ length: count }, (_, index) => ({
        name: `program${index}`,
        info: GLOBAL_FUNCTION,
        section: 1,
        value: 16 * index,
        sizeBytes: 16,
      })),
    ],
  };
}

function repeat(bytes: Uint8Array, count: number): Uint8Array {
  const all = new Uint8Array(bytes.length * count);
  for (let index = 0; index < count; index++) all.set(bytes, index * bytes.length);
  return all;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
