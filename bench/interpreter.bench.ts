/**
 * The interpreter: our program on a machine whose maps hold nothing, which reads the whole packet and finds that it is for no
 * VIP, and a loop of arithmetic. The goal is 20000 packets a second. The modules that a test runner emulates make it about half as
 * fast as it is in the built command.
 */
import { readFileSync } from "node:fs";
import { bench, describe } from "vitest";
import { assemble } from "../dataplane/isa/assemble.ts";
import { readObject } from "../dataplane/object/read-object.ts";
import { interpreter } from "../dataplane/vm/interpreter.ts";
import { linkObject, linkProgram } from "../dataplane/vm/link.ts";
import { Machine } from "../dataplane/vm/machine.ts";
import { u32Bytes } from "../dataplane/vm/maps/map-access.ts";
import { XDP_MD_SIZE_BYTES } from "../dataplane/vm/xdp-buffer.ts";

const object = readObject(readFileSync(new URL("../dataplane/xdp/balancer.bpf.o", import.meta.url)));
const machine = new Machine(object.maps);
for (const spec of object.maps) {
  if (spec.inner === undefined) continue;
  const inner = machine.createMap({ ...spec.inner, name: `${spec.name}[0]` });
  machine.map(spec.name).updateValue(u32Bytes(0), u32Bytes(inner.id));
}
const { xdp } = machine.cpu(0);
const balance = interpreter().prepare(linkObject(machine, object).get("balance")!, machine);

// IPv4, TCP: 10.0.0.1 port 40000 to 10.200.1.1 port 80, a SYN.
const FRAME = new Uint8Array(
  Buffer.from(
    "0200000000010200000000020800450000280001000040066505" +
      "0a0000010ac801019c40005000000001000000005002020000000000",
    "hex",
  ),
);

describe("our program", () => {
  const steps = stepsOf(FRAME);
  bench(`a packet for no VIP, ${steps} instructions`, () => {
    xdp.load(FRAME, { ingressIfindex: 1, rxQueueIndex: 0 });
    balance.run(xdp.contextAddress, XDP_MD_SIZE_BYTES, 0);
  });
});

describe("arithmetic", () => {
  const source = `
      r1 = 1000
      r0 = 0x9e3779b97f4a7c15 ll
    again:
      r0 += r1
      r2 = r0
      r2 >>= 29
      r0 ^= r2
      r0 *= 31
      r0 <<= 1
      r1 += -1
      if r1 != 0 goto again
      exit`;
  const spec = { name: "loop", section: "xdp", references: [], functions: [], lines: [] };
  const program = linkProgram(machine, { ...spec, instructions: assemble(source) });
  const prepared = interpreter().prepare(program, machine);
  bench("8003 instructions", () => {
    prepared.run(0, 0, 0);
  });
});

function stepsOf(frame: Uint8Array): number {
  let count = 0;
  const engine = interpreter({ trace: () => count++ });
  const traced = engine.prepare(linkObject(machine, object).get("balance")!, machine);
  xdp.load(frame, { ingressIfindex: 1, rxQueueIndex: 0 });
  traced.run(xdp.contextAddress, XDP_MD_SIZE_BYTES, 0);
  return count;
}
