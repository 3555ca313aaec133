/** What the tests that fail on purpose have running: a network with a balancer, a client, a server, and connections between them. */
import { afterAll, beforeAll } from "vitest";
import { BalancedNetwork } from "../harness/balanced-network.ts";
import { TCP_ECHO_PORTS, VIP4 } from "../harness/edge-network.ts";

let running: BalancedNetwork | undefined;

beforeAll(async () => {
  running = await BalancedNetwork.create({ backends: 1, hook: "tc" });
  const target = { host: VIP4, port: TCP_ECHO_PORTS[0], count: 3, chunkBytes: 10, pauseMs: 1, seed: 1 };
  const load = await running.network.client.open("tcp", target);
  await load.advance(1);
});
afterAll(() => running?.close());

export function network(): BalancedNetwork["network"] {
  if (running === undefined) throw new Error("the network does not run");
  return running.network;
}
