import { expect, test } from "vitest";
import { RingPool } from "../../../control/plan/ring-pool.ts";
import { digestOf, type RingSlots } from "../../../control/plan/ring-slots.ts";
import { RING_SLOTS } from "../../../control/ring/maglev.ts";

function ringOf(...start: readonly number[]): RingSlots {
  const slots = new Uint32Array(RING_SLOTS);
  slots.set(start);
  return slots;
}

test("a ring is found by its contents, and not any more when it is gone", () => {
  const pool = new RingPool(4, new Map([[2, ringOf(1, 2)]]));
  pool.add(1, ringOf(3));
  expect(pool.find(ringOf(1, 2))?.id).toBe(2);
  expect(pool.find(ringOf(3))?.id).toBe(1);
  expect(pool.find(ringOf(2, 1))).toBeUndefined();
  expect(pool.mayHave(digestOf(ringOf(3)))).toBe(true);
  pool.delete(1);
  pool.delete(1);
  expect(pool.find(ringOf(3))).toBeUndefined();
  expect(pool.mayHave(digestOf(ringOf(3)))).toBe(false);
});

test("rings of one digest and other contents are not the same", () => {
  // The last step but one is undone by the last word.
  const [one, other] = [ringOf(), ringOf()];
  const before = digestOf(ringOf().subarray(0, RING_SLOTS - 2));
  one[RING_SLOTS - 2] = 1;
  other[RING_SLOTS - 2] = 2;
  other[RING_SLOTS - 1] = Math.imul(before ^ 1, 0x01000193) ^ Math.imul(before ^ 2, 0x01000193);
  expect(digestOf(one)).toBe(digestOf(other));

  const pool = new RingPool(4, new Map([[1, one]]));
  expect(pool.find(other)).toBeUndefined();
  pool.add(2, other);
  expect([pool.find(one)?.id, pool.find(other)?.id]).toEqual([1, 2]);
});

test("the lowest id that is free is next, and 0 never is", () => {
  const pool = new RingPool(4, new Map());
  for (const id of [1, 2, 3]) {
    expect(pool.firstFree).toBe(id);
    pool.add(id, ringOf(id));
  }
  expect(pool.firstFree).toBeUndefined();
  pool.delete(2);
  expect(pool.firstFree).toBe(2);
  expect(pool.ids).toEqual([1, 3]);
});
