/**
 * How long a jiffy is. The program's clock is bpf_jiffies64; its unit, 1/HZ seconds, is fixed when a kernel is built, and no interface tells
 * it. So it is measured: a tiny program reads jiffies and a clock together, twice.
 */
import { assemble } from "../isa/assemble.ts";
import { encode } from "../isa/encoding.ts";
import { Descriptor } from "./descriptor.ts";
import { KernelError, systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { NativeStruct } from "./native.ts";
import { TestRunner } from "./test-run.ts";

/** Writes jiffies and nanoseconds into the frame. Helpers 118 and 5: bpf_jiffies64 (5.5), bpf_ktime_get_ns. */
const PROGRAM = `
  r6 = *(u32 *)(r1 + 0)
  r7 = *(u32 *)(r1 + 4)
  r1 = r6
  r1 += 16
  if r1 > r7 goto out
  call 118
  *(u64 *)(r6 + 0) = r0
  call 5
  *(u64 *)(r6 + 8) = r0
out:
  r0 = 2
  exit
`;
const BPF_PROG_TYPE_XDP = 6;
const LICENSE = "Dual MIT/GPL";

/** One reading of both clocks. */
export interface ClockSample {
  readonly jiffies: bigint;
  readonly timeNs: bigint;
}

/** What kernel/Kconfig.hz offers. Alpha and MIPS have others. */
const USUAL_TICKS = [100, 250, 300, 1000] as const;
/** Between the two readings of a try, in turn. 80 ms tell 250 from 300 with the tolerance below; more help a machine that is held up. */
const WINDOWS_MS = [80, 160, 320, 640] as const;
/**
 * How far the count of jiffies between two readings may be from the time between them: one, since readings fall anywhere within a jiffy, and
 * half a one, since the interrupt that counts them may be late.
 */
const JIFFIES_OFF = 1.5;

let measured: number | undefined;

/**
 * Ticks per second of bpf_jiffies64 on the running kernel. Takes 80 ms the first time, asleep and blocking. Throws KernelError: "io" when the clock cannot
 * be measured, and what loading a program throws.
 */
export function measureTicksPerSecond(): number {
  measured ??= withClockProgram((sample) => ticksPerSecondOf(sample, sleep));
  return measured;
}

/**
 * The one usual number that two readings allow. Both clocks are read within a few nanoseconds of each other, however long the process was held up
 * before or after, so a busy machine makes a window longer, and the answer surer. The beginning of a jiffy is not looked for: on a busy machine
 * that is when the process loses its CPU, and it is never seen.
 */
export function ticksPerSecondOf(sample: () => ClockSample, pause: (ms: number) => void): number {
  const rates: number[] = [];
  for (const windowMs of WINDOWS_MS) {
    const start = sample();
    pause(windowMs);
    const end = sample();
    const jiffies = Number(end.jiffies - start.jiffies);
    const seconds = Number(end.timeNs - start.timeNs) / 1e9;
    const possible = USUAL_TICKS.filter((ticks) => Math.abs(jiffies - ticks * seconds) <= JIFFIES_OFF);
    if (possible.length === 1) return possible[0]!;
    rates.push(jiffies / seconds);
  }
  const seen = rates.map((rate) => rate.toFixed(0)).join(", ");
  const why = `${seen} ticks a second were measured, expected ${USUAL_TICKS.join(", ")}`;
  throw new KernelError("io", OPERATION, why, { remedy: "try again when the machine is less busy" });
}

const OPERATION = "measure the kernel's clock";

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function withClockProgram<T>(use: (sample: () => ClockSample) => T): T {
  const instructions = encode(assemble(PROGRAM), true);
  const { bytes: options } = new NativeStruct(LOAD_OPTIONS_SIZE_BYTES, { hasSize: true });
  const fd = libbpf().bpf_prog_load(
    BPF_PROG_TYPE_XDP,
    "lamna_clock",
    LICENSE,
    instructions,
    instructions.length / 8,
    options,
  );
  if (fd < 0) throw systemError(OPERATION, fd);
  const program = new Descriptor(fd, "the program that reads the clock");
  try {
    const runner = new TestRunner(program);
    const input = { frame: new Uint8Array(64) };
    return use(() => {
      const { frame } = runner.run(input);
      const view = new DataView(frame.buffer, frame.byteOffset);
      return { jiffies: view.getBigUint64(0, true), timeNs: view.getBigUint64(8, true) };
    });
  } finally {
    program.close();
  }
}

/** struct bpf_prog_load_opts up to log_buf (bpf.h, libbpf 1.0). */
const LOAD_OPTIONS_SIZE_BYTES = 104;
