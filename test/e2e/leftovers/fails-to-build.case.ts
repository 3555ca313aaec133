/** Fails while the network is built, when some of it is there. */
import { test } from "vitest";
import { EdgeNetwork } from "../harness/edge-network.ts";

test("fails to build", async () => {
  // No interface takes such an MTU.
  await EdgeNetwork.create({ backends: 1, fabricMtu: 70_000 });
});
