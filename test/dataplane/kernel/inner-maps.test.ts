import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { cpuNodes, createPerCpuMaps, putInnerMaps } from "../../../dataplane/kernel/inner-maps.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { mapInfo } from "../../../dataplane/kernel/map-info.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";
import { RawMap } from "../../../dataplane/kernel/raw-map.ts";
import type { MapSpec } from "../../../dataplane/object/spec.ts";
import { lacks, libbpf as libbpfNeed, root } from "../../needs.ts";

describe("the memory nodes of CPUs", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "lamna-nodes-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const tree = (name: string, paths: readonly string[]): string => {
    for (const path of paths) mkdirSync(join(directory, name, path), { recursive: true });
    return join(directory, name);
  };

  test("are those that sysfs names, and any for a CPU that is not there", () => {
    const root = tree("two", [
      "node/node0",
      "node/node1",
      "cpu/cpu0/node0",
      "cpu/cpu1/node1",
      "cpu/cpu2/node0",
      "cpu/cpu3",
    ]);
    expect(cpuNodes(5, root)).toEqual([0, 1, 0, -1, -1]);
  });

  test("do not matter where there is one", () => {
    expect(cpuNodes(1, tree("one", ["node/node0", "node/power", "cpu/cpu0/node0"]))).toBeUndefined();
    expect(cpuNodes(1, tree("none", []))).toBeUndefined();
  });
});

describe.skipIf(lacks("inner maps", root, libbpfNeed))("inner maps", () => {
  const spec: MapSpec = {
    name: "inner",
    type: 2,
    keySizeBytes: 4,
    valueSizeBytes: 64,
    maxEntries: 8,
    flags: 1 << 10,
    isReadonly: false,
  };

  test.for([
    { what: "wherever the kernel likes", nodes: undefined },
    { what: "on nodes", nodes: [0, -1, 0] },
  ])("go into an outer one, made $what", async ({ nodes }) => {
    const inner = createPerCpuMaps("outer", spec, 3, nodes);
    const options = new NativeStruct(48, { hasSize: true }).setU32(24, inner[0]!.fd);
    const outer = Descriptor.from(
      libbpf().bpf_map_create(12, null, 4, 4, 3, options.bytes),
      "create the outer map",
      "the outer map",
    );
    try {
      await putInnerMaps(outer, inner);
      const ids = new RawMap(outer, "outer")
        .entries()
        .map(({ value }) => new DataView(value.buffer).getUint32(0, true));
      expect(ids).toEqual(inner.map((map) => mapInfo(map).id));
      for (const map of inner) expect(mapInfo(map).flags & 4).toBe(nodes === undefined ? 0 : 4);
    } finally {
      for (const map of [...inner, outer]) map.close();
    }
  });

  test("that cannot all be made leave none", () => {
    const before = readdirSync("/proc/self/fd").length;
    expect(() => createPerCpuMaps("outer", spec, 3, [0, 0, 99_999])).toThrow(
      expect.objectContaining({
        name: "KernelError",
        errno: "EINVAL",
        message: expect.stringMatching(/outer\[2\]/),
      }),
    );
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});
