import { describe, expect, test } from "vitest";
import type { MapSpec } from "../../../../dataplane/object/spec.ts";
import { Machine } from "../../../../dataplane/vm/machine.ts";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  BPF_MAP_TYPE_RINGBUF,
} from "../../../../dataplane/vm/maps/map-type.ts";
import type { PerfEventArray } from "../../../../dataplane/vm/maps/perf-event-array.ts";
import type { Ringbuf } from "../../../../dataplane/vm/maps/ringbuf.ts";
import { ENGINES } from "../engines.ts";
import { faultOf, run } from "../run.ts";

const PERF: MapSpec = {
  name: "samples",
  type: BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  keySizeBytes: 4,
  valueSizeBytes: 4,
  maxEntries: 2,
  flags: 0,
  isReadonly: false,
};
const RING: MapSpec = {
  ...PERF,
  name: "events",
  type: BPF_MAP_TYPE_RINGBUF,
  keySizeBytes: 0,
  valueSizeBytes: 0,
  maxEntries: 4096,
};

const bytesOf = (samples: Uint8Array[]): number[][] => samples.map((sample) => [...sample]);

describe.for(ENGINES)("$name", (engine) => {
  describe("perf_event_output", () => {
    const output = (flags: string): string => `
      *(u64 *)(r10 - 8) = 0x44332211
      r2 = map_by_fd(1)
      r3 = ${flags} ll
      r4 = r10
      r4 += -8
      r5 = 4
      call 25
      exit`;

    function opened(): { machine: Machine; perf: PerfEventArray; samples: Uint8Array[] } {
      const machine = new Machine([PERF], { cpuCount: 2 });
      const perf = machine.map("samples") as PerfEventArray;
      perf.openAll();
      return { machine, perf, samples: [] };
    }

    test("a sample is the data and then the packet's first bytes", () => {
      const { machine, perf, samples } = opened();
      expect(run(engine, machine, output("0x3ffffffff"), { cpu: 1 })).toBe(0n);
      perf.consume(1, (sample) => samples.push(sample.slice()));
      expect(bytesOf(samples)).toEqual([[0x11, 0x22, 0x33, 0x44, 0, 1, 2, 0, 0, 0, 0, 0]]);
    });

    test.for([
      { name: "an event of another CPU", flags: "1", result: -95n },
      { name: "an event that is not there", flags: "2", result: -7n },
      { name: "more of the packet than there is", flags: "0x3d00000000", result: -14n },
      { name: "an unknown flag", flags: "0x10000000000000", result: -22n },
    ])("$name is refused", ({ flags, result }) => {
      const { machine } = opened();
      expect(BigInt.asIntN(64, run(engine, machine, output(flags)))).toBe(result);
    });

    test("an event nobody opened is not there", () => {
      const machine = new Machine([PERF]);
      expect(BigInt.asIntN(64, run(engine, machine, output("0xffffffff")))).toBe(-2n);
    });
  });

  describe("the ring buffer", () => {
    const read = (machine: Machine): number[][] => {
      const records: Uint8Array[] = [];
      (machine.map("events") as Ringbuf).consume((record) => records.push(record.slice()));
      return bytesOf(records);
    };

    test("output copies", () => {
      const machine = new Machine([RING]);
      const source = `
        *(u64 *)(r10 - 8) = 0x44332211
        r1 = map_by_fd(1)
        r2 = r10
        r2 += -8
        r3 = 5
        r4 = 0
        call 130
        exit`;
      expect(run(engine, machine, source)).toBe(0n);
      expect(read(machine)).toEqual([[0x11, 0x22, 0x33, 0x44, 0]]);
    });

    test("what is discarded is never seen, what is submitted is", () => {
      const machine = new Machine([RING]);
      const record = (value: number, end: number): string => `
        r1 = map_by_fd(1)
        r2 = 8
        r3 = 0
        call 131
        *(u64 *)(r0 + 0) = ${value}
        r1 = r0
        r2 = 0
        call ${end}`;
      run(engine, machine, `${record(1, 133)}\n${record(2, 132)}\nr0 = 0\nexit`);
      expect(read(machine)).toEqual([[2, 0, 0, 0, 0, 0, 0, 0]]);
    });

    test("a size beyond 32 bits and unknown flags reserve nothing", () => {
      const reserve = (size: string, flags: string): string =>
        `r1 = map_by_fd(1)\nr2 = ${size} ll\nr3 = ${flags} ll\ncall 131\nexit`;
      const machine = new Machine([RING]);
      expect(run(engine, machine, reserve("0x100000008", "0"))).toBe(0n);
      expect(run(engine, machine, reserve("8", "1"))).toBe(0n);
    });

    test("a record left by a program that faults does not stop the ring", () => {
      const machine = new Machine([RING]);
      const reserve = "r1 = map_by_fd(1)\nr2 = 8\nr3 = 0\ncall 131\n";
      faultOf(() => run(engine, machine, `${reserve}r1 = 0\nr0 = *(u64 *)(r1 + 0)\nexit`));
      run(engine, machine, `${reserve}*(u64 *)(r0 + 0) = 5\nr1 = r0\nr2 = 0\ncall 132\nr0 = 0\nexit`);
      expect(read(machine)).toEqual([[5, 0, 0, 0, 0, 0, 0, 0]]);
    });
  });

  describe("text", () => {
    const FORMATS: MapSpec = {
      ...PERF,
      name: ".rodata",
      type: BPF_MAP_TYPE_ARRAY,
      valueSizeBytes: 64,
      maxEntries: 1,
      isReadonly: true,
      contents: new Uint8Array(Buffer.from("%d %s\0abc\0%z\0none%%\0\x01\0".padEnd(64, "\0"), "latin1")),
    };

    function machineThatPrints(): { machine: Machine; printed: string[] } {
      const printed: string[] = [];
      return {
        machine: new Machine([FORMATS], {
          cpuCount: 2,
          tracePrintk: (text, cpu) => printed.push(`${cpu}: ${text}`),
        }),
        printed,
      };
    }
    const printk = (offset: number, size: number): string => `
      r1 = map_val(map_by_fd(1)) + ${offset}
      r2 = ${size}
      r3 = -5
      r4 = map_val(map_by_fd(1)) + 6
      call 6
      exit`;

    test("trace_printk prints for the harness and returns the length", () => {
      const { machine, printed } = machineThatPrints();
      expect(run(engine, machine, printk(0, 6), { cpu: 1 })).toBe(6n);
      expect(printed).toEqual(["1: -5 abc"]);
    });

    test.for([
      { name: "an unknown specifier", offset: 10, size: 3 },
      { name: "no zero at the end", offset: 0, size: 5 },
      { name: "a character that is not printable", offset: 20, size: 2 },
    ])("a format with $name is refused", ({ offset, size }) => {
      const { machine, printed } = machineThatPrints();
      expect(BigInt.asIntN(64, run(engine, machine, printk(offset, size)))).toBe(-22n);
      expect(printed).toEqual([]);
    });

    const vprintk = (size: number): string => `
      *(u64 *)(r10 - 16) = 7
      r1 = map_val(map_by_fd(1)) + 6
      *(u64 *)(r10 - 8) = r1
      r1 = map_val(map_by_fd(1)) + 0
      r2 = 6
      r3 = r10
      r3 += -16
      r4 = ${size}
      call 177
      exit`;

    test("trace_vprintk takes its values from memory", () => {
      const { machine, printed } = machineThatPrints();
      expect(run(engine, machine, vprintk(16))).toBe(5n);
      expect(printed).toEqual(["0: 7 abc"]);
    });

    test("values are 8 bytes each, and as many as the format takes", () => {
      const { machine } = machineThatPrints();
      expect(BigInt.asIntN(64, run(engine, machine, vprintk(12)))).toBe(-22n);
      expect(BigInt.asIntN(64, run(engine, machine, vprintk(8)))).toBe(-22n);
    });

    const snprintf = (room: number): string => `
      *(u64 *)(r10 - 16) = 7
      r1 = map_val(map_by_fd(1)) + 6
      *(u64 *)(r10 - 8) = r1
      *(u64 *)(r10 - 24) = -1
      r1 = r10
      r1 += -24
      r2 = ${room}
      r3 = map_val(map_by_fd(1)) + 0
      r4 = r10
      r4 += -16
      r5 = 16
      call 165
      r1 = *(u64 *)(r10 - 24)
      r1 <<= 8
      r0 |= r1
      exit`;

    test.for([
      { room: 6, memory: [0x37, 0x20, 0x61, 0x62, 0x63, 0, 0xff] },
      { room: 4, memory: [0x37, 0x20, 0x61, 0, 0xff, 0xff, 0xff] },
      { room: 0, memory: [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] },
    ])("snprintf into $room bytes returns what it would have needed", ({ room, memory }) => {
      const { machine } = machineThatPrints();
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(run(engine, machine, snprintf(room)));
      expect([...bytes]).toEqual([6, ...memory]);
    });

    test("snprintf wants its format in read-only data", () => {
      const { machine } = machineThatPrints();
      const source = snprintf(6).replace("r3 = map_val(map_by_fd(1)) + 0", "r3 = r10\nr3 += -16");
      expect(faultOf(() => run(engine, machine, source)).message).toContain(
        "expected a string in read-only data",
      );
    });
  });
});
