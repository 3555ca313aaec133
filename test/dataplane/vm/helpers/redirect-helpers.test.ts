import { describe, expect, test } from "vitest";
import type { MapSpec } from "../../../../dataplane/object/spec.ts";
import { Machine } from "../../../../dataplane/vm/machine.ts";
import { u32Bytes } from "../../../../dataplane/vm/maps/map-access.ts";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_CPUMAP,
  BPF_MAP_TYPE_DEVMAP,
  BPF_MAP_TYPE_DEVMAP_HASH,
  BPF_MAP_TYPE_XSKMAP,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { ENGINES } from "../engines.ts";
import { faultOf, run } from "../run.ts";

const ABORTED = 0n;
const DROP = 1n;
const TX = 3n;
const REDIRECT = 4n;

function specOf(type: number): MapSpec {
  return {
    name: "targets",
    type,
    keySizeBytes: 4,
    valueSizeBytes: 4,
    maxEntries: 4,
    flags: 0,
    isReadonly: false,
  };
}

const redirectMap = (key: string, flags: string): string =>
  `r1 = map_by_fd(1)\nr2 = ${key} ll\nr3 = ${flags} ll\ncall 51\nexit`;

describe.for(ENGINES)("$name", (engine) => {
  test("redirect notes the interface", () => {
    const machine = new Machine([]);
    expect(run(engine, machine, "r1 = 7\nr2 = 0\ncall 23\nexit")).toBe(REDIRECT);
    expect(machine.cpu(0).redirect).toMatchObject({ kind: "interface", target: 7, map: undefined });
  });

  test("redirect has no flags", () => {
    const machine = new Machine([]);
    expect(run(engine, machine, "r1 = 7\nr2 = 1\ncall 23\nexit")).toBe(ABORTED);
    expect(machine.cpu(0).redirect.kind).toBe("none");
  });

  test("a verdict of XDP_REDIRECT alone goes nowhere, whatever the run before chose", () => {
    const machine = new Machine([]);
    run(engine, machine, "r1 = 7\nr2 = 0\ncall 23\nexit");
    expect(run(engine, machine, "r0 = 4\nexit")).toBe(REDIRECT);
    expect(machine.cpu(0).redirect.kind).toBe("none");
  });

  test.for([
    { name: "DEVMAP", type: BPF_MAP_TYPE_DEVMAP, value: 9, kind: "interface", target: 9 },
    { name: "DEVMAP_HASH", type: BPF_MAP_TYPE_DEVMAP_HASH, value: 9, kind: "interface", target: 9 },
    { name: "CPUMAP", type: BPF_MAP_TYPE_CPUMAP, value: 192, kind: "cpu", target: 2 },
    { name: "XSKMAP", type: BPF_MAP_TYPE_XSKMAP, value: 9, kind: "socket", target: 9 },
  ])("redirect_map through a $name", ({ type, value, kind, target }) => {
    const machine = new Machine([specOf(type)], { cpuCount: 4 });
    expect(machine.map("targets").updateValue(u32Bytes(2), u32Bytes(value))).toBe(0);
    expect(run(engine, machine, redirectMap("2", "0"))).toBe(REDIRECT);
    expect(machine.cpu(0).redirect).toMatchObject({ kind, target, key: 2, map: machine.map("targets") });
  });

  const devmap = (): Machine => {
    const machine = new Machine([specOf(BPF_MAP_TYPE_DEVMAP)]);
    machine.map("targets").updateValue(u32Bytes(2), u32Bytes(9));
    return machine;
  };

  test.for([
    { name: "an empty entry", key: "1", flags: "1", verdict: DROP },
    { name: "a key out of range", key: "4", flags: "3", verdict: TX },
    { name: "an unknown flag", key: "2", flags: "32", verdict: ABORTED },
    { name: "a flag in the high half", key: "2", flags: "0x100000000", verdict: ABORTED },
  ])("redirect_map with $name answers by its flags", ({ key, flags, verdict }) => {
    const machine = devmap();
    expect(run(engine, machine, redirectMap(key, flags))).toBe(verdict);
    expect(machine.cpu(0).redirect.kind).toBe("none");
  });

  test("redirect_map to every interface but the one it came from", () => {
    const machine = devmap();
    expect(run(engine, machine, redirectMap("0", "24"))).toBe(REDIRECT);
    expect(machine.cpu(0).redirect).toMatchObject({ kind: "broadcast", isIngressExcluded: true });
  });

  test("only a DEVMAP broadcasts", () => {
    const machine = new Machine([specOf(BPF_MAP_TYPE_XSKMAP)]);
    expect(run(engine, machine, redirectMap("0", "8"))).toBe(ABORTED);
  });

  test("redirect_map wants such a map", () => {
    const machine = new Machine([specOf(BPF_MAP_TYPE_ARRAY)]);
    const fault = faultOf(() => run(engine, machine, redirectMap("0", "0")));
    expect(fault).toMatchObject({ code: "bad-helper-argument", slot: 6 });
    expect(fault.message).toContain("a ARRAY map, expected DEVMAP, DEVMAP_HASH, CPUMAP, XSKMAP");
  });
});
