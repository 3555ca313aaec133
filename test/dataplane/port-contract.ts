/**
 * What control may expect of any dataplane, whatever is behind the port. Each adapter's test calls `describePort` with a way to open
 * one on the committed balancer object.
 */
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import type { Dataplane, LoadRequest } from "../../dataplane/dataplane.ts";
import { readObject } from "../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";

export const CPU_COUNT = 2;

const OBJECT_FILE = new URL("../../dataplane/xdp/balancer.bpf.o", import.meta.url);
let object: ObjectSpec | undefined;

/** A small balancer: sizes that are none of the object's own. */
export function smallRequest(change: Partial<LoadRequest> = {}): LoadRequest {
  object ??= readObject(readFileSync(OBJECT_FILE));
  return {
    object,
    program: "balance",
    cpuCount: CPU_COUNT,
    options: new Map<string, number | bigint | boolean>([
      ["option_vip_bucket_mask", 15],
      ["option_flow_ipv4_line_mask", 63],
      ["option_flow_ipv6_line_mask", 31],
      ["option_fragment_mask", 7],
      ["option_vip_stride", 8],
      ["option_backend_stride", 12],
    ]),
    maxEntries: new Map([
      ["vip_buckets", 32],
      ["vips", 5],
      ["rings", 3],
      ["backends", 9],
      ["reason_counters", CPU_COUNT],
      ["vip_counters", CPU_COUNT * 8],
      ["backend_counters", CPU_COUNT * 12],
      ["cpu_states", CPU_COUNT],
      ["flows_ipv4", 64],
      ["flows_ipv6", 32],
      ["fragments", 8],
    ]),
    ...change,
  };
}

/** The request with one option set to another value. */
export function withOption(
  request: LoadRequest,
  name: string,
  value: number | bigint | boolean,
): LoadRequest {
  return { ...request, options: new Map([...request.options, [name, value]]) };
}

/** The request with one map of another size. */
export function withEntries(request: LoadRequest, name: string, count: number): LoadRequest {
  return { ...request, maxEntries: new Map([...request.maxEntries, [name, count]]) };
}

export function describePort(name: string, open: (request: LoadRequest) => Promise<Dataplane>): void {
  describe(`the port of ${name}`, () => {
    const opened: Dataplane[] = [];
    afterEach(async () => {
      for (const dataplane of opened.splice(0)) await dataplane.close();
    });
    const openSmall = async (request = smallRequest()): Promise<Dataplane> => {
      const dataplane = await open(request);
      opened.push(dataplane);
      return dataplane;
    };

    describe("loading", () => {
      test("gives every map the size that was asked for", async () => {
        const dataplane = await openSmall();
        expect(dataplane.cpuCount).toBe(CPU_COUNT);
        expect(dataplane.map("vips")).toMatchObject({ name: "vips", valueSizeBytes: 64, maxEntries: 5 });
        expect(dataplane.map("settings")).toMatchObject({ valueSizeBytes: 64, maxEntries: 1 });
        expect(dataplane.map("flows_ipv4").inner(0)).toMatchObject({ valueSizeBytes: 64, maxEntries: 64 });
      });

      test.for([
        {
          what: "an option the object does not have",
          request: () => withOption(smallRequest(), "option_none", 1),
        },
        { what: "a variable that is no option", request: () => withOption(smallRequest(), "clock_ticks", 1) },
        {
          what: "an option's value that does not fit",
          request: () => withOption(smallRequest(), "option_echo", 256),
        },
        { what: "a map the object does not have", request: () => withEntries(smallRequest(), "nothing", 1) },
        { what: "a map of no entries", request: () => withEntries(smallRequest(), "vips", 0) },
        { what: "a program the object does not have", request: () => smallRequest({ program: "unbalance" }) },
      ])("refuses $what", async ({ request }) => {
        await expect(open(request())).rejects.toThrow();
      });
    });

    describe("maps", () => {
      test("start as zeros and hold what is written", async () => {
        const map = (await openSmall()).map("vips");
        expect(map.read(4)).toEqual(new Uint8Array(64));
        const value = Uint8Array.from({ length: 64 }, (_, i) => i + 1);
        map.write(4, value);
        expect(map.read(4)).toEqual(value);
        expect(map.read(3)).toEqual(new Uint8Array(64));
      });

      test("hand out copies", async () => {
        const map = (await openSmall()).map("vips");
        map.read(1).fill(9);
        expect(map.read(1)).toEqual(new Uint8Array(64));
        const value = new Uint8Array(64).fill(1);
        map.write(1, value);
        value.fill(2);
        expect(map.read(1)).toEqual(new Uint8Array(64).fill(1));
      });

      test("are the same map each time they are asked for", async () => {
        const dataplane = await openSmall();
        dataplane.map("vips").write(1, new Uint8Array(64).fill(3));
        expect(dataplane.map("vips").read(1)[0]).toBe(3);
      });

      test("take single stores, which change nothing else", async () => {
        const map = (await openSmall()).map("vips");
        map.write(2, new Uint8Array(64).fill(0xff));
        map.store32(2, 4, 0x04030201);
        map.store64(2, 16, 0x0807060504030201n);
        const expected = new Uint8Array(64).fill(0xff);
        expected.set([1, 2, 3, 4], 4);
        expected.set([1, 2, 3, 4, 5, 6, 7, 8], 16);
        expect(map.read(2)).toEqual(expected);
        expect(map.read(1)).toEqual(new Uint8Array(64));
        map.store32(2, 60, 0xffff_ffff);
        map.store64(2, 56, 0xffff_ffff_ffff_ffffn);
        expect(map.read(2).subarray(56)).toEqual(new Uint8Array(8).fill(0xff));
      });

      test("show their live bytes, both ways", async () => {
        const map = (await openSmall()).map("vips");
        map.write(3, new Uint8Array(64).fill(7));
        const seen = map.withView(2, 2, (bytes) => {
          expect(bytes.length).toBe(128);
          expect(bytes.byteOffset % 8).toBe(0);
          bytes[0] = 5;
          const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
          Atomics.store(words, 31, 0x01020304);
          return [bytes[0], bytes[64]];
        });
        expect(seen).toEqual([5, 7]);
        expect(map.read(2)[0]).toBe(5);
        expect(map.read(3).subarray(60)).toEqual(Uint8Array.of(4, 3, 2, 1));
        expect(map.withView(4, 0, (bytes) => bytes.length)).toBe(0);
      });

      test("of maps have one inner map for each CPU, apart from each other", async () => {
        const outer = (await openSmall()).map("flows_ipv6");
        outer.inner(0).write(1, new Uint8Array(64).fill(1));
        outer.inner(1).write(1, new Uint8Array(64).fill(2));
        expect(outer.inner(0).read(1)[0]).toBe(1);
        expect(outer.inner(1).read(1)[0]).toBe(2);
        expect(() => outer.inner(CPU_COUNT)).toThrow(expect.objectContaining({ code: "out-of-range" }));
      });

      const vips = (dataplane: Dataplane): ReturnType<Dataplane["map"]> => dataplane.map("vips");
      test.for<{ what: string; code: string; use: (dataplane: Dataplane) => unknown }>([
        { what: "a map that is not there", code: "no-such-map", use: (d) => d.map("nothing") },
        { what: "an index too high to read", code: "out-of-range", use: (d) => vips(d).read(5) },
        { what: "a negative index", code: "out-of-range", use: (d) => vips(d).read(-1) },
        { what: "an index that is no integer", code: "out-of-range", use: (d) => vips(d).read(0.5) },
        {
          what: "an index too high to write",
          code: "out-of-range",
          use: (d) => vips(d).write(5, new Uint8Array(64)),
        },
        { what: "a value too short", code: "wrong-size", use: (d) => vips(d).write(1, new Uint8Array(63)) },
        { what: "a value too long", code: "wrong-size", use: (d) => vips(d).write(1, new Uint8Array(65)) },
        { what: "a store behind the value", code: "out-of-range", use: (d) => vips(d).store32(1, 64, 0) },
        { what: "a store over its end", code: "out-of-range", use: (d) => vips(d).store64(1, 60, 0n) },
        { what: "a store before it", code: "out-of-range", use: (d) => vips(d).store32(1, -4, 0) },
        { what: "a store at an odd place", code: "out-of-range", use: (d) => vips(d).store32(1, 2, 0) },
        { what: "a long store at 4", code: "out-of-range", use: (d) => vips(d).store64(1, 4, 0n) },
        { what: "more than 32 bits", code: "wrong-size", use: (d) => vips(d).store32(1, 0, 2 ** 32) },
        { what: "a negative number", code: "wrong-size", use: (d) => vips(d).store32(1, 0, -1) },
        { what: "more than 64 bits", code: "wrong-size", use: (d) => vips(d).store64(1, 0, 2n ** 64n) },
        { what: "a view over the end", code: "out-of-range", use: (d) => vips(d).withView(4, 2, () => 0) },
        { what: "an inner map of an array", code: "wrong-type", use: (d) => vips(d).inner(0) },
        { what: "a value of a map of maps", code: "wrong-type", use: (d) => d.map("flows_ipv4").read(0) },
      ])("refuse $what", async ({ code, use }) => {
        const dataplane = await openSmall();
        expect(() => use(dataplane)).toThrow(expect.objectContaining({ name: "MapError", code }));
      });
    });

    describe("replacing the program", () => {
      test("keeps every map and what is in it", async () => {
        const dataplane = await openSmall();
        const value = new Uint8Array(64).fill(8);
        dataplane.map("vips").write(1, value);
        dataplane.map("flows_ipv4").inner(1).write(5, value);
        await dataplane.replaceProgram(withOption(smallRequest(), "option_scope_all", true));
        expect(dataplane.map("vips").read(1)).toEqual(value);
        expect(dataplane.map("flows_ipv4").inner(1).read(5)).toEqual(value);
      });

      test.for([
        { what: "another number of entries", request: () => withEntries(smallRequest(), "vips", 6) },
        { what: "inner maps of another size", request: () => withEntries(smallRequest(), "flows_ipv4", 128) },
        { what: "another number of CPUs", request: () => smallRequest({ cpuCount: 1 }) },
        { what: "an option that is not there", request: () => withOption(smallRequest(), "option_none", 1) },
      ])("refuses $what, and leaves everything as it was", async ({ request }) => {
        const dataplane = await openSmall();
        dataplane.map("vips").write(1, new Uint8Array(64).fill(8));
        await expect(dataplane.replaceProgram(request())).rejects.toThrow();
        expect(dataplane.map("vips").read(1)[0]).toBe(8);
        expect(dataplane.map("vips").maxEntries).toBe(5);
      });
    });

    test("a grace period ends, and not before the caller goes on", async () => {
      const dataplane = await openSmall();
      const order: string[] = [];
      const ended = dataplane.gracePeriod().then(() => order.push("ended"));
      order.push("asked");
      await ended;
      expect(order).toEqual(["asked", "ended"]);
    });

    test("after close nothing works, and closing again is harmless", async () => {
      const dataplane = await open(smallRequest());
      await dataplane.close();
      await dataplane.close();
      expect(() => dataplane.map("vips")).toThrow(expect.objectContaining({ code: "io" }));
      await expect(dataplane.replaceProgram(smallRequest())).rejects.toThrow();
    });
  });
}
