import { beforeEach, describe, expect, test } from "vitest";
import type { Nic } from "../../dataplane/nic/nic.ts";
import { RecordingWire } from "../../dataplane/nic/wire.ts";
import { readObject } from "../../dataplane/object/read-object.ts";
import type { MapSpec, ObjectSpec } from "../../dataplane/object/spec.ts";
import { openSimulator, type Simulator } from "../../dataplane/simulator.ts";
import type { Engine } from "../../dataplane/vm/engine.ts";
import { interpreter } from "../../dataplane/vm/interpreter.ts";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_PROG_ARRAY,
} from "../../dataplane/vm/maps/map-type.ts";
import {
  backend,
  Family,
  flowIpv4Line,
  Reason,
  reasonBlock,
  ring,
  settings,
  traffic,
  vip,
  vipBucket,
} from "../../dataplane/xdp/generated/balancer.ts";
import { programSpec, tcpFrame } from "./nic/harness.ts";
import { objectBytes } from "./object/test-objects.ts";
import { CPU_COUNT, describePort, smallRequest, withEntries, withOption } from "./port-contract.ts";
import { mapSpec } from "./vm/maps/harness.ts";

describePort("the simulator", openSimulator);

const CLOCK = { programClock: { variable: "clock_ticks", ticksPerSecond: 1000 } };
const VIP_ID = 2;
const BACKEND_ID = 3;
const RING_ID = 1;
const FLOW_VIP = 9;
const GATEWAY = [0, 0, 0xde, 0xad, 0xbe, 0xaf];
const BACKEND_ADDRESS = [10, 0, 0, 7];
const VIP_ADDRESS = [10, 200, 1, 1];

describe("a VIP programmed by hand", () => {
  let simulator: Simulator;
  let nic: Nic;
  let wire: RecordingWire;

  beforeEach(async () => {
    simulator = await openSimulator(withOption(smallRequest(), "option_external_clock", true), CLOCK);
    programVip(simulator);
    wire = new RecordingWire();
    nic = simulator.createNic({ interfaces: [{ ifindex: 1, wire }] });
  });

  test("forwards a TCP packet to its backend in an outer IPv4 header", () => {
    const frame = tcpFrame(2, 300);
    const outcome = nic.process(frame, 5_000_000_000n);

    expect(outcome).toMatchObject({ action: "tx", fault: undefined, egressIfindex: 1 });
    const sent = wire.frames[0]!.bytes;
    expect(sent.length).toBe(frame.length + 20);
    expect([...sent.subarray(0, 6)]).toEqual(GATEWAY);
    expect([...sent.subarray(12, 14)]).toEqual([0x08, 0x00]);
    const outer = sent.subarray(14, 34);
    expect(outer[0]).toBe(0x45);
    expect(outer[9]).toBe(4);
    expect([...outer.subarray(12, 14)]).toEqual([172, 16]);
    expect([...outer.subarray(16)]).toEqual(BACKEND_ADDRESS);
    expect((outer[2]! << 8) | outer[3]!).toBe(20 + 46);
    expect(onesComplementSum(outer)).toBe(0xffff);
    expect(sent.subarray(34)).toEqual(frame.subarray(14));
  });

  test("counts it on its queue's CPU: its reason, its VIP, its backend", () => {
    const frame = tcpFrame(2, 300);
    const { queue } = nic.process(frame, 0n);
    const reasons = reasonBlock.read(simulator.map("reason_counters").read(queue)).packets;
    expect(reasons.map(Number)).toEqual(
      Array.from({ length: 64 }, (_, reason) => (reason === Reason.REASON_FLOW_NEW ? 1 : 0)),
    );
    const vipCounter = simulator.map("vip_counters").read(queue * 8 + VIP_ID);
    expect(traffic.read(vipCounter)).toEqual({ packets: 1n, bytes: BigInt(frame.length) });
    const backendCounter = simulator.map("backend_counters").read(queue * 12 + BACKEND_ID);
    expect(traffic.read(backendCounter)).toEqual({ packets: 1n, bytes: BigInt(frame.length) });
  });

  test("remembers the flow in its CPU's table, at the frame's time", () => {
    const { queue } = nic.process(tcpFrame(2, 300), 7_000_000_000n);
    const flows = flowsOf(simulator, queue);
    expect(flows).toHaveLength(1);
    expect(flows[0]).toMatchObject({ source: 0x0a00012c, flowVip: FLOW_VIP, backend: BACKEND_ID });
    expect(flows[0]!.seen >>> 2).toBe(7000);
    expect(flowsOf(simulator, 1 - queue)).toEqual([]);

    nic.process(tcpFrame(2, 300), 7_001_999_999n);
    expect(flowsOf(simulator, queue)[0]!.seen >>> 2).toBe(7001);
    const reasons = reasonBlock.read(simulator.map("reason_counters").read(queue)).packets;
    expect(reasons[Reason.REASON_FLOW_HIT]).toBe(1n);
  });

  test("leaves alone what is for nobody, until a replaced program drops it", async () => {
    const stranger = tcpFrame(2, 300);
    stranger[33] = 99;
    stranger[14] = 0x44;
    expect(nic.process(stranger, 0n).action).toBe("pass");

    const request = withOption(smallRequest(), "option_external_clock", true);
    await simulator.replaceProgram(withOption(request, "option_scope_all", true));
    expect(nic.process(stranger, 0n).action).toBe("drop");
    expect(simulator.createNic().process(stranger, 0n).action).toBe("drop");
    expect(nic.process(tcpFrame(2, 300), 0n).action).toBe("tx");
    expect(simulator.map(".rodata").read(0)[0]).toBe(1);

    await simulator.replaceProgram(request);
    expect(nic.process(stranger, 0n).action).toBe("pass");
    expect(simulator.createNic().process(stranger, 0n).action).toBe("pass");
  });

  test("spreads flows over the queues, and the same frames give the same bytes on one queue", async () => {
    const one = await openSimulator(withOption(smallRequest(), "option_external_clock", true), CLOCK);
    programVip(one);
    const oneNic = one.createNic({ queueCount: 1 });
    const queues = new Set<number>();
    for (let flow = 0; flow < 500; flow++) {
      const outcome = nic.process(tcpFrame(2, flow), BigInt(flow));
      queues.add(outcome.queue);
      expect(outcome.frame).toEqual(oneNic.process(tcpFrame(2, flow), BigInt(flow)).frame);
    }
    expect(queues.size).toBe(CPU_COUNT);
  });

  test("works on memory that threads can share", async () => {
    const shared = await openSimulator(withOption(smallRequest(), "option_external_clock", true), {
      ...CLOCK,
      machine: { memory: { shared: true, maximumBytes: 64 * 1024 * 1024 } },
    });
    programVip(shared);
    expect(shared.machine.memory.u8.buffer).toBeInstanceOf(SharedArrayBuffer);
    const sent = shared.createNic().process(tcpFrame(2, 300), 1n);
    expect([...sent.frame]).toEqual([...nic.process(tcpFrame(2, 300), 1n).frame]);
    expect(flowsOf(shared, sent.queue)).toHaveLength(1);
  });

  test("shows the program's read-only variables and lets nobody change them", () => {
    const rodata = simulator.map(".rodata");
    expect(() => rodata.write(0, rodata.read(0))).toThrow(expect.objectContaining({ code: "io" }));
    expect(() => rodata.store32(0, 0, 1)).toThrow(expect.objectContaining({ code: "io" }));
  });

  test("after close its NICs pass everything to the host", async () => {
    expect(nic.process(tcpFrame(2, 300), 0n).action).toBe("tx");
    await simulator.close();
    expect(nic.process(tcpFrame(2, 300), 0n).action).toBe("pass");
  });
});

describe("clocks", () => {
  test("are set to a frame's time before the program runs", async () => {
    const simulator = await openSimulator(smallRequest(), CLOCK);
    simulator.createNic().process(new Uint8Array(60), 1_234_567_890n);
    expect(simulator.machine.clock.monotonicNs).toBe(1_234_567_890n);
    expect(clockTicks(simulator)).toBe(1234n);
  });

  test("can be set by hand", async () => {
    const simulator = await openSimulator(smallRequest(), CLOCK);
    simulator.setClockTicks(0xffff_ffff_ffff_fff0n);
    expect(clockTicks(simulator)).toBe(0xffff_ffff_ffff_fff0n);
    expect(simulator.machine.clock.monotonicNs).toBe(0n);
    simulator.setTime(2_000_000_000n);
    expect(clockTicks(simulator)).toBe(2000n);
  });

  test("of the program are nobody's when none was named", async () => {
    const simulator = await openSimulator(smallRequest());
    simulator.setTime(2_000_000_000n);
    expect(clockTicks(simulator)).toBe(0n);
    expect(() => simulator.setClockTicks(1n)).toThrow(/programClock/);
  });

  test.for(["option_flow_seed", "nothing"])("cannot be the variable %s", async (variable) => {
    const inputs = { programClock: { variable, ticksPerSecond: 1000 } };
    await expect(openSimulator(smallRequest(), inputs)).rejects.toThrow(variable);
  });
});

describe("any object", () => {
  const TARGETS: MapSpec = mapSpec({
    type: BPF_MAP_TYPE_PROG_ARRAY,
    name: "targets",
    valueSizeBytes: 4,
    maxEntries: 2,
    values: new Map([[1, "called"]]),
  });

  function objectOf(maps: readonly MapSpec[], programs: ObjectSpec["programs"]): ObjectSpec {
    return { image: new Uint8Array(0), isLittleEndian: true, license: "", programs, maps, btf: undefined };
  }

  const request = (object: ObjectSpec, program: string): Parameters<typeof openSimulator>[0] => ({
    object,
    program,
    cpuCount: 1,
    options: new Map(),
    maxEntries: new Map(),
  });

  test("runs with the programs that it tail-calls, also after it was replaced", async () => {
    const main = {
      ...programSpec("r2 = 0 ll\nr3 = 1\ncall 12\nr0 = 0\nexit", [[0, "targets"]]),
      name: "main",
    };
    const called = (code: number): ObjectSpec["programs"][number] => ({
      ...programSpec(`r0 = ${code}\nexit`),
      name: "called",
    });
    // Cannot be linked, and need not be.
    const stranger = {
      ...programSpec("r1 = 0 ll\nexit"),
      name: "stranger",
      references: [{ kind: "extern", slot: 0, symbol: "unknown", isWeak: false } as const],
    };
    const simulator = await openSimulator(request(objectOf([TARGETS], [main, called(1), stranger]), "main"));
    const nic = simulator.createNic();
    expect(nic.process(new Uint8Array(60), 0n).action).toBe("drop");
    await simulator.replaceProgram(request(objectOf([TARGETS], [main, called(2), stranger]), "main"));
    expect(nic.process(new Uint8Array(60), 0n).action).toBe("pass");
    await expect(
      openSimulator(request(objectOf([TARGETS], [main, called(1), stranger]), "stranger")),
    ).rejects.toThrow(/unknown/);
  });

  test("keeps a map of maps as its definition has it, unless the request gives its inner maps a size", async () => {
    const inner = mapSpec({ type: BPF_MAP_TYPE_ARRAY, name: "inner", maxEntries: 3 });
    const outer = mapSpec({
      type: BPF_MAP_TYPE_ARRAY_OF_MAPS,
      name: "outer",
      valueSizeBytes: 4,
      maxEntries: 7,
      inner,
    });
    const one = { ...inner, name: "one" };
    const object = objectOf(
      [one, { ...outer, values: new Map([[5, "one"]]) }],
      [{ ...programSpec("r0 = 1\nexit"), name: "main" }],
    );
    const asDefined = await openSimulator(request(object, "main"));
    expect(asDefined.map("outer").maxEntries).toBe(7);
    expect(asDefined.map("outer").inner(5).maxEntries).toBe(3);
    expect(() => asDefined.map("outer").inner(0)).toThrow(expect.objectContaining({ code: "no-such-map" }));

    const perCpu = objectOf([outer], object.programs);
    const sized = await openSimulator({ ...withEntries(request(perCpu, "main"), "outer", 11), cpuCount: 3 });
    expect(sized.map("outer").maxEntries).toBe(3);
    expect([0, 1, 2].map((cpu) => sized.map("outer").inner(cpu).maxEntries)).toEqual([11, 11, 11]);
  });

  test.for([
    { map: "large", message: /out of VM memory: 8589934592 bytes/ },
    { map: "largest", message: /out of VM memory: 34359738360 bytes/ },
    { map: "wide", message: /flags 0x80000000/ },
  ])("is refused with map $map, which cannot be made", async ({ map, message }) => {
    const maps = readObject(objectBytes("large-maps")).maps.filter(({ name }) => name === map);
    const object = objectOf(maps, [{ ...programSpec("r0 = 1\nexit"), name: "main" }]);
    const refusal = { name: "MapError", code: "bad-definition", message: expect.stringMatching(message) };
    await expect(openSimulator(request(object, "main"))).rejects.toThrow(expect.objectContaining(refusal));
  });

  test("has maps the port does not speak of, which the machine does", async () => {
    const object = objectOf(
      [mapSpec({ type: BPF_MAP_TYPE_HASH, name: "hash" })],
      [{ ...programSpec("r0 = 1\nexit"), name: "main" }],
    );
    const simulator = await openSimulator(request(object, "main"));
    expect(() => simulator.map("hash")).toThrow(expect.objectContaining({ code: "wrong-type" }));
    expect(simulator.machine.map("hash").spec.type).toBe(BPF_MAP_TYPE_HASH);
  });

  test("runs on the engine that is handed in, and forgets what was replaced", async () => {
    const reference = interpreter();
    let preparedCount = 0;
    const engine: Engine = {
      name: "counting",
      prepare(program, machine) {
        preparedCount++;
        return reference.prepare(program, machine);
      },
    };
    const simulator = await openSimulator(smallRequest(), { engine });
    await simulator.replaceProgram(smallRequest());
    expect(preparedCount).toBe(2);
    // The replaced program is forgotten, so that a PROG_ARRAY cannot call it any more.
    expect([1, 2].map((id) => simulator.machine.programById(id)?.spec.name)).toEqual([undefined, "balance"]);
  });
});

/** One VIP, tcp 10.200.1.1:80, with one backend, 10.0.0.7, that owns every slot of its ring. */
function programVip(simulator: Simulator): void {
  const outer = new Uint8Array(40);
  outer.set([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0, 172, 16, 0, 0, ...BACKEND_ADDRESS]);
  let templateSum = 0;
  for (let i = 0; i < 20; i += 2) templateSum += outer[i]! | (outer[i + 1]! << 8);
  const backendBytes = new Uint8Array(backend.sizeBytes);
  backend.write(backendBytes, { outer, templateSum, family: Family.FAMILY_IPV4, flags: 0 });
  simulator.map("backends").write(BACKEND_ID, backendBytes);

  simulator.map("rings").withView(RING_ID, 1, (bytes) => {
    new Uint32Array(bytes.buffer, bytes.byteOffset, ring.sizeBytes / 4).fill(BACKEND_ID | (BACKEND_ID << 16));
  });

  const address = new Uint8Array(16);
  address.set(VIP_ADDRESS);
  const vipBytes = new Uint8Array(vip.sizeBytes);
  vip.write(vipBytes, {
    address,
    port: 80,
    protocol: 6,
    family: Family.FAMILY_IPV4,
    flags: 0,
    portsMask: 0xffff_ffff,
    ring: RING_ID,
    flowVip: FLOW_VIP,
  });
  simulator.map("vips").write(VIP_ID, vipBytes);

  const seed = 77;
  const hash = vipHash(seed, address, { port: 80, protocol: 6 });
  const bucketBytes = new Uint8Array(vipBucket.sizeBytes);
  vipBucket.write(bucketBytes, { fingerprint: [hash, 0, 0, 0], vip: [VIP_ID, 0, 0, 0] });
  const secondCopy = 16;
  simulator.map("vip_buckets").write(secondCopy + (hash & 15), bucketBytes);

  const settingsBytes = new Uint8Array(settings.sizeBytes);
  settings.write(settingsBytes, {
    gatewayMac: Uint8Array.from(GATEWAY),
    maxFrameBytes: 1514,
    vipTable: 0n,
    interfaceTable: 0n,
    mtu: 1500,
    newFlowsPerSecond: 0,
    udpIdleTicks: 30_000,
  });
  simulator.map("settings").write(0, settingsBytes);
  simulator.map("settings").store64(0, settings.offsets.vipTable, (BigInt(seed) << 32n) | BigInt(secondCopy));
}

/** vip_hash of dataplane/xdp/vip.h, for an IPv4 address. */
function vipHash(seed: number, address: Uint8Array, key: { port: number; protocol: number }): number {
  const word = new DataView(address.buffer).getUint32(0, true);
  const portAsLoaded = ((key.port & 0xff) << 8) | (key.port >> 8);
  let hash = Math.imul(seed ^ word, 0x9e3779b1);
  hash ^= hash >>> 15;
  hash = Math.imul(hash ^ (portAsLoaded | (key.protocol << 16) | (Family.FAMILY_IPV4 << 24)), 0x85ebca77);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae3d);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function flowsOf(simulator: Simulator, cpu: number): ReturnType<typeof flowIpv4Line.read>["entries"] {
  const table = simulator.map("flows_ipv4").inner(cpu);
  return Array.from({ length: table.maxEntries }, (_, line) => flowIpv4Line.read(table.read(line)).entries)
    .flat()
    .filter(({ flowVip }) => flowVip !== 0);
}

function clockTicks(simulator: Simulator): bigint {
  const data = simulator.map(".data").read(0);
  return new DataView(data.buffer).getBigUint64(0, true);
}

function onesComplementSum(header: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < header.length; i += 2) sum += (header[i]! << 8) | header[i + 1]!;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
