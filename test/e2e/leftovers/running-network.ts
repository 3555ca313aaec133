/** What the tests that fail on purpose have running: a network with a client, a server and connections between them. */
import { afterAll, beforeAll } from "vitest";
import { EdgeNetwork, TCP_ECHO_PORTS } from "../harness/edge-network.ts";

let running: EdgeNetwork | undefined;

beforeAll(async () => {
  running = await EdgeNetwork.create({ backends: 1 });
  const target = {
    host: running.backend(0).ipv4,
    port: TCP_ECHO_PORTS[0],
    count: 3,
    chunkBytes: 10,
    pauseMs: 1,
    seed: 1,
  };
  const load = await running.client.open("tcp", target);
  await load.advance(1);
});
afterAll(() => running?.close());

export function network(): EdgeNetwork {
  if (running === undefined) throw new Error("the network does not run");
  return running;
}
