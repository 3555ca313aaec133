import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MapError } from "../../../dataplane/dataplane.ts";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { KernelError } from "../../../dataplane/kernel/kernel-error.ts";
import { kernelMap } from "../../../dataplane/kernel/kernel-map.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { type LoadOptions, loadObject } from "../../../dataplane/kernel/load.ts";
import { mapInfo } from "../../../dataplane/kernel/map-info.ts";
import { NativeStruct } from "../../../dataplane/kernel/native.ts";
import { programInfo } from "../../../dataplane/kernel/program-info.ts";
import { testRun } from "../../../dataplane/kernel/test-run.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { findVariable, readVariable } from "../../../dataplane/object/variables.ts";
import { lacks, libbpf as libbpfNeed, root } from "../../needs.ts";
import { objectBytes } from "../object/test-objects.ts";
import { smallRequest, withOption } from "../port-contract.ts";

const request = (
  object: ReturnType<typeof readObject>,
  program: string,
): Parameters<typeof loadObject>[0] => ({
  object,
  program,
  cpuCount: 1,
  options: new Map(),
  maxEntries: new Map(),
});
const sources = readObject(readFileSync(new URL("../vm/objects/sources.bpf.o", import.meta.url)));
const edges = readObject(readFileSync(new URL("../vm/objects/edges.bpf.o", import.meta.url)));
const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

async function refusal(load: Promise<unknown>): Promise<KernelError> {
  const error = await load.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(KernelError);
  return error as KernelError;
}

describe.skipIf(lacks("loading objects", root, libbpfNeed))("an object", () => {
  test("gives the wanted program, and every map", async () => {
    const loaded = await loadObject(request(sources, "count_sources"));
    try {
      expect(programInfo(loaded.program)).toMatchObject({ name: "count_sources" });
      expect([...loaded.maps.keys()]).toEqual(sources.maps.map(({ name }) => name));
      for (const spec of sources.maps) {
        const info = mapInfo(loaded.maps.get(spec.name)!.descriptor);
        expect(info).toMatchObject({ type: spec.type, valueSizeBytes: spec.valueSizeBytes });
      }
    } finally {
      loaded.close();
    }
  });

  test("has the options that were asked for, frozen", async () => {
    const wanted = withOption(smallRequest(), "option_hash_seed", 0x12345678);
    const loaded = await loadObject(wanted);
    try {
      const rodata = kernelMap(".rodata", loaded.maps.get(".rodata")!.descriptor);
      const bytes = rodata.read(0);
      const value = (name: string): unknown => readVariable(bytes, findVariable(wanted.object, name));
      expect(value("option_hash_seed")).toBe(0x12345678);
      expect(value("option_vip_stride")).toBe(8);
      expect(() => rodata.write(0, bytes)).toThrow(expect.objectContaining({ code: "io" }));
      expect(() => rodata.withView(0, 1, () => 0)).toThrow(expect.objectContaining({ code: "io" }));
    } finally {
      loaded.close();
    }
  });

  test("that the verifier refuses is refused with its log and its reason", async () => {
    const instructions = readObject(objectBytes("instructions"));
    const before = openDescriptors();
    const error = await refusal(loadObject(request(instructions, "arithmetic")));
    expect(error).toMatchObject({
      code: "rejected",
      errno: "EACCES",
      operation: 'load program "arithmetic"',
    });
    expect(error.message).toMatch(/R2 pointer arithmetic on pkt_end prohibited/);
    expect(error.log).toMatch(/^.*func#0|^0: /m);
    expect(error.log).toMatch(/processed \d+ insns/);
    expect(error.message).not.toMatch(/processed \d+ insns/);
    expect(openDescriptors()).toBe(before);
  });

  test.for([
    { what: "what the kernel has no function for", name: "externs", why: /kernel_function/ },
    { what: "maps that libbpf does not make", name: "maps", why: /inner_b.*static/ },
  ])("that wants $what is refused in libbpf's words", async ({ name, why }) => {
    const object = readObject(objectBytes(name));
    const error = await refusal(loadObject(request(object, object.programs[0]!.name)));
    expect(error).toMatchObject({ code: "rejected", log: undefined });
    expect(error.message).toMatch(why);
  });

  test.for([
    { what: "no ELF file", image: new Uint8Array(1000).fill(7) },
    { what: "cut off", image: edges.image.slice(0, 500) },
  ])("whose file is $what is refused", async ({ image }) => {
    const error = await refusal(loadObject(request({ ...edges, image }, "edges")));
    expect(error).toMatchObject({ code: "rejected" });
  });

  test("that came from no file is refused", async () => {
    const image = new Uint8Array(0);
    await expect(loadObject(request({ ...edges, image }, "edges"))).rejects.toThrow(RangeError);
  });

  test("is loaded for packets in several buffers when that is asked for", async () => {
    const loaded = await loadObject(request(edges, "edges"), { isMultiBuffer: true });
    expect(testRun(loaded.program, { frame: new Uint8Array(60) }).frame.length).toBeGreaterThan(0);
    loaded.close();
  });

  test("is loaded beside others, each with its own answer", async () => {
    const instructions = readObject(objectBytes("instructions"));
    const externs = readObject(objectBytes("externs"));
    const outcomes = await Promise.allSettled([
      loadObject(request(sources, "count_sources")),
      loadObject(request(instructions, "arithmetic")),
      loadObject(request(externs, "program")),
      loadObject(request(edges, "edges")),
    ]);
    const [first, refused, unknown, last] = outcomes;
    expect(refused).toMatchObject({ reason: { message: expect.stringMatching(/pkt_end prohibited/) } });
    expect(unknown).toMatchObject({ reason: { message: expect.stringMatching(/kernel_function/) } });
    for (const outcome of [first, last]) {
      if (outcome.status === "rejected") throw outcome.reason;
      outcome.value.close();
    }
  });

  test("leaves no descriptor open, and closing twice is harmless", async () => {
    const before = openDescriptors();
    for (let i = 0; i < 20; i++) {
      const loaded = await loadObject(request(sources, "count_sources"));
      loaded.close();
      loaded.close();
      expect(() => loaded.program.fd).toThrow(expect.objectContaining({ code: "closed" }));
    }
    expect(openDescriptors()).toBe(before);
  });

  describe("over maps that exist", () => {
    const verdicts = sources.maps.find(({ name }) => name === "verdicts")!;

    function createLike(change: Partial<typeof verdicts>): Descriptor {
      const { type, keySizeBytes, valueSizeBytes, maxEntries, flags } = { ...verdicts, ...change };
      const options = new NativeStruct(48, { hasSize: true }).setU32(28, flags);
      const fd = libbpf().bpf_map_create(type, null, keySizeBytes, valueSizeBytes, maxEntries, options.bytes);
      return Descriptor.from(fd, "create a map", 'map "verdicts"');
    }

    const loadOver = (name: string, descriptor: Descriptor): ReturnType<typeof loadObject> => {
      const options: LoadOptions = { reuse: new Map([[name, { descriptor }]]) };
      return loadObject(request(sources, "count_sources"), options);
    };

    test("uses them, and does not make its own", async () => {
      const present = createLike({});
      const loaded = await loadOver("verdicts", present);
      expect(loaded.maps.has("verdicts")).toBe(false);
      loaded.close();
      expect(mapInfo(present).type).toBe(verdicts.type);
      present.close();
    });

    test.for<{ field: keyof typeof verdicts; change: Partial<typeof verdicts> }>([
      { field: "type", change: { type: 1, flags: 0 } },
      { field: "valueSizeBytes", change: { valueSizeBytes: verdicts.valueSizeBytes + 8 } },
      { field: "maxEntries", change: { maxEntries: verdicts.maxEntries + 1 } },
    ])("refuses another $field, with both", async ({ field, change }) => {
      const present = createLike(change);
      const error = await loadOver("verdicts", present).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(MapError);
      expect(error).toMatchObject({ code: "wrong-layout", map: "verdicts" });
      const text = `${field} ${String(verdicts[field])}, the loaded map has ${String(change[field])}`;
      expect((error as MapError).message).toContain(text);
      present.close();
    });

    test("refuses options of another program", async () => {
      const present = createLike({});
      await expect(loadOver(".rodata", present)).rejects.toThrow(RangeError);
      present.close();
    });
  });
});
