import { afterEach, describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { type KernelMap, kernelMap } from "../../../dataplane/kernel/kernel-map.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";
import { lacks, libbpf as libbpfNeed, root } from "../../needs.ts";
import { runScript } from "./built-kernel.ts";

const BPF_F_MMAPABLE = 1 << 10;
const isSkipped = lacks("arrays in the kernel", root, libbpfNeed);

describe.skipIf(isSkipped)("an array in the kernel", () => {
  const opened: KernelMap[] = [];
  afterEach(() => {
    for (const map of opened.splice(0)) map.close();
  });

  function createArray(valueSizeBytes: number, maxEntries: number, flags = BPF_F_MMAPABLE): KernelMap {
    const options = new NativeStruct(48, { hasSize: true }).setU32(28, flags);
    const fd = libbpf().bpf_map_create(2, "lamna_test", 4, valueSizeBytes, maxEntries, options.bytes);
    const map = kernelMap("values", Descriptor.from(fd, "create a map", 'map "values"'));
    opened.push(map);
    return map;
  }

  const bytesOf = (index: number, sizeBytes: number): Uint8Array =>
    Uint8Array.from({ length: sizeBytes }, (_, i) => (index * 7 + i) & 0xff);

  /** Of large values, which take long to be compared element by element. */
  const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

  test.for([
    { what: "small, of whole lines", valueSizeBytes: 64, maxEntries: 10 },
    { what: "small, of odd values", valueSizeBytes: 13, maxEntries: 100 },
    { what: "of one element of a page and a byte", valueSizeBytes: 4097, maxEntries: 1 },
    { what: "large, of whole lines", valueSizeBytes: 64, maxEntries: 70_000 },
    { what: "large, with values across pages", valueSizeBytes: 24, maxEntries: 100_000 },
    { what: "large, with values of many pages", valueSizeBytes: 266_240, maxEntries: 9 },
  ])("$what holds every value at its place", ({ valueSizeBytes, maxEntries }) => {
    const map = createArray(valueSizeBytes, maxEntries);
    const indices = [0, 1, maxEntries >> 1, maxEntries - 2, maxEntries - 1].filter(
      (i) => i >= 0 && i < maxEntries,
    );
    for (const index of indices) map.write(index, bytesOf(index, valueSizeBytes));
    for (const index of indices) expect(isEqual(map.read(index), bytesOf(index, valueSizeBytes))).toBe(true);
    // Across the borders of what was mapped before.
    const first = Math.max(0, maxEntries - 2);
    const stride = Math.ceil(valueSizeBytes / 8) * 8;
    map.withView(first, maxEntries - first, (bytes) => {
      expect(bytes.length).toBe((maxEntries - first) * stride);
      expect(bytes.byteOffset % 8).toBe(0);
      expect(isEqual(bytes.subarray(0, valueSizeBytes), bytesOf(first, valueSizeBytes))).toBe(true);
      bytes[bytes.length - stride] = 0xee;
    });
    expect(map.read(maxEntries - 1)[0]).toBe(0xee);
    map.withView(0, maxEntries, (bytes) => {
      expect(bytes.length).toBe(maxEntries * stride);
      expect(bytes[bytes.length - stride]).toBe(0xee);
    });
  });

  test("takes operations while a view of it is open, also on other pages", () => {
    const map = createArray(64, 70_000);
    map.withView(0, 2, (outer) => {
      outer[0] = 1;
      map.store32(69_999, 0, 2);
      map.write(30_000, new Uint8Array(64).fill(3));
      map.withView(50_000, 1, (inner) => {
        inner[0] = 4;
        outer[64] = 5;
      });
      map.store32(0, 4, 6);
      expect(outer[4]).toBe(6);
    });
    const first = (index: number): number => map.read(index)[0] as number;
    expect([first(0), first(1), first(30_000), first(50_000), first(69_999)]).toEqual([1, 5, 3, 4, 2]);
  });

  test("lets go of its view when its user throws", () => {
    const map = createArray(64, 70_000);
    expect(() =>
      map.withView(0, 70_000, () => {
        throw new Error("of the user");
      }),
    ).toThrow("of the user");
    map.write(1, new Uint8Array(64).fill(9));
    expect(map.read(1)[5]).toBe(9);
  });

  test("that is not mappable is read and written, and refuses single stores", () => {
    const map = createArray(64, 10, 0);
    map.write(9, bytesOf(9, 64));
    expect(map.read(9)).toEqual(bytesOf(9, 64));
    expect(map.read(8)).toEqual(new Uint8Array(64));
    for (const use of [
      () => map.store32(1, 0, 1),
      () => map.store64(1, 0, 1n),
      () => map.withView(0, 1, () => 0),
    ]) {
      expect(use).toThrow(expect.objectContaining({ name: "MapError", code: "wrong-type" }));
    }
  });

  test("refuses everything after close", () => {
    const map = createArray(64, 10);
    map.write(1, bytesOf(1, 64));
    map.close();
    map.close();
    for (const use of [
      () => map.read(1),
      () => map.write(1, bytesOf(1, 64)),
      () => map.store32(1, 0, 1),
      () => map.store64(1, 0, 1n),
      () => map.withView(1, 1, () => 0),
    ]) {
      expect(use).toThrow(expect.objectContaining({ name: "MapError", code: "io" }));
    }
  });

  test("is the only kind that there is a view of", () => {
    const hash = Descriptor.from(libbpf().bpf_map_create(1, null, 4, 4, 1, null), "create a map", "a map");
    expect(() => kernelMap("hash", hash)).toThrow(expect.objectContaining({ code: "wrong-type" }));
    hash.close();
  });
});

describe.skipIf(isSkipped)("a process that keeps views too long", () => {
  const setup = `
    const { kernelMap } = await load("kernel-map");
    const { Descriptor } = await load("descriptor");
    const { libbpf } = await load("libbpf");
    const { NativeStruct } = await load("native");
    const create = (count) => {
      const options = new NativeStruct(48, { hasSize: true }).setU32(28, 1 << 10);
      return kernelMap("m", new Descriptor(libbpf().bpf_map_create(2, null, 4, 64, count, options.bytes), "m"));
    };
    const mappings = () => readFileSync("/proc/self/maps", "utf8").split("\\n").length;
  `;

  test.for([10, 70_000])("reads zeros after close, and lives (%i elements)", (count) => {
    const outcome = runScript(`${setup}
      const kept = [];
      for (let round = 0; round < 50; round++) {
        const map = create(${count});
        map.write(3, new Uint8Array(64).fill(7));
        let view;
        map.withView(3, 2, (bytes) => { view = bytes; });
        if (view[0] !== 7) throw new Error("no view");
        map.close();
        await collect();
        if (view[0] !== 0) throw new Error("a view of a closed map shows " + view[0]);
        view[0] = 9;
        view.fill(1);
        kept.push(view);
      }
      await collect();
      for (const view of kept) if (view[0] !== 1) throw new Error("views are not apart");
      console.log("lives");
    `);
    expect(outcome).toMatchObject({ signal: null, status: 0, stdout: "lives\n" });
  });

  test("opens and closes ten thousand maps without leaving descriptors or mappings", () => {
    const outcome = runScript(`${setup}
      const use = (map) => {
        map.store32(1, 0, 5);
        map.withView(0, 10, (bytes) => { bytes[64 * 9] = 1; });
        if (map.read(9)[0] !== 1) throw new Error("lost");
        map.close();
      };
      use(create(10));
      await collect();
      const before = { descriptors: openDescriptors(), mappings: mappings() };
      for (let i = 0; i < 10_000; i++) {
        use(create(10));
        if (i % 1000 === 999) await collect();
      }
      await collect();
      const after = { descriptors: openDescriptors(), mappings: mappings() };
      if (after.descriptors > before.descriptors) throw new Error("descriptors " + JSON.stringify({ before, after }));
      if (after.mappings > before.mappings + 100) throw new Error("mappings " + JSON.stringify({ before, after }));
      console.log("clean");
    `);
    expect(outcome).toMatchObject({ signal: null, status: 0, stdout: "clean\n" });
  });
});
