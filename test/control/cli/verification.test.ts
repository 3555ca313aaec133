/** That a difference between two engines is found, whatever it is, and said to be where it is: with engines that are wrong on purpose. */
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { FrameResult, ProgrammedDataplane } from "../../../control/cli/programmed-dataplane.ts";
import { openProgrammedSimulator, type ProgrammedSimulator } from "../../../control/cli/replay-simulator.ts";
import { openReference, type TimedFrame, Verification } from "../../../control/cli/verification.ts";
import type { Config } from "../../../control/model/config.ts";
import { readConfig } from "../../../control/model/config-file.ts";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import type { ObjectSpec } from "../../../dataplane/object/spec.ts";
import { balancerObject } from "../../model/program.ts";
import { ROOT } from "./built-cli.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const fixture = (name: string, file: string): string => join(ROOT, "pcap-fixtures", name, file);
const CONFIG: Config = readConfig(fixture("tcp-connection", "config.yaml"));

async function framesOf(name: string): Promise<TimedFrame[]> {
  const { packets } = await decodeCapture(fixture(name, "in.pcapng"));
  return packets.map(({ bytes, timeNs }) => ({ frame: bytes, timeNs: timeNs! }));
}

/** An interpreter like the reference's, but for what `distort` does to it. */
class Distorted implements ProgrammedDataplane {
  readonly engine = "kernel";
  readonly #simulator: ProgrammedSimulator;
  readonly #distort: Distortion;
  #packets = 0;

  constructor(simulator: ProgrammedSimulator, distort: Distortion) {
    this.#simulator = simulator;
    this.#distort = distort;
  }

  get dataplane() {
    return this.#simulator.dataplane;
  }
  get names() {
    return this.#simulator.names;
  }
  get nic() {
    return this.#simulator.nic;
  }
  whyNotRun() {
    return undefined;
  }
  process(frame: Uint8Array, timestampNs: bigint): FrameResult {
    const result = this.#simulator.process(frame, timestampNs);
    return this.#distort({ result, simulator: this.#simulator, time: timestampNs, run: this.#packets++ });
  }
  async apply(config: Config): Promise<void> {
    await this.#simulator.apply(config);
  }
  async close(): Promise<void> {
    await this.#simulator.close();
  }
}

type Distortion = (run: {
  readonly result: FrameResult;
  readonly simulator: ProgrammedSimulator;
  readonly time: bigint;
  /** Counts runs from 0, also those that are run again. */
  readonly run: number;
}) => FrameResult;

async function verificationOf(
  config: Config,
  distort: Distortion,
  { object = balancerObject(), otherConfig = config }: { object?: ObjectSpec; otherConfig?: Config } = {},
): Promise<Verification> {
  const reference = await openReference(config, balancerObject(), { queue: 0, cpuCount: 1 });
  const other = new Distorted(
    await openProgrammedSimulator(otherConfig, object, { queues: 1, onlyQueue: 0 }),
    distort,
  );
  opened.push(reference.programmed, other);
  return new Verification(reference, [other], balancerObject());
}

const honest: Distortion = ({ result }) => result;

test("engines that are alike have no difference, before, between and after", async () => {
  const verification = await verificationOf(CONFIG, honest);
  const frames = await framesOf("tcp-connection");
  expect(verification.compareAllMaps()).toBeUndefined();
  for (const frame of frames) expect(verification.check([frame])).toBeUndefined();
  expect(verification.check(frames)).toBeUndefined();
  expect(verification.compareAllMaps()).toBeUndefined();
});

describe("the first packet that differs is found", () => {
  const FRAMES = 12;
  /** Distinct times, so that a distortion knows its packet also when it is run again. */
  async function frames(): Promise<TimedFrame[]> {
    const some = await framesOf("tcp-connection");
    return Array.from({ length: FRAMES }, (_, i) => ({
      frame: some[i % some.length]!.frame,
      timeNs: BigInt(1000 + i) * 1_000_000_000n,
    }));
  }
  const at = (index: number): bigint => BigInt(1000 + index) * 1_000_000_000n;

  test.for([0, 1, 5, FRAMES - 1])("by verdict, packet %i", async (index) => {
    const verification = await verificationOf(CONFIG, ({ result: { code, queue, frame }, time }) => ({
      code: time === at(index) ? 1 : code,
      queue,
      frame,
    }));
    const difference = verification.check(await frames());
    expect(difference).toMatchObject({ index, engine: "kernel", found: { code: 1 }, elements: [] });
    expect(difference!.expected.code).toBe(3);
  });

  test.for([0, 5, FRAMES - 1])("by a byte, packet %i", async (index) => {
    const verification = await verificationOf(CONFIG, ({ result: { code, queue, frame }, time }) => ({
      code,
      queue,
      frame: time === at(index) ? frame.map((byte, i) => (i === 22 ? byte ^ 1 : byte)) : frame,
    }));
    const difference = verification.check(await frames());
    expect(difference).toMatchObject({ index, elements: [] });
    expect(difference!.found.frame[22]! ^ difference!.expected.frame[22]!).toBe(1);
  });

  // Each element in its own map, also ones that no packet of these touches: those are found by comparing whole maps.
  test.for([
    { map: "reason_counters", element: 0, offset: 8 * 27 },
    { map: "vip_counters", element: 3, offset: 8 },
    { map: "backend_counters", element: 2, offset: 0 },
    { map: "flows_ipv4", element: 4711, offset: 12 },
    { map: "flows_ipv6", element: 4711, offset: 60 },
    { map: "fragments", element: 1000, offset: 0 },
    { map: "cpu_states", element: 0, offset: 8 },
  ])("by a value of $map", async ({ map, element, offset }) => {
    for (const index of [0, 1, 7, FRAMES - 1]) {
      const verification = await verificationOf(CONFIG, ({ result, simulator, time }) => {
        if (time !== at(index)) return result;
        const outer = simulator.dataplane.map(map);
        const target = map.startsWith("f") ? outer.inner(0) : outer;
        target.store32(element, offset, 0x01020304);
        return result;
      });
      const difference = verification.check(await frames());
      const name = map.startsWith("f") ? `${map}[0]` : map;
      expect(difference).toMatchObject({ index, elements: [{ map: name, index: element }] });
      const { expected, found } = difference!.elements[0]!;
      expect([...found.subarray(offset, offset + 4)]).toEqual([4, 3, 2, 1]);
      expect([...expected.subarray(offset, offset + 4)]).not.toEqual([4, 3, 2, 1]);
    }
  });

  test("and after it others, each from maps that are alike again", async () => {
    const wrong = [2, 3, 9];
    const verification = await verificationOf(CONFIG, ({ result, simulator, time }) => {
      const isWrong = wrong.some((index) => time === at(index));
      if (isWrong) simulator.dataplane.map("backend_counters").store32(1, 0, 77);
      return result;
    });
    let left = await frames();
    const found: number[] = [];
    for (let done = 0; left.length > 0; ) {
      const difference = verification.check(left);
      if (difference === undefined) break;
      found.push(done + difference.index);
      done += difference.index + 1;
      left = left.slice(difference.index + 1);
    }
    expect(found).toEqual(wrong);
  });

  test("and one that does not come again is said not to have", async () => {
    const verification = await verificationOf(CONFIG, ({ result: { code, queue, frame }, run }) => ({
      code: run === 5 ? 1 : code,
      queue,
      frame,
    }));
    const difference = verification.check(await frames());
    expect(difference).toMatchObject({ index: 5, elements: [] });
    expect(difference!.found.code).toBe(difference!.expected.code);
  });
});

test("an option of .rodata that differs shows at the first packet that it is about", async () => {
  const config = readConfig(fixture("edge-mix", "config.yaml"));
  const otherConfig: Config = { ...config, settings: { ...config.settings, echoReply: "off" } };
  const verification = await verificationOf(config, honest, { otherConfig });
  expect(verification.compareAllMaps()).toBeUndefined();
  const frames = (await framesOf("edge-mix")).slice(0, 2000);
  const difference = verification.check(frames)!;
  const { expected, found, elements } = difference;
  expect([expected.code, found.code]).toEqual([3, 2]);
  expect(elements.map(({ map }) => map)).toEqual(["reason_counters"]);
  // ICMP echo request, RFC 792, or of IPv6, RFC 4443.
  const { frame } = frames[difference.index]!;
  expect([frame[23], frame[34]].join() === "1,8" || [frame[20], frame[54]].join() === "58,128").toBe(true);
});

test("a setting that differs shows before the first packet", async () => {
  const otherConfig: Config = { ...CONFIG, settings: { ...CONFIG.settings, udpIdleSeconds: 31 } };
  const verification = await verificationOf(CONFIG, honest, { otherConfig });
  expect(verification.compareAllMaps()).toMatchObject({
    engine: "kernel",
    elements: [{ map: "settings", index: 0 }],
  });
});

test("one instruction that differs shows at the first packet that comes by it", async () => {
  const object = balancerObject();
  const [program] = object.programs;
  const { instructions } = program!;
  // Every fourth that adds, masks or shifts by a constant: by another one.
  const slots = instructions
    .flatMap(({ opcode }, slot) => ([0x07, 0x57, 0x67].includes(opcode) ? [slot] : []))
    .filter((_, i) => i % 4 === 0);
  const config = readConfig(fixture("tcp-connection", "config.yaml"));
  const frames = await framesOf("tcp-connection");
  let found = 0;
  for (const slot of slots) {
    const change = { ...instructions[slot]!, imm: instructions[slot]!.imm ^ 1 };
    const changed = { ...object, programs: [{ ...program!, instructions: instructions.with(slot, change) }] };
    const verification = await verificationOf(config, honest, { object: changed });
    const difference = verification.check(frames);
    if (difference === undefined) continue;
    found++;
    // Nothing before it differs: without it the frames are alike.
    const again = await verificationOf(config, honest, { object: changed });
    expect(again.check(frames.slice(0, difference.index))).toBeUndefined();
    expect(again.check([frames[difference.index]!])).toMatchObject({ index: 0 });
  }
  expect(found).toBeGreaterThan(2);
});

test("the trace goes through the program's lines, with registers and stores", async () => {
  const verification = await verificationOf(CONFIG, ({ result: { queue, frame } }) => ({
    code: 0,
    queue,
    frame,
  }));
  const { trace } = verification.check((await framesOf("tcp-connection")).slice(0, 1))!;
  expect(trace.length).toBeGreaterThan(20);
  expect(new Set(trace.map(({ file }) => file))).toContain("balancer.bpf.c");
  expect(new Set(trace.map(({ file }) => file))).toContain("flow_table.h");
  const stores = trace.flatMap((step) => step.stores);
  for (const place of ["reason_counters[0]", "frame[0..4)"]) expect(stores.join()).toContain(place);
  expect(stores.some((place) => /^flows_ipv4\[0\]\[\d+\]$/.test(place))).toBe(true);
  const written = trace.find(({ stores: [first] }) => first?.startsWith("flows_ipv4"));
  expect(written!.text).toMatch(/flow|owner|seen/);
  expect(trace.some(({ registers }) => registers.some(({ name }) => name === "r0"))).toBe(true);
});
