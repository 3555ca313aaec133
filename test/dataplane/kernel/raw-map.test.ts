import { afterEach, describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";
import { BPF_EXIST, BPF_NOEXIST, possibleCpuCount, RawMap } from "../../../dataplane/kernel/raw-map.ts";
import { lacks, libbpf as libbpfNeed, root } from "../../needs.ts";

const HASH = 1;
const ARRAY = 2;
const PERCPU_HASH = 5;
const PERCPU_ARRAY = 6;
const LRU_HASH = 9;
const LRU_PERCPU_HASH = 10;
const LPM_TRIE = 11;
const QUEUE = 22;
const BPF_F_NO_PREALLOC = 1;

describe.skipIf(lacks("maps by system calls", root, libbpfNeed))("a map by system calls", () => {
  const opened: Descriptor[] = [];
  afterEach(() => {
    for (const descriptor of opened.splice(0)) descriptor.close();
  });

  interface Definition {
    readonly type: number;
    readonly keySizeBytes?: number;
    readonly valueSizeBytes?: number;
    readonly maxEntries?: number;
    readonly flags?: number;
  }

  function create({
    type,
    keySizeBytes = 8,
    valueSizeBytes = 12,
    maxEntries = 5000,
    flags = 0,
  }: Definition): RawMap {
    const options = new NativeStruct(48, { hasSize: true }).setU32(28, flags);
    const fd = libbpf().bpf_map_create(type, null, keySizeBytes, valueSizeBytes, maxEntries, options.bytes);
    const descriptor = Descriptor.from(fd, "create a map", "a map");
    opened.push(descriptor);
    return new RawMap(descriptor, "table");
  }

  /** A trie's keys begin with the length of their prefix. */
  const keyOf = (map: RawMap, number: number): Uint8Array => {
    const key = new Uint8Array(map.keySizeBytes);
    const view = new DataView(key.buffer);
    if (map.type === LPM_TRIE) view.setUint32(0, 32, true);
    view.setUint32(map.type === LPM_TRIE ? 4 : 0, number, true);
    return key;
  };
  const contentOf = (map: RawMap, number: number): Uint8Array =>
    Uint8Array.from({ length: map.userValueSizeBytes }, (_, i) => (number + i) & 0xff);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

  const tables: readonly (Definition & { readonly what: string })[] = [
    { what: "a hash table", type: HASH },
    { what: "a hash table without preallocation", type: HASH, flags: BPF_F_NO_PREALLOC },
    { what: "an LRU hash table", type: LRU_HASH, maxEntries: 20_000 },
    { what: "a hash table a CPU", type: PERCPU_HASH, valueSizeBytes: 8 },
    { what: "an LRU hash table a CPU", type: LRU_PERCPU_HASH, valueSizeBytes: 8, maxEntries: 20_000 },
    { what: "a trie of prefixes", type: LPM_TRIE, flags: BPF_F_NO_PREALLOC },
  ];

  test.for(tables)("as $what does what was done to it", (definition) => {
    const map = create(definition);
    const count = 3000;
    // What the kernel keeps of a value of one CPU ends where the value does, and 12 bytes are rounded up.
    const entries = Array.from({ length: count }, (_, i) => ({
      key: keyOf(map, i),
      value: contentOf(map, i),
    }));
    map.updateMany(entries);
    expect(map.lookup(keyOf(map, 7))).toEqual(contentOf(map, 7));
    expect(map.lookup(keyOf(map, count))).toBeUndefined();

    const texts = (list: readonly { key: Uint8Array; value: Uint8Array }[]): string[] =>
      list.map(({ key, value }) => `${hex(key)} ${hex(value)}`).sort();
    expect(texts(map.entries())).toEqual(texts(entries));
    expect([...map.keys()].map(hex).sort()).toEqual(entries.map(({ key }) => hex(key)).sort());

    expect(map.delete(keyOf(map, 7))).toBe(true);
    expect(map.delete(keyOf(map, 7))).toBe(false);
    expect(map.lookup(keyOf(map, 7))).toBeUndefined();
    expect(map.entries().length).toBe(count - 1);
    map.update(keyOf(map, 7), contentOf(map, 9), BPF_NOEXIST);
    expect(map.lookup(keyOf(map, 7))).toEqual(contentOf(map, 9));
  });

  test("has the flags of an update, and their refusals", () => {
    const map = create({ type: HASH, maxEntries: 2 });
    const [a, b, c] = [keyOf(map, 1), keyOf(map, 2), keyOf(map, 3)];
    expect(() => map.update(a, contentOf(map, 1), BPF_EXIST)).toThrow(
      expect.objectContaining({ code: "not-found", errno: "ENOENT" }),
    );
    map.update(a, contentOf(map, 1), BPF_NOEXIST);
    expect(() => map.update(a, contentOf(map, 2), BPF_NOEXIST)).toThrow(
      expect.objectContaining({ code: "busy", errno: "EEXIST" }),
    );
    map.update(b, contentOf(map, 2));
    expect(() => map.update(c, contentOf(map, 3))).toThrow(expect.objectContaining({ code: "no-space" }));
    expect(() => map.updateMany([{ key: c, value: contentOf(map, 3) }])).toThrow(
      expect.objectContaining({ code: "no-space" }),
    );
    expect(map.entries().length).toBe(2);
  });

  test("of one value a CPU gives each CPU's", () => {
    const map = create({ type: PERCPU_ARRAY, keySizeBytes: 4, valueSizeBytes: 12, maxEntries: 4 });
    expect(map.userValueSizeBytes).toBe(16 * possibleCpuCount());
    const value = new Uint8Array(map.userValueSizeBytes);
    for (let cpu = 0; cpu < possibleCpuCount(); cpu++) map.valueOfCpu(value, cpu).fill(cpu + 1);
    map.update(keyOf(map, 3), value);
    const read = map.lookup(keyOf(map, 3)) as Uint8Array;
    for (let cpu = 0; cpu < possibleCpuCount(); cpu++) {
      expect(map.valueOfCpu(read, cpu)).toEqual(new Uint8Array(12).fill(cpu + 1));
    }
    expect(map.entries().length).toBe(4);
    expect(() => map.valueOfCpu(read, possibleCpuCount())).toThrow(
      expect.objectContaining({ code: "out-of-range" }),
    );
  });

  test("as an array has all elements, and none is deleted", () => {
    const map = create({ type: ARRAY, keySizeBytes: 4, maxEntries: 1500 });
    map.update(keyOf(map, 1499), contentOf(map, 1));
    const entries = map.entries();
    expect(entries.length).toBe(1500);
    expect(entries[1499]).toEqual({ key: keyOf(map, 1499), value: contentOf(map, 1) });
    expect(map.lookup(keyOf(map, 1500))).toBeUndefined();
    expect(() => map.delete(keyOf(map, 1))).toThrow(
      expect.objectContaining({ name: "KernelError", errno: "EINVAL" }),
    );
  });

  test("refuses keys and values of the wrong size before C sees them", () => {
    const map = create({ type: HASH });
    const wrongSize = expect.objectContaining({ name: "MapError", code: "wrong-size", map: "table" });
    expect(() => map.lookup(new Uint8Array(7))).toThrow(wrongSize);
    expect(() => map.update(new Uint8Array(9), contentOf(map, 1))).toThrow(wrongSize);
    expect(() => map.update(keyOf(map, 1), new Uint8Array(11))).toThrow(wrongSize);
    expect(() => map.delete(new Uint8Array(0))).toThrow(wrongSize);
    expect(() => map.updateMany([{ key: keyOf(map, 1), value: new Uint8Array(1) }])).toThrow(wrongSize);
  });

  test("that has no keys says so", () => {
    const map = create({ type: QUEUE, keySizeBytes: 0, valueSizeBytes: 4, maxEntries: 4 });
    expect(() => map.entries()).toThrow(expect.objectContaining({ name: "KernelError" }));
  });

  test("is refused after its descriptor was closed", () => {
    const map = create({ type: HASH });
    for (const descriptor of opened.splice(0)) descriptor.close();
    expect(() => map.lookup(new Uint8Array(8))).toThrow(expect.objectContaining({ code: "closed" }));
    expect(() => map.entries()).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
