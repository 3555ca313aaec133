/**
 * The interpreter: our program on a machine whose maps hold nothing, which reads the whole packet and finds that it is for no
 * VIP, and a loop of arithmetic. The whole way of forwarded packets is in replay.bench.ts.
 */
import { readFileSync } from "node:fs";
import { packageFile } from "../control/package-root.ts";
import { assemble } from "../dataplane/isa/assemble.ts";
import { readObject } from "../dataplane/object/read-object.ts";
import { interpreter } from "../dataplane/vm/interpreter.ts";
import { linkObject, linkProgram } from "../dataplane/vm/link.ts";
import { Machine } from "../dataplane/vm/machine.ts";
import { u32Bytes } from "../dataplane/vm/maps/map-access.ts";
import { XDP_MD_SIZE_BYTES } from "../dataplane/vm/xdp-buffer.ts";
import type { Suite } from "./suite.ts";

// IPv4, TCP: 10.0.0.1 port 40000 to 10.200.1.1 port 80, a SYN.
const FRAME = new Uint8Array(
  Buffer.from(
    "0200000000010200000000020800450000280001000040066505" +
      "0a0000010ac801019c40005000000001000000005002020000000000",
    "hex",
  ),
);

const LOOP = `
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
const LOOP_INSTRUCTIONS = 2 + 8 * 1000 + 1;

export function interpreterSuite(): Suite {
  const object = readObject(readFileSync(packageFile("dataplane", "xdp", "balancer.bpf.o")));
  const machine = new Machine(object.maps);
  for (const spec of object.maps) {
    if (spec.inner === undefined) continue;
    const inner = machine.createMap({ ...spec.inner, name: `${spec.name}[0]` });
    machine.map(spec.name).updateValue(u32Bytes(0), u32Bytes(inner.id));
  }
  const { xdp } = machine.cpu(0);
  const runPacket = (engine: ReturnType<typeof interpreter>): (() => void) => {
    const balance = engine.prepare(linkObject(machine, object).get("balance")!, machine);
    return () => {
      xdp.load(FRAME, { ingressIfindex: 1, rxQueueIndex: 0 });
      balance.run(xdp.contextAddress, XDP_MD_SIZE_BYTES, 0);
    };
  };
  let steps = 0;
  runPacket(interpreter({ trace: () => steps++ }))();

  const loop = { name: "loop", section: "xdp", references: [], functions: [], lines: [] };
  const arithmetic = linkProgram(machine, { ...loop, instructions: assemble(LOOP) });
  const prepared = interpreter().prepare(arithmetic, machine);
  return {
    name: "interpret",
    goal: "goal: 20,000 packets/s",
    tasks: [
      {
        name: `a packet for no VIP, ${steps} instructions`,
        run: runPacket(interpreter()),
        amount: { count: 1, unit: "packet" },
      },
      {
        name: "a loop of arithmetic",
        run: () => prepared.run(0, 0, 0),
        amount: { count: LOOP_INSTRUCTIONS, unit: "instruction" },
      },
    ],
  };
}
