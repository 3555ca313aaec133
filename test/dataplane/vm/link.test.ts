import { describe, expect, test } from "vitest";
import type { MapSpec, ObjectSpec, Reference } from "../../../dataplane/object/spec.ts";
import { functionAddress, linkObject, linkProgram } from "../../../dataplane/vm/link.ts";
import { Machine } from "../../../dataplane/vm/machine.ts";
import { u32Bytes } from "../../../dataplane/vm/maps/map-access.ts";
import { BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PROG_ARRAY } from "../../../dataplane/vm/maps/map-type.ts";
import { ENGINES } from "./engines.ts";
import { programOf } from "./program.ts";
import { faultOf, run } from "./run.ts";

const ARRAY: MapSpec = {
  name: "numbers",
  type: BPF_MAP_TYPE_ARRAY,
  keySizeBytes: 4,
  valueSizeBytes: 8,
  maxEntries: 4,
  flags: 0,
  isReadonly: false,
};
const RODATA: MapSpec = {
  ...ARRAY,
  name: ".rodata",
  maxEntries: 1,
  isReadonly: true,
  contents: Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0),
};

/** Loads 64 bits with a reference in place of the number. */
const LOAD = "r0 = 0x5 ll\nexit";
const referring = (reference: Reference) => programOf(LOAD, { references: [reference] });

describe("what an instruction refers to", () => {
  const machine = new Machine([ARRAY, RODATA]);
  const loaded = (reference: Reference): bigint | undefined =>
    linkProgram(machine, referring(reference)).instructions[0]!.imm64;

  test("a map is its handle", () => {
    expect(loaded({ kind: "map", slot: 0, map: "numbers" })).toBe(BigInt(machine.map("numbers").handle));
  });

  test("a global is an address inside the section's value", () => {
    const address = machine.map(".rodata").valueRegion!.address;
    expect(loaded({ kind: "mapValue", slot: 0, map: ".rodata", offsetBytes: 4 })).toBe(BigInt(address + 4));
  });

  test("a function is no address, and of its program only", () => {
    const spec = programOf("r0 = 0x5 ll\nexit\nr0 = 0\nexit", {
      references: [{ kind: "function", slot: 0, targetSlot: 3 }],
    });
    const program = linkProgram(machine, spec);
    expect(program.functionSlots).toEqual([0, 3]);
    expect(program.instructions[0]!.imm64).toBe(functionAddress(program.id, 3));
    expect(functionAddress(program.id, 3)).toBeGreaterThan(0xffff_ffffn);
  });

  test("a weak external symbol is 0", () => {
    expect(loaded({ kind: "extern", slot: 0, symbol: "maybe", isWeak: true })).toBe(0n);
  });

  test.for<{ name: string; reference: Reference; words: string }>([
    {
      name: "an external symbol",
      reference: { kind: "extern", slot: 0, symbol: "bpf_fancy", isWeak: false },
      words: '"bpf_fancy"',
    },
    {
      name: "a map that is not there",
      reference: { kind: "map", slot: 0, map: "gone" },
      words: 'map "gone" is not in this machine',
    },
    {
      name: "a global behind its section",
      reference: { kind: "mapValue", slot: 0, map: ".rodata", offsetBytes: 8 },
      words: "offset 8",
    },
    {
      name: "a callback behind the program",
      reference: { kind: "function", slot: 0, targetSlot: 3 },
      words: "no function at slot 3",
    },
  ])("$name is refused", ({ reference, words }) => {
    const fault = faultOf(() => loaded(reference));
    expect(fault).toMatchObject({ code: "bad-program", slot: 0 });
    expect(fault.message).toContain(words);
  });
});

describe.for(ENGINES)("$name", (engine) => {
  test("a program that replaces another has read-only data of its own and the same other maps", () => {
    const machine = new Machine([ARRAY, RODATA]);
    const source = `
      r6 = 0x5 ll
      r7 = 0x5 ll
      r0 = *(u64 *)(r7 + 0)
      r0 += 1
      *(u64 *)(r7 + 0) = r0
      r1 = *(u32 *)(r6 + 0)
      r0 *= 100
      r0 += r1
      exit`;
    const spec = programOf(source, {
      references: [
        { kind: "mapValue", slot: 0, map: ".rodata", offsetBytes: 0 },
        { kind: "mapValue", slot: 2, map: "numbers", offsetBytes: 0 },
      ],
    });
    const old = engine.prepare(linkProgram(machine, spec), machine);
    const rodata = machine.createMap({ ...RODATA, contents: Uint8Array.of(42, 0, 0, 0, 0, 0, 0, 0) });
    const replaced = engine.prepare(
      linkProgram(machine, spec, { maps: new Map([[".rodata", rodata]]) }),
      machine,
    );
    expect([old, replaced, old].map((program) => program.run(0, 0, 0))).toEqual([101n, 242n, 301n]);
  });

  test("a program that was removed is not tail-called any more", () => {
    const machine = new Machine([{ ...ARRAY, type: BPF_MAP_TYPE_PROG_ARRAY, valueSizeBytes: 4 }]);
    const target = linkProgram(machine, programOf("r0 = 2\nexit"));
    machine.map("numbers").updateValue(u32Bytes(0), u32Bytes(target.id));
    const source = "r2 = map_by_fd(1)\nr3 = 0\ncall 12\nr0 = 1\nexit";
    expect(run(engine, machine, source)).toBe(2n);
    machine.removeProgram(target);
    expect(run(engine, machine, source)).toBe(1n);
  });
});

describe("an object", () => {
  const programs = [
    programOf("r0 = 1\nexit", { name: "one" }),
    programOf("r0 = 2\nexit", { name: "two" }),
    programOf("r0 = 3", { name: "broken", section: "tc" }),
  ];
  const next: MapSpec = {
    ...ARRAY,
    name: "next",
    type: BPF_MAP_TYPE_PROG_ARRAY,
    valueSizeBytes: 4,
    values: new Map([
      [1, "two"],
      [2, "broken"],
    ]),
  };
  const object: ObjectSpec = {
    image: new Uint8Array(0),
    isLittleEndian: true,
    license: "MIT",
    programs,
    maps: [next],
    btf: undefined,
  };

  test("is linked as far as wanted, and its PROG_ARRAYs hold what was linked", () => {
    const machine = new Machine(object.maps);
    const linked = linkObject(machine, object, { isWanted: ({ section }) => section === "xdp" });
    expect([...linked.keys()]).toEqual(["one", "two"]);
    expect(machine.map("next").lookupValue(u32Bytes(1))).toEqual(u32Bytes(linked.get("two")!.id));
    expect(machine.map("next").lookupValue(u32Bytes(2))).toBeUndefined();
  });

  test("with a program that is none is refused when that is wanted", () => {
    expect(faultOf(() => linkObject(new Machine(object.maps), object)).code).toBe("bad-program");
  });

  test("of the other byte order is refused", () => {
    const machine = new Machine(object.maps);
    const fault = faultOf(() => linkObject(machine, { ...object, isLittleEndian: false }));
    expect(fault.message).toContain("big-endian");
  });

  test("with a program at an index its PROG_ARRAY has not is refused", () => {
    const wrong = {
      ...object,
      programs: programs.slice(0, 2),
      maps: [{ ...next, values: new Map([[4, "two"]]) }],
    };
    expect(() => linkObject(new Machine(wrong.maps), wrong)).toThrow(
      expect.objectContaining({ name: "MapError", code: "out-of-range", map: "next" }),
    );
  });
});
