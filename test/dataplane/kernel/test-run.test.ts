import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { libbpf } from "../../../dataplane/kernel/libbpf.ts";
import { TestRunner, testRun } from "../../../dataplane/kernel/test-run.ts";
import { lacks, libbpf as libbpfNeed, linuxSince, root } from "../../needs.ts";
import { loadBare } from "./bare-program.ts";

const isSkipped = lacks("programs on single frames", root, libbpfNeed);
const LOOPBACK = 1;

/** Writes ingress interface and queue into the frame and shortens it by two bytes. */
const CONTEXT = `
  r6 = r1
  r2 = *(u32 *)(r6 + 0)
  r3 = *(u32 *)(r6 + 4)
  r4 = r2
  r4 += 14
  if r4 > r3 goto out
  r5 = *(u32 *)(r6 + 12)
  *(u32 *)(r2 + 0) = r5
  r5 = *(u32 *)(r6 + 16)
  *(u32 *)(r2 + 4) = r5
  r1 = r6
  r2 = -2
  call 65
out:
  r0 = 3
  exit
`;

describe.skipIf(isSkipped)("a run on one frame", () => {
  let program: Descriptor;
  beforeAll(() => {
    program = loadBare("lamna_context", CONTEXT);
  });
  afterAll(() => program.close());

  const frameOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i & 0xff);

  test("gives the verdict and the frame as the program left it", () => {
    const frame = frameOf(60);
    const outcome = testRun(program, { frame });
    expect(outcome.verdict).toBe(3);
    expect(outcome.frame).toEqual(Uint8Array.from([1, 0, 0, 0, 0, 0, 0, 0, ...frame.subarray(8, 58)]));
    expect(frame).toEqual(frameOf(60));
  });

  test("leaves an outcome alone when the next frame is run", () => {
    const first = testRun(program, { frame: frameOf(100) });
    const copy = first.frame.slice();
    testRun(program, { frame: new Uint8Array(200).fill(0xee) });
    expect(first.frame).toEqual(copy);
  });

  test.skipIf(lacks("a frame's interface", linuxSince(5, 14)))(
    "comes from the interface that is asked for",
    () => {
      const { frame } = testRun(program, { frame: frameOf(60), ifindex: LOOPBACK, queue: 0 });
      expect([...frame.subarray(0, 8)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
      expect(() => testRun(program, { frame: frameOf(60), ifindex: 0x7fff_ffff })).toThrow(
        expect.objectContaining({ code: "no-interface", errno: "ENODEV" }),
      );
      expect(() => testRun(program, { frame: frameOf(60), ifindex: LOOPBACK, queue: 9999 })).toThrow(
        expect.objectContaining({ code: "no-interface" }),
      );
      expect(testRun(program, { frame: frameOf(60) }).verdict).toBe(3);
    },
  );

  test("says before the kernel which frames it does not take, and is right", () => {
    const runner = new TestRunner(program);
    const limit = runner.refusal(1 << 20)?.limitBytes as number;
    expect(runner.refusal(13)).toEqual({ reason: "too-short", limitBytes: 14 });
    expect(runner.refusal(14)).toBeUndefined();
    expect(runner.refusal(limit)).toBeUndefined();
    expect(runner.refusal(limit + 1)).toEqual({ reason: "too-long", limitBytes: limit });
    for (const length of [13, limit + 1]) {
      expect(() => runner.run({ frame: frameOf(length) })).toThrow(
        expect.objectContaining({ name: "KernelError", code: "not-comparable" }),
      );
    }
    expect(runner.run({ frame: frameOf(14) }).frame.length).toBe(14);
    expect(runner.run({ frame: frameOf(limit) }).frame.length).toBe(limit - 2);
  });

  test.skipIf(lacks("frames in several buffers", linuxSince(5, 18)))(
    "takes long frames for programs that can",
    () => {
      const jumbo = loadBare("lamna_jumbo", "r0 = 2\nexit", { flags: 1 << 5 });
      try {
        const runner = new TestRunner(jumbo, { isMultiBuffer: true });
        const frame = frameOf(9000);
        expect(runner.run({ frame })).toEqual({ verdict: 2, frame });
      } finally {
        jumbo.close();
      }
    },
  );

  test("is measured over many", () => {
    const pass = loadBare("lamna_pass");
    try {
      const runner = new TestRunner(pass);
      const { verdict, runNs } = runner.measure({ frame: frameOf(60) }, 1000);
      expect(verdict).toBe(2);
      expect(runner.run({ frame: frameOf(61) })).toEqual({ verdict: 2, frame: frameOf(61) });
      expect(Number.isInteger(runNs)).toBe(true);
    } finally {
      pass.close();
    }
  });

  test.skipIf(lacks("live frames", linuxSince(5, 18)))(
    "sends live frames, which the interface counts",
    () => {
      const drop = loadBare("lamna_drop", "r0 = 1\nexit");
      try {
        const runner = new TestRunner(drop);
        runner.sendLive({ frame: frameOf(60), ifindex: LOOPBACK }, { count: 1000 });
        expect(runner.run({ frame: frameOf(60) })).toEqual({ verdict: 1, frame: frameOf(60) });
      } finally {
        drop.close();
      }
    },
  );

  test("of a closed program is refused", () => {
    const closed = loadBare("lamna_closed", "r0 = 2\nexit");
    expect(testRun(closed, { frame: frameOf(60) }).verdict).toBe(2);
    closed.close();
    expect(() => testRun(closed, { frame: frameOf(60) })).toThrow(
      expect.objectContaining({ code: "closed" }),
    );
  });

  test("of something that is no program is refused", () => {
    const map = Descriptor.from(libbpf().bpf_map_create(2, null, 4, 4, 1, null), "create a map", "a map");
    try {
      expect(() => testRun(map, { frame: frameOf(60) })).toThrow(
        expect.objectContaining({ errno: "EINVAL" }),
      );
    } finally {
      map.close();
    }
  });
});
