/** An object that clang made of somebody else's program (objects/sources.c) runs as its source says. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { findVariable, writeVariable } from "../../../dataplane/object/variables.ts";
import { linkObject } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { u32Bytes } from "../../../dataplane/vm/maps/map-access.ts";
import type { PerfEventArray } from "../../../dataplane/vm/maps/perf-event-array.ts";
import type { Ringbuf } from "../../../dataplane/vm/maps/ringbuf.ts";
import { XDP_MD_SIZE_BYTES } from "../../../dataplane/vm/xdp-buffer.ts";
import { ENGINES } from "./engines.ts";

const object = readObject(readFileSync(new URL("objects/sources.bpf.o", import.meta.url)));
const DROP = 1n;
const PASS = 2n;

describe.for(ENGINES)("$name", (engine) => {
  function load(limit?: number) {
    const printed: string[] = [];
    const specs = object.maps.map((spec) => {
      if (limit === undefined || spec.name !== ".rodata") return spec;
      const contents = spec.contents!.slice();
      writeVariable(contents, findVariable(object, "limit"), limit);
      return { ...spec, contents };
    });
    const machine = new Machine(specs, { cpuCount: 2, tracePrintk: (text) => printed.push(text) });
    const perf = machine.map("samples") as PerfEventArray;
    perf.openAll();
    const program = engine.prepare(linkObject(machine, object).get("count_sources")!, machine);
    const process = (frame: Uint8Array, cpu = 0): bigint => {
      const { xdp } = machine.cpu(cpu);
      xdp.load(frame, { ingressIfindex: 1, rxQueueIndex: cpu });
      return program.run(xdp.contextAddress, XDP_MD_SIZE_BYTES, cpu);
    };
    return { machine, perf, printed, process };
  }

  test("sources over the limit are dropped, by a tail call", () => {
    const { process, printed, machine, perf } = load();
    const verdicts = [1, 2, 1, 1, 1, 2].map((source) => process(ipv4(source)));
    expect(verdicts).toEqual([PASS, PASS, PASS, DROP, DROP, PASS]);
    expect(printed).toEqual(["dropped 42 bytes", "dropped 42 bytes"]);
    expect(countersOf(machine, 0)).toEqual([4n, 2n]);

    const samples: number[][] = [];
    perf.consume(0, (sample) => samples.push([...sample.subarray(0, 18)]));
    expect(samples).toEqual(new Array(2).fill([42, 0, 0, 0, ...ipv4(1).subarray(0, 14)]));
  });

  test("the limit is a constant of the object that the loader sets", () => {
    const { process } = load(1);
    expect([1, 1].map((source) => process(ipv4(source)))).toEqual([PASS, DROP]);
  });

  test("every new source is told of, with the sum that a callback makes and the time", () => {
    const { process, machine } = load();
    machine.clock.monotonicNs = 123_456_789_012n;
    for (const source of [1, 1, 2]) process(ipv4(source));
    const events: { address: number; sum: number; timeNs: bigint }[] = [];
    (machine.map("events") as Ringbuf).consume((record) => {
      const view = new DataView(record.buffer, record.byteOffset, record.length);
      events.push({
        address: view.getUint32(0),
        sum: view.getUint32(4, true),
        timeNs: view.getBigUint64(8, true),
      });
    });
    // The payload is 1 to 8.
    expect(events).toEqual([
      { address: 0x0a000001, sum: 36, timeNs: 123_456_789_012n },
      { address: 0x0a000002, sum: 36, timeNs: 123_456_789_012n },
    ]);
  });

  test("per-CPU values, globals and hash maps count", () => {
    const { process, machine } = load(100);
    process(ipv4(1), 0);
    process(ipv4(1), 1);
    process(ipv4(1), 1);
    process(new Uint8Array(20), 1);
    expect(countersOf(machine, 0)).toEqual([1n, 0n]);
    expect(countersOf(machine, 1)).toEqual([2n, 0n]);
    const seen = machine.map(".bss").lookupValue(u32Bytes(0))!;
    expect(
      new DataView(seen.buffer).getBigUint64(findVariable(object, "packets_seen").offsetBytes, true),
    ).toBe(4n);
    const source = machine.map("sources").lookupValue(Uint8Array.of(10, 0, 0, 1))!;
    expect(new DataView(source.buffer).getBigUint64(0, true)).toBe(3n);
  });

  test("a ring buffer that is full makes the program say so", () => {
    const { process } = load();
    const verdicts = Array.from({ length: 300 }, (_, source) => process(ipv4(source + 1)));
    // 4096 bytes hold 170 records of 16 bytes and their headers.
    expect(verdicts.indexOf(0n)).toBe(170);
  });
});

/** 42 bytes: Ethernet, IPv4 from 10.0.0.`source`, 8 bytes of payload. */
function ipv4(source: number): Uint8Array {
  const frame = new Uint8Array(42);
  frame.set([8, 0, 0x45], 12);
  new DataView(frame.buffer).setUint32(26, 0x0a000000 + source);
  frame.set([1, 2, 3, 4, 5, 6, 7, 8], 34);
  return frame;
}

function countersOf(machine: Machine, cpu: number): bigint[] {
  return [0, 1].map((verdict) => {
    const values = machine.map("verdicts").lookupValue(u32Bytes(verdict))!;
    return new DataView(values.buffer).getBigUint64(8 * cpu, true);
  });
}
