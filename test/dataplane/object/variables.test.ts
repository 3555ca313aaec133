import fc from "fast-check";
import { expect, test } from "vitest";
import { readObject } from "../../../dataplane/object/read-object.ts";
import {
  findVariable,
  listVariables,
  readVariable,
  writeVariable,
} from "../../../dataplane/object/variables.ts";
import { objectBytes, objectErrorOf } from "./test-objects.ts";

const spec = readObject(objectBytes("codecs"));

test("variables are listed with their map, place and type", () => {
  const facts = listVariables(spec).map(({ name, map, sizeBytes, scalar, isReadonly }) => [
    name,
    map,
    sizeBytes,
    scalar,
    isReadonly,
  ]);
  expect(facts).toEqual([
    ["option_on", ".rodata", 1, "bool", true],
    ["option_colour", ".rodata", 4, "unsigned", true],
    ["option_large", ".rodata", 8, "unsigned", true],
    ["counter", ".data", 4, "signed", false],
    ["pair", ".bss", 4, undefined, false],
  ]);
});

test.for(["bpfel", "bpfeb"] as const)("initial values of a %s object are those of the source", (target) => {
  const object = readObject(objectBytes("codecs", target));
  const value = (name: string): unknown => {
    const variable = findVariable(object, name);
    return readVariable(object.maps.find((map) => map.name === variable.map)!.contents!, variable);
  };
  expect(["option_on", "option_colour", "option_large", "counter"].map(value)).toEqual([
    true,
    0x80000000,
    0xfedcba9876543210n,
    -3,
  ]);
});

test("static variables are found by name as well", () => {
  const relocations = readObject(objectBytes("relocations"));
  const variable = findVariable(relocations, "static_cell");
  expect(variable).toMatchObject({ map: ".data", offsetBytes: 8, sizeBytes: 4, scalar: "signed" });
});

test.for<{ target: "bpfel" | "bpfeb"; name: string; min: bigint; max: bigint }>(
  (["bpfel", "bpfeb"] as const).flatMap((target) => [
    { target, name: "option_on", min: 0n, max: 1n },
    { target, name: "option_colour", min: 0n, max: 2n ** 32n - 1n },
    { target, name: "option_large", min: 0n, max: 2n ** 64n - 1n },
    { target, name: "counter", min: -(2n ** 31n), max: 2n ** 31n - 1n },
  ]),
)("a value of $name in $target that fits is read back, another is refused", ({ target, name, min, max }) => {
  const object = readObject(objectBytes("codecs", target));
  const variable = findVariable(object, name);
  const contents = object.maps.find((map) => map.name === variable.map)!.contents!;
  fc.assert(
    fc.property(fc.bigInt({ min, max }), (value) => {
      const bytes = contents.slice();
      writeVariable(bytes, variable, value);
      expect(BigInt(readVariable(bytes, variable))).toBe(value);
      const untouched = (_: number, at: number): boolean =>
        at < variable.offsetBytes || at >= variable.offsetBytes + variable.sizeBytes;
      expect(bytes.filter(untouched)).toEqual(contents.filter(untouched));
    }),
  );
  for (const value of [min - 1n, max + 1n])
    expect(() => writeVariable(contents.slice(), variable, value)).toThrow(RangeError);
});

test.for([0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])("%d is no value of a variable", (value) => {
  const variable = findVariable(spec, "option_large");
  expect(() => writeVariable(new Uint8Array(16), variable, value)).toThrow(RangeError);
});

test("an array has no single value", () => {
  const variable = findVariable(spec, "pair");
  expect(() => readVariable(new Uint8Array(4), variable)).toThrow('variable "pair" is no number');
  expect(() => writeVariable(new Uint8Array(4), variable, 1)).toThrow(RangeError);
});

test("a name that is no variable is refused", () => {
  expect(objectErrorOf(() => findVariable(spec, "nothing"))).toMatchObject({
    code: "no-such-name",
    symbol: "nothing",
  });
  expect(listVariables(readObject(objectBytes("instructions-without-btf")))).toEqual([]);
});
