/**
 * Reads the corpus: programs as text, what they find, and what must come out. A file holds many cases:
 *
 *     == what the case shows
 *     memory 01 02 03            bytes that r1 points to, r2 is how many; programs may write them
 *     frame 02 00 ...            in place of memory: a packet, r1 is its XDP context
 *     map ARRAY 4 8 2            type, bytes of key and value, entries; the first map has id 1: map_by_fd(1)
 *     map ARRAY 4 8 2 flags 128  with creation flags
 *     entry 1 KEY VALUE          in hex; in a PROG_ARRAY the value is the number of a program of the case, in a map-in-map of a map
 *     inner 1                    the map before it is the template of the inner maps of map 1 (ARRAY_OF_MAPS)
 *     program                    assembly until the next `program` or `expect`; the first one runs
 *       r0 = 0
 *       exit
 *     expect result 0
 *     expect fault out-of-bounds 3 words of the message      code, slot, and what the message contains
 *     expect memory 01 02 03 ... | expect frame 02 00 ... | expect entry 1 KEY VALUE | expect entry 1 KEY none
 *
 * `#` starts a comment where no program is.
 */
import { readdirSync, readFileSync } from "node:fs";
import type { MapSpec } from "../../../dataplane/object/spec.ts";
import * as mapTypes from "../../../dataplane/vm/maps/map-type.ts";

export interface Case {
  readonly name: string;
  memory: Uint8Array | undefined;
  frame: Uint8Array | undefined;
  readonly maps: MapSpec[];
  readonly entries: Entry[];
  readonly programs: string[];
  readonly expected: Expected[];
}

export interface Entry {
  readonly map: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array | undefined;
}

export type Expected =
  | { readonly kind: "result"; readonly value: bigint }
  | { readonly kind: "fault"; readonly code: string; readonly slot: number; readonly words: string }
  | { readonly kind: "memory" | "frame"; readonly bytes: Uint8Array }
  | ({ readonly kind: "entry" } & Entry);

const FOLDER = new URL("corpus/", import.meta.url);

export const CORPUS_FILES: readonly { readonly file: string; readonly cases: readonly Case[] }[] =
  readdirSync(FOLDER)
    .filter((file) => file.endsWith(".txt"))
    .sort()
    .map((file) => ({ file, cases: parse(file, readFileSync(new URL(file, FOLDER), "utf8")) }));

function parse(file: string, text: string): Case[] {
  const cases: Case[] = [];
  let isInProgram = false;
  for (const [index, line] of text.split("\n").entries()) {
    const [word = "", ...rest] = line.trim().split(/\s+/);
    const isOutside = word === "==" || word === "expect" || word === "program";
    if (isInProgram && !isOutside) {
      const current = cases.at(-1)!;
      current.programs.push(`${current.programs.pop()}${line}\n`);
      continue;
    }
    isInProgram = word === "program";
    if (word === "" || word.startsWith("#")) continue;
    if (word === "==") {
      const name = rest.join(" ");
      cases.push({
        name,
        memory: undefined,
        frame: undefined,
        maps: [],
        entries: [],
        programs: [],
        expected: [],
      });
      continue;
    }
    const current = cases.at(-1);
    if (current === undefined || !parseLine(current, word, rest)) {
      throw new Error(`${file}:${index + 1}: not understood: ${line}`);
    }
  }
  for (const { name, programs, expected } of cases) {
    if (programs.length === 0 || expected.length === 0) {
      throw new Error(`${file}: "${name}" has no program or expects nothing`);
    }
  }
  return cases;
}

function parseLine(current: Case, word: string, rest: readonly string[]): boolean {
  switch (word) {
    case "memory":
      current.memory = hex(rest);
      return true;
    case "frame":
      current.frame = hex(rest);
      return true;
    case "map":
      current.maps.push(mapOf(rest, current.maps.length + 1));
      return true;
    case "inner": {
      const outer = Number(rest[0]) - 1;
      current.maps[outer] = { ...current.maps[outer]!, inner: current.maps.at(-1)! };
      return true;
    }
    case "entry":
      current.entries.push(entry(rest));
      return true;
    case "program":
      current.programs.push("");
      return true;
    case "expect":
      return parseExpected(current, rest);
    default:
      return false;
  }
}

function parseExpected(current: Case, [kind, ...rest]: readonly string[]): boolean {
  switch (kind) {
    case "result":
      current.expected.push({ kind, value: BigInt.asUintN(64, number(rest[0]!)) });
      return true;
    case "fault":
      current.expected.push({ kind, code: rest[0]!, slot: Number(rest[1]), words: rest.slice(2).join(" ") });
      return true;
    case "memory":
    case "frame":
      current.expected.push({ kind, bytes: hex(rest) });
      return true;
    case "entry":
      current.expected.push({ kind, ...entry(rest) });
      return true;
    default:
      return false;
  }
}

/** BigInt() takes no sign in front of 0x. */
function number(text: string): bigint {
  return text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
}

function mapOf(
  [type, keySize, valueSize, entries, flagsWord, flags]: readonly string[],
  id: number,
): MapSpec {
  const number = (mapTypes as Record<string, unknown>)[`BPF_MAP_TYPE_${type}`];
  if (typeof number !== "number" || (flagsWord !== undefined && flagsWord !== "flags")) {
    throw new Error(`map ${id}: ${type} ${flagsWord}`);
  }
  return {
    name: `map${id}`,
    type: number,
    keySizeBytes: Number(keySize),
    valueSizeBytes: Number(valueSize),
    maxEntries: Number(entries),
    flags: Number(flags ?? 0),
    isReadonly: false,
  };
}

function entry([map, key, ...value]: readonly string[]): Entry {
  return { map: Number(map), key: hex([key!]), value: value[0] === "none" ? undefined : hex(value) };
}

function hex(words: readonly string[]): Uint8Array {
  const text = words.join("");
  if (!/^([0-9a-fA-F]{2})*$/.test(text)) throw new Error(`not bytes in hex: ${text}`);
  return new Uint8Array(Buffer.from(text, "hex"));
}
