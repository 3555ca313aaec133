import { readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  adoptKernel,
  type KernelDataplane,
  openKernel,
  type Replacement,
} from "../../../dataplane/kernel/kernel-dataplane.ts";
import { loadObject } from "../../../dataplane/kernel/load.ts";
import { programInfo } from "../../../dataplane/kernel/program-info.ts";
import { testRun } from "../../../dataplane/kernel/test-run.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { findVariable } from "../../../dataplane/object/variables.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { describePort, smallRequest, withEntries, withOption } from "../port-contract.ts";

const isSkipped = lacks("the kernel dataplane", root, libbpf);
const FRAME = new Uint8Array(60);
const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

describe.skipIf(isSkipped)("in this kernel", () => {
  describePort("the kernel", openKernel);
});

describe.skipIf(isSkipped)("a kernel dataplane", () => {
  let dataplane: KernelDataplane;
  let descriptorsBefore = 0;
  beforeEach(async () => {
    descriptorsBefore = openDescriptors();
    dataplane = await openKernel(smallRequest(), {
      programClock: { variable: "clock_ticks", ticksPerSecond: 1000 },
    });
  });
  afterEach(async () => {
    await dataplane.close();
    expect(openDescriptors()).toBe(descriptorsBefore);
  });

  const replaced = (): ReturnType<typeof smallRequest> =>
    withOption(smallRequest(), "option_scope_all", true);

  test("tells of a new program before the old one is closed", async () => {
    const previous = dataplane.program;
    const seen: Replacement[] = [];
    dataplane.beforeReplace((replacement) => {
      expect(testRun(replacement.previous, { frame: FRAME }).frame).toEqual(FRAME);
      expect(testRun(replacement.program, { frame: FRAME }).frame).toEqual(FRAME);
      seen.push(replacement);
    });
    const request = replaced();
    await dataplane.replaceProgram(request);
    expect(seen).toMatchObject([{ request, previous, program: dataplane.program }]);
    expect([...seen[0]!.newMaps.keys()]).toEqual([".rodata"]);
    expect(previous.isClosed).toBe(true);
    expect(dataplane.request).toBe(request);
    const { offsetBytes } = findVariable(request.object, "option_scope_all");
    expect(dataplane.map(".rodata").read(0)[offsetBytes]).toBe(1);
  });

  test("keeps the old program when the new one cannot be put in its place", async () => {
    const { program, request } = dataplane;
    const openedNow = openDescriptors();
    let isFailing = true;
    dataplane.beforeReplace(async () => {
      if (isFailing) throw new Error("no link");
    });
    await expect(dataplane.replaceProgram(replaced())).rejects.toThrow("no link");
    expect(dataplane.program).toBe(program);
    expect(dataplane.request).toBe(request);
    expect(testRun(program, { frame: FRAME }).frame).toEqual(FRAME);
    expect(openDescriptors()).toBe(openedNow);
    isFailing = false;
    await dataplane.replaceProgram(replaced());
    expect(program.isClosed).toBe(true);
  });

  test("replaces one program at a time", async () => {
    const first = dataplane.replaceProgram(replaced());
    await expect(dataplane.replaceProgram(replaced())).rejects.toMatchObject({ code: "busy" });
    await first;
  });

  test("does not become a program's owner again when it is closed while that is loaded", async () => {
    const replacing = dataplane.replaceProgram(replaced());
    await dataplane.close();
    await expect(replacing).rejects.toMatchObject({ code: expect.stringMatching(/closed|not-found|io/) });
  });

  test("sets the program's clock, by ticks and by time", () => {
    const { offsetBytes } = findVariable(dataplane.request.object, "clock_ticks");
    const ticks = (): bigint =>
      new DataView(dataplane.map(".data").read(0).buffer).getBigUint64(offsetBytes, true);
    dataplane.setClockTicks(0x0102030405060708n);
    expect(ticks()).toBe(0x0102030405060708n);
    dataplane.setTime(5_250_999_999n);
    expect(ticks()).toBe(5250n);
  });

  test("gives any map by system calls", () => {
    dataplane.map("vips").write(2, new Uint8Array(64).fill(6));
    const raw = dataplane.rawMap("vips");
    expect(raw.lookup(Uint8Array.of(2, 0, 0, 0))).toEqual(new Uint8Array(64).fill(6));
    expect(() => dataplane.rawMap("nothing")).toThrow(expect.objectContaining({ code: "no-such-map" }));
  });
});

describe.skipIf(isSkipped)("what is in the kernel already", () => {
  test("is taken over, with its descriptors, and its program replaced", async () => {
    const before = openDescriptors();
    const request = smallRequest();
    const loaded = await loadObject(request);
    const dataplane = adoptKernel(loaded);
    dataplane.map("vips").write(1, new Uint8Array(64).fill(1));
    dataplane.map("flows_ipv4").inner(1).write(3, new Uint8Array(64).fill(2));
    await dataplane.replaceProgram(withOption(request, "option_scope_all", true));
    expect(programInfo(dataplane.program).name).toBe("balance");
    expect(dataplane.map("vips").read(1)[0]).toBe(1);
    expect(dataplane.map("flows_ipv4").inner(1).read(3)[0]).toBe(2);
    await expect(dataplane.replaceProgram(withEntries(request, "vips", 7))).rejects.toMatchObject({
      code: "wrong-layout",
      map: "vips",
    });
    await expect(dataplane.replaceProgram(withEntries(request, "flows_ipv4", 128))).rejects.toMatchObject({
      code: "wrong-layout",
    });
    await dataplane.close();
    expect(openDescriptors()).toBe(before);
  });

  test("works without a clock of its own, and says so when one is set", async () => {
    const object = readObject(readFileSync(new URL("../vm/objects/edges.bpf.o", import.meta.url)));
    const request = {
      ...smallRequest(),
      object,
      program: "edges",
      options: new Map(),
      maxEntries: new Map(),
    };
    const dataplane = await openKernel(request);
    dataplane.setTime(1n);
    expect(() => dataplane.setClockTicks(1n)).toThrow(RangeError);
    await dataplane.close();
    expect(() => testRun(dataplane.program, { frame: FRAME })).toThrow(
      expect.objectContaining({ code: "closed" }),
    );
  });
});
