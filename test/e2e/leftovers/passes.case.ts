/** Does everything right. */
import { expect, test } from "vitest";
import { network } from "./running-network.ts";

test("passes", () => {
  expect(network().backends).toHaveLength(1);
});
