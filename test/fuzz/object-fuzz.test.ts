import { expect, test } from "vitest";
import { fuzzObjects } from "./object-fuzz.ts";

test("a damaged object gives a spec that keeps its promises, or an ObjectError", () => {
  const seed = Number(process.env.LAMNA_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
  const result = fuzzObjects({ seed, inputs: 3000, seconds: 20 });
  const { failure } = result;
  expect(
    failure,
    `seed ${seed}, input ${failure?.input}: ${failure?.object} with ${failure?.edits.join("; ")}`,
  ).toBeUndefined();
  expect(result.inputs).toBeGreaterThan(0);
});

test("a seed gives the same inputs again", () => {
  const [a, b] = [fuzzObjects({ seed: 5, inputs: 300 }), fuzzObjects({ seed: 5, inputs: 300 })];
  expect({ ...a, slowestMs: 0 }).toEqual({ ...b, slowestMs: 0 });
  expect(a.codes.get("bad-elf")).toBeGreaterThan(10);
  expect(a.codes.get("bad-btf")).toBeGreaterThan(10);
  expect(a.codes.size).toBeGreaterThan(3);
  expect(a.accepted).toBeGreaterThan(10);
});
