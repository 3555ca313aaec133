/** Fails while everything runs. */
import { expect, test } from "vitest";
import { network } from "./running-network.ts";

test("fails", () => {
  expect(network().backends).toHaveLength(2);
});
