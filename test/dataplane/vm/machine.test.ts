import { describe, expect, test } from "vitest";
import type { MapSpec } from "../../../dataplane/object/spec.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { u32Bytes } from "../../../dataplane/vm/maps/map-access.ts";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_ARRAY_OF_MAPS,
  BPF_MAP_TYPE_HASH,
} from "../../../dataplane/vm/maps/map-type.ts";
import { ENGINES } from "./engines.ts";
import { run } from "./run.ts";

const ARRAY: MapSpec = {
  name: "numbers",
  type: BPF_MAP_TYPE_ARRAY,
  keySizeBytes: 4,
  valueSizeBytes: 8,
  maxEntries: 4,
  flags: 0,
  isReadonly: false,
};
const OUTER: MapSpec = {
  ...ARRAY,
  name: "outer",
  type: BPF_MAP_TYPE_ARRAY_OF_MAPS,
  valueSizeBytes: 4,
  inner: { ...ARRAY, name: "template" },
};

test("maps have the names and, from 1, the order of their specs", () => {
  const machine = new Machine([ARRAY, { ...ARRAY, name: "others" }]);
  expect([...machine.maps.keys()]).toEqual(["numbers", "others"]);
  expect(machine.map("others").id).toBe(2);
  expect(machine.mapById(2)).toBe(machine.map("others"));
  expect(machine.mapById(0)).toBeUndefined();
  expect(machine.mapById(3)).toBeUndefined();
});

test("a map that is not there is named", () => {
  expect(() => new Machine([ARRAY]).map("nimbers")).toThrow(
    expect.objectContaining({ name: "MapError", code: "no-such-map", map: "nimbers" }),
  );
});

test("a handle finds its map, and no other number does", () => {
  const machine = new Machine([ARRAY]);
  const { handle, valueRegion } = machine.map("numbers");
  expect(machine.mapByHandle(handle)).toBe(machine.map("numbers"));
  // A value that looks like the block a handle points to.
  machine.map("numbers").updateValue(u32Bytes(0), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));
  for (const number of [0, handle + 1, handle + 4, handle - 64, valueRegion!.address, 2 ** 32 - 4, 2 ** 31]) {
    expect(machine.mapByHandle(number)).toBeUndefined();
  }
});

describe("map-in-maps", () => {
  test("are filled as their definition says", () => {
    const machine = new Machine([ARRAY, { ...OUTER, values: new Map([[2, "numbers"]]) }]);
    expect(machine.map("outer").lookupValue(u32Bytes(2))).toEqual(u32Bytes(machine.map("numbers").id));
    expect(machine.map("outer").lookupValue(u32Bytes(1))).toBeUndefined();
  });

  test("are refused with a map that is not like the definition", () => {
    const hash: MapSpec = { ...ARRAY, type: BPF_MAP_TYPE_HASH };
    expect(() => new Machine([hash, { ...OUTER, values: new Map([[2, "numbers"]]) }])).toThrow(
      expect.objectContaining({ code: "bad-definition", map: "outer" }),
    );
  });

  test("take maps that are made later", () => {
    const machine = new Machine([OUTER]);
    const inner = machine.createMap({ ...ARRAY, name: "late" });
    expect(machine.map("outer").updateValue(u32Bytes(0), u32Bytes(inner.id))).toBe(0);
    expect(machine.maps.has("late")).toBe(false);
  });
});

test("a CPU that is not there is a RangeError", () => {
  const machine = new Machine([], { cpuCount: 2 });
  expect(machine.cpu(1).index).toBe(1);
  expect(() => machine.cpu(2)).toThrow(RangeError);
});

test("memory that runs out is a RangeError, or the MapError of the map it was wanted for", () => {
  const memory = { maximumBytes: 1 << 20 };
  expect(() => new Machine([], { memory, cpuCount: 1000 })).toThrow(RangeError);
  expect(() => new Machine([{ ...ARRAY, maxEntries: 1 << 20 }], { memory })).toThrow(
    expect.objectContaining({ name: "MapError", map: "numbers" }),
  );
});

describe.for(ENGINES)("$name", (engine) => {
  test("each CPU has its own stack and packet", () => {
    const machine = new Machine([], { cpuCount: 2 });
    const stacks = [0, 1].map((cpu) => run(engine, machine, "r0 = r10\nexit", { cpu }));
    const packets = [0, 1].map((cpu) => run(engine, machine, "r0 = *(u32 *)(r1 + 0)\nexit", { cpu }));
    expect(new Set([...stacks, ...packets]).size).toBe(4);
  });

  test("programs still run after the memory has grown", () => {
    const machine = new Machine([ARRAY]);
    const before = run(engine, machine, "r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 7)\nexit");
    machine.createMap({ ...ARRAY, name: "large", maxEntries: 1 << 20 });
    const after = run(engine, machine, "r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 7)\nexit");
    expect([before, after]).toEqual([7n, 7n]);
  });

  test("a machine of shared memory runs programs, atomics included", () => {
    const machine = new Machine([ARRAY], { memory: { shared: true, maximumBytes: 1 << 22 } });
    const add = `
      r6 = map_val(map_by_fd(1)) + 0
      r1 = 5
      lock *(u64 *)(r6 + 0) += r1
      lock *(u32 *)(r6 + 4) += w1
      r0 = *(u64 *)(r6 + 0)
      exit`;
    expect(run(engine, machine, add)).toBe(0x5_0000_0005n);
  });
});
