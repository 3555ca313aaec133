/** Fails while the network is built, after most of it is there. */
import { test } from "vitest";
import { EdgeNetwork } from "../harness/edge-network.ts";

test("fails to build", async () => {
  // There is no MTU like that for IPv6, so that the last link gets no address.
  await EdgeNetwork.create({ backends: 1, fabricMtu: 1000 });
});
