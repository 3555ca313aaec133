import { expect, test } from "vitest";
import { minimize } from "./minimize.ts";

const HISTORY = Array.from({ length: 100 }, (_, index) => index);

test("the last packet is enough when it fails by itself", async () => {
  expect(await minimize(HISTORY, async (history) => history.at(-1) === 99)).toEqual([99]);
});

test("what the failure needs is kept in order, the rest is not", async () => {
  const needed = [7, 50, 51];
  const fails = async (history: readonly number[]) => needed.every((packet) => history.includes(packet));
  expect(await minimize(HISTORY, fails)).toEqual([...needed, 99]);
});

test("a history that does not fail has no smallest part that does", async () => {
  expect(await minimize(HISTORY, async () => false)).toBeUndefined();
});
