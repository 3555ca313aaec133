/** What a process sees that lacks something: in a process of its own, as a library that was loaded stays so, and privileges that were dropped are gone. */
import { describe, expect, test } from "vitest";
import { lacks, libbpf, root } from "../../needs.ts";
import { runScript } from "./built-kernel.ts";

const OBJECT = new URL("../../../dataplane/xdp/balancer.bpf.o", import.meta.url).pathname;
const REQUEST = `
  const { readObject } = await import(${JSON.stringify(new URL("../../../dist/dataplane/object/read-object.js", import.meta.url).pathname)});
  const object = readObject(readFileSync(${JSON.stringify(OBJECT)}));
  const request = { object, program: "balance", cpuCount: 1, options: new Map(), maxEntries: new Map() };
`;
const PRINT = `
  const print = (error) => console.log(JSON.stringify({ ...error, message: error.message }));
`;

const answerOf = (script: string, environment: NodeJS.ProcessEnv = {}): Record<string, unknown> => {
  const { stdout, stderr, status, signal } = runScript(script, environment);
  expect({ stderr, status, signal }).toEqual({ stderr: "", status: 0, signal: null });
  return JSON.parse(stdout) as Record<string, unknown>;
};

test("without libbpf the modules load, and using them names the package", () => {
  const answer = answerOf(
    `${REQUEST} ${PRINT}
     const { openKernel } = await load("kernel-dataplane");
     await openKernel(request).catch(print);`,
    { LAMNA_LIBBPF: "libbpf-that-is-not-there.so.1" },
  );
  expect(answer).toMatchObject({ name: "KernelError", code: "no-libbpf" });
  expect(answer.message).toMatch(/libbpf-that-is-not-there.so.1/);
  expect(answer.remedy).toMatch(/apt-get install libbpf1/);
});

test("a library that is no libbpf is told by the function that it lacks", () => {
  const answer = answerOf(
    `${PRINT}
     const { libbpfVersion } = await load("libbpf");
     try { libbpfVersion(); } catch (error) { print(error); }`,
    { LAMNA_LIBBPF: "libc.so.6" },
  );
  expect(answer).toMatchObject({ code: "no-libbpf", message: expect.stringMatching(/libbpf_set_print/) });
});

describe.skipIf(lacks("processes with fewer privileges", root, libbpf))("a process that is not root", () => {
  test("is told which capabilities it lacks", () => {
    const answer = answerOf(`${REQUEST} ${PRINT}
      const { openKernel } = await load("kernel-dataplane");
      const { libbpfVersion } = await load("libbpf");
      libbpfVersion();
      process.setgroups([]);
      process.setgid(65534);
      process.setuid(65534);
      await openKernel(request).catch(print);`);
    expect(answer).toMatchObject({ name: "KernelError", code: "no-privilege", errno: "EPERM" });
    expect(answer.remedy).toMatch(/lacks CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON/);
  });

  test("cannot measure the clock, and is told the same", () => {
    const answer = answerOf(`${PRINT}
      const { measureTicksPerSecond } = await load("jiffies");
      const { libbpfVersion } = await load("libbpf");
      libbpfVersion();
      process.setgid(65534);
      process.setuid(65534);
      try { measureTicksPerSecond(); } catch (error) { print(error); }`);
    expect(answer).toMatchObject({ code: "no-privilege", errno: "EPERM" });
  });
});

describe.skipIf(lacks("closed handles", root, libbpf))("a process that uses what is closed", () => {
  test("is told so, and lives", () => {
    const { stdout, stderr, status, signal } = runScript(`${REQUEST}
      const { openKernel } = await load("kernel-dataplane");
      const { TestRunner } = await load("test-run");
      const { pollDescriptor } = await load("native");
      const dataplane = await openKernel(request);
      const map = dataplane.map("vips");
      const inner = dataplane.map(".data");
      const raw = dataplane.rawMap("vips");
      const { program } = dataplane;
      const runner = new TestRunner(program);
      runner.run({ frame: new Uint8Array(60) });
      let view;
      map.withView(1, 2, (bytes) => { view = bytes; });
      await dataplane.close();
      await collect();
      const uses = [
        () => map.read(1), () => map.write(1, new Uint8Array(64)), () => map.store32(1, 0, 1), () => map.withView(1, 1, () => 0),
        () => inner.read(0), () => raw.lookup(new Uint8Array(4)), () => [...raw.keys()], () => raw.entries(),
        () => runner.run({ frame: new Uint8Array(60) }), () => pollDescriptor(program, () => {}), () => dataplane.map("vips"),
        () => dataplane.setTime(1n) ?? dataplane.map("vips"), () => program.fd,
      ];
      for (const use of uses) {
        try { use(); console.log("not refused: " + use); } catch (error) {
          if (!["closed", "io"].includes(error.code)) console.log(use + ": " + error);
        }
        view.fill(1);
        await collect();
      }
      await dataplane.gracePeriod().then(() => console.log("waited"), () => {});
      console.log("lives");
    `);
    expect({ stdout, stderr, status, signal }).toEqual({
      stdout: "lives\n",
      stderr: "",
      status: 0,
      signal: null,
    });
  });

  test("gives runs their buffers as long as they last, whatever the collector does", () => {
    const { stdout, status, signal } = runScript(`
      const { measureTicksPerSecond } = await load("jiffies");
      const { RawMap } = await load("raw-map");
      const { Descriptor } = await load("descriptor");
      const { libbpf } = await load("libbpf");
      const { waitGracePeriod } = await load("grace-period");
      const waiting = [];
      for (let i = 0; i < 50; i++) {
        waiting.push(waitGracePeriod({ useMembarrier: i % 2 === 0 }));
        const map = new RawMap(new Descriptor(libbpf().bpf_map_create(1, null, 8, 8, 3000, null), "m"), "m");
        map.updateMany(Array.from({ length: 2000 }, (_, k) => ({ key: new Uint8Array(new BigUint64Array([BigInt(k)]).buffer), value: new Uint8Array(8).fill(k) })));
        global.gc();
        if (map.entries().length !== 2000) throw new Error("lost");
      }
      await Promise.all(waiting);
      measureTicksPerSecond();
      console.log("lives");
    `);
    expect({ stdout, status, signal }).toEqual({ stdout: "lives\n", status: 0, signal: null });
  });
});
