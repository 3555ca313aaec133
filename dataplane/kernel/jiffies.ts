/**
 * How long a jiffy is. The program's clock is bpf_jiffies64; its unit, 1/HZ seconds, is fixed when a kernel is built, and no interface tells
 * it. So it is measured: a tiny program reads jiffies and a clock together, again and again.
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
/** Apart from its neighbours by 20 % at least; a machine that is busy is off by a few percent. */
const ERROR_MAX = 0.05;
/** Two ticks of the slowest. */
const WINDOW_NS = 20_000_000n;
/** A jiffy that was seen to begin within this time. */
const EDGE_NS = 200_000n;
const WINDOWS_MAX = 12;
/** Bounds the search where the clock does not go at all. */
const SEARCH_NS = 500_000_000n;

let measured: number | undefined;

/**
 * Ticks per second of bpf_jiffies64 on the running kernel. Takes 40 to 70 ms the first time, blocking. Throws KernelError: "io" when the clock cannot
 * be measured, and what loading a program throws.
 */
export function measureTicksPerSecond(): number {
  measured ??= withClockProgram(ticksPerSecondOf);
  return measured;
}

/**
 * Two windows that agree on one of the usual numbers decide. A window goes from the beginning of one jiffy to that of another at least 20 ms later; a
 * beginning counts when two readings around it are close together, so that a process that was held up meanwhile takes no part. `sample` reads both clocks.
 */
export function ticksPerSecondOf(sample: () => ClockSample): number {
  const rates: number[] = [];
  const votes = new Map<number, number>();
  for (let window = 0; window < WINDOWS_MAX; window++) {
    const start = nextEdge(sample);
    let end = start;
    while (end.timeNs - start.timeNs < WINDOW_NS) end = nextEdge(sample);
    const rate = (Number(end.jiffies - start.jiffies) * 1e9) / Number(end.timeNs - start.timeNs);
    rates.push(rate);
    const ticks = USUAL_TICKS.find((usual) => Math.abs(rate / usual - 1) <= ERROR_MAX);
    if (ticks === undefined) continue;
    const count = (votes.get(ticks) ?? 0) + 1;
    if (count === 2) return ticks;
    votes.set(ticks, count);
  }
  const seen = rates.map((rate) => rate.toFixed(0)).join(", ");
  const why = `${seen} ticks a second were measured, expected ${USUAL_TICKS.join(", ")}`;
  throw new KernelError("io", OPERATION, why, { remedy: "try again when the machine is less busy" });
}

const OPERATION = "measure the kernel's clock";

/** The first reading of a jiffy that has just begun. */
function nextEdge(sample: () => ClockSample): ClockSample {
  const first = sample();
  let previous = first;
  for (;;) {
    const now = sample();
    if (now.jiffies !== previous.jiffies && now.timeNs - previous.timeNs <= EDGE_NS) return now;
    if (now.timeNs - first.timeNs > SEARCH_NS) {
      throw new KernelError("io", OPERATION, "no jiffy was seen to begin within half a second", {
        remedy: "try again when the machine is less busy",
      });
    }
    previous = now;
  }
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
