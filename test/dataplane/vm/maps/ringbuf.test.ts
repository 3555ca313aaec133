import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  E2BIG,
  EAGAIN,
  EBADF,
  EINVAL,
  ENOENT,
  ENOSPC,
  EOPNOTSUPP,
} from "../../../../dataplane/vm/maps/errno.ts";
import {
  BPF_MAP_TYPE_PERF_EVENT_ARRAY,
  BPF_MAP_TYPE_RINGBUF,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { BPF_F_CURRENT_CPU, type PerfEventArray } from "../../../../dataplane/vm/maps/perf-event-array.ts";
import { ringOfRecord } from "../../../../dataplane/vm/maps/record-ring.ts";
import type { Ringbuf } from "../../../../dataplane/vm/maps/ringbuf.ts";
import { bench, filled, hex, mapSpec, u32 } from "./harness.ts";

const CAPACITY = 4096;
const RINGBUF = mapSpec({
  type: BPF_MAP_TYPE_RINGBUF,
  keySizeBytes: 0,
  valueSizeBytes: 0,
  maxEntries: CAPACITY,
});

describe("a ring buffer", () => {
  test("hands out what was submitted, in the order of the reservations", () => {
    const operation = fc.record({
      kind: fc.constantFrom("reserve", "reserve", "submit", "discard", "consume", "output"),
      sizeBytes: fc.nat({ max: 1500 }),
      byte: fc.nat({ max: 255 }),
      pick: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 80, size: "max" }), (operations) => {
        const { map, memory } = bench<Ringbuf>(RINGBUF, { id: 9 });
        const source = memory.allocate(1500);
        const records: { address: number; bytes: Uint8Array; state: "busy" | "full" | "discarded" }[] = [];
        const stepOf = (sizeBytes: number): number => Math.ceil((sizeBytes + 8) / 8) * 8;
        const used = (): number => records.reduce((sum, { bytes }) => sum + stepOf(bytes.length), 0);

        for (const { kind, sizeBytes, byte, pick } of operations) {
          const busy = records.filter(({ state }) => state === "busy");
          switch (kind) {
            case "reserve": {
              const fits = used() + stepOf(sizeBytes) < CAPACITY;
              const address = map.reserve(sizeBytes);
              expect(address !== 0).toBe(fits);
              if (!fits) break;
              expect(address % 8).toBe(0);
              expect(ringOfRecord(memory, address)).toBe(9);
              expect(map.reservedSize(address)).toBe(sizeBytes);
              memory.write(address, filled(sizeBytes, byte));
              records.push({ address, bytes: filled(sizeBytes, byte), state: "busy" });
              break;
            }
            case "output": {
              const fits = used() + stepOf(sizeBytes) < CAPACITY;
              memory.write(source, filled(sizeBytes, byte));
              expect(map.output(source, sizeBytes, 0n)).toBe(fits ? 0 : -EAGAIN);
              if (fits) records.push({ address: 0, bytes: filled(sizeBytes, byte), state: "full" });
              break;
            }
            case "submit":
            case "discard": {
              const record = busy[pick % Math.max(busy.length, 1)];
              if (record === undefined) break;
              if (kind === "submit") map.submit(record.address);
              else map.discard(record.address);
              record.state = kind === "submit" ? "full" : "discarded";
              expect(map.reservedSize(record.address)).toBeUndefined();
              break;
            }
            case "consume": {
              const expected: string[] = [];
              while (records[0] !== undefined && records[0].state !== "busy") {
                const record = records.shift()!;
                if (record.state === "full") expected.push(hex(record.bytes)!);
              }
              const got: string[] = [];
              expect(map.consume((bytes) => got.push(hex(bytes)!))).toBe(expected.length);
              expect(got).toEqual(expected);
              break;
            }
          }
          expect(map.query(0n)).toBe(BigInt(used()));
        }
        expect(map.query(1n)).toBe(BigInt(CAPACITY));
        expect(map.query(3n) - map.query(2n)).toBe(BigInt(used()));
        expect(map.query(4n)).toBe(0n);
      }),
    );
  });

  test("has the kernel's record header: length and BUSY, then DISCARD or nothing, and the record's page", () => {
    const { map, memory } = bench<Ringbuf>(RINGBUF);
    const first = map.reserve(5);
    expect(memory.view.getUint32(first - 8, true)).toBe(0x8000_0005);
    expect(memory.view.getUint32(first - 4, true)).toBe(1);
    map.discard(first);
    expect(memory.view.getUint32(first - 8, true)).toBe(0x4000_0005);
    const second = map.reserve(9);
    expect(second - first).toBe(16);
    map.submit(second);
    expect(memory.view.getUint32(second - 8, true)).toBe(9);
  });

  test("keeps a record in one piece where the ring ends", () => {
    const { map, memory } = bench<Ringbuf>(RINGBUF);
    map.submit(map.reserve(3000));
    expect(map.consume(() => {})).toBe(1);
    const address = map.reserve(2000);
    memory.write(address, filled(2000, 0xab));
    map.submit(address);
    map.consume((bytes) => expect(bytes).toEqual(filled(2000, 0xab)));
  });

  test("refuses what can never fit, flags of a reservation, and unknown flags of output", () => {
    const { map } = bench<Ringbuf>(RINGBUF);
    // With its header it would fill the ring, and a full ring looks like an empty one.
    expect(map.reserve(CAPACITY - 8)).toBe(0);
    expect(map.reserve(CAPACITY - 24)).not.toBe(0);
    expect(map.reserve(0xffff_ffff)).toBe(0);
    expect(map.reserve(0, 1n)).toBe(0);
    expect(map.output(0, 8, 4n)).toBe(-EINVAL);
    expect(map.output(65536, 0, 3n)).toBe(0);
  });

  test("stops after as many records as were asked for", () => {
    const { map } = bench<Ringbuf>(RINGBUF);
    for (let i = 0; i < 5; i++) map.submit(map.reserve(i));
    const lengths: number[] = [];
    expect(map.consume((bytes) => lengths.push(bytes.length), 2)).toBe(2);
    expect(map.consume((bytes) => lengths.push(bytes.length))).toBe(3);
    expect(lengths).toEqual([0, 1, 2, 3, 4]);
  });

  test("has no keys and values", () => {
    const { map } = bench<Ringbuf>(RINGBUF);
    const nothing = new Uint8Array(0);
    expect(map.lookup(65536, 0)).toBe(0);
    expect(map.update(65536, 65536, 0n, 0)).toBe(-EOPNOTSUPP);
    expect(map.delete(65536)).toBe(-EOPNOTSUPP);
    expect(map.lookupValue(nothing)).toBeUndefined();
    expect(map.updateValue(nothing, nothing)).toBe(-EOPNOTSUPP);
    expect(map.deleteKey(nothing)).toBe(-EOPNOTSUPP);
    expect(map.nextKey(undefined)).toBeUndefined();
  });
});

describe("a perf event array", () => {
  const PERF = mapSpec({ type: BPF_MAP_TYPE_PERF_EVENT_ARRAY, valueSizeBytes: 4, maxEntries: 0 });
  const CPUS = 2;

  function open(perfBufferBytes = 4096): ReturnType<typeof bench<PerfEventArray>> & { data: number } {
    const made = bench<PerfEventArray>(PERF, { cpuCount: CPUS, perfBufferBytes });
    const data = made.memory.allocate(64);
    made.memory.write(
      data,
      Uint8Array.from({ length: 64 }, (_, i) => i),
    );
    return { ...made, data };
  }

  test("has an entry per CPU when its definition gives no size", () => {
    expect(open().map.spec.maxEntries).toBe(CPUS);
  });

  test("is closed until the host opens it", () => {
    const { map, data } = open();
    expect(map.output(0, BPF_F_CURRENT_CPU, { address: data, sizeBytes: 4 })).toBe(-ENOENT);
    map.openAll();
    expect(map.output(0, BPF_F_CURRENT_CPU, { address: data, sizeBytes: 4 })).toBe(0);
    expect(map.deleteKey(u32(0))).toBe(0);
    expect(map.output(0, BPF_F_CURRENT_CPU, { address: data, sizeBytes: 4 })).toBe(-ENOENT);
  });

  test("takes samples of a CPU's own event only", () => {
    const { map, data } = open();
    const sample = { address: data, sizeBytes: 4 };
    map.openAll();
    expect(map.output(1, 1n, sample)).toBe(0);
    expect(map.output(1, 0n, sample)).toBe(-EOPNOTSUPP);
    expect(map.output(1, 2n, sample)).toBe(-E2BIG);
    expect(map.updateValue(u32(0), u32(1))).toBe(0);
    expect(map.output(1, 0n, sample)).toBe(0);
    expect(map.updateValue(u32(0), u32(2))).toBe(-EBADF);
    expect(map.consume(1, () => {})).toBe(2);
    expect(map.consume(0, () => {})).toBe(0);
  });

  test("puts the packet's bytes behind the program's and pads, so that with the size a multiple of 8 is filled", () => {
    const { map, data } = open();
    map.openAll();
    map.output(0, BPF_F_CURRENT_CPU, { address: data, sizeBytes: 4 }, { address: data + 32, sizeBytes: 3 });
    const got: (string | undefined)[] = [];
    map.consume(0, (bytes) => got.push(hex(bytes)));
    expect(got).toEqual(["000102032021220000000000"]);
  });

  test("loses and counts what finds no room", () => {
    const { map, data } = open();
    map.openAll();
    const results = Array.from({ length: 70 }, () =>
      map.output(0, BPF_F_CURRENT_CPU, { address: data, sizeBytes: 60 }),
    );
    const stored = results.filter((result) => result === 0).length;
    expect(results.slice(stored)).toEqual(results.slice(stored).map(() => -ENOSPC));
    expect(map.lostCount(0)).toBe(70 - stored);
    expect(map.consume(0, () => {})).toBe(stored);
    expect(stored).toBe(Math.floor((4096 - 1) / 72));
  });
});
