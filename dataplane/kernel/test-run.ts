/**
 * A program on one frame, in the kernel and without an interface: BPF_PROG_TEST_RUN (net/bpf/test_run.c). What the kernel does with a frame there
 * is what a driver would have it do, with some limits of its own; `refusal` names them before the kernel answers EINVAL.
 */
import type { Descriptor } from "./descriptor.ts";
import { errnoName, KernelError, systemError } from "./kernel-error.ts";
import { isLinuxSince } from "./kernel-version.ts";
import { libbpf } from "./libbpf.ts";
import { pageSizeBytes } from "./mapping.ts";
import { NativeStruct } from "./native.ts";

export interface TestFrame {
  readonly frame: Uint8Array;
  /** Interface that the frame came from, as `xdp_md.ingress_ifindex`; it must be there in this network namespace. Default: loopback. Since Linux 5.14. */
  readonly ifindex?: number | undefined;
  /** Of that interface. */
  readonly queue?: number | undefined;
}

export interface TestOutcome {
  /** XDP_* or whatever the program returned. */
  readonly verdict: number;
  /** A copy of the frame as the program left it. */
  readonly frame: Uint8Array;
}

/** Why a frame cannot be run here although it may come in on a wire. */
export interface FrameRefusal {
  readonly reason: "too-short" | "too-long";
  readonly limitBytes: number;
}

/** struct bpf_test_run_opts (bpf.h). */
const OPTIONS = {
  sizeBytes: 80,
  dataIn: 8,
  dataOut: 16,
  dataInSize: 24,
  dataOutSize: 28,
  contextIn: 32,
  contextInSize: 48,
  verdict: 56,
  repeat: 60,
  duration: 64,
  flags: 68,
  batchSize: 76,
} as const;
/** struct xdp_md (include/uapi/linux/bpf.h). */
const XDP_MD = { sizeBytes: 24, data: 0, dataEnd: 4, ingressIfindex: 12, rxQueueIndex: 16 } as const;

const ETH_HLEN = 14;
const XDP_PACKET_HEADROOM = 256;
/** struct skb_shared_info, rounded up to a cache line, which the kernel keeps free behind a frame: 320 bytes on 64-bit kernels since 4.x. */
const SHARED_INFO_SIZE_BYTES = 320;
/** What the kernel puts into further pages for programs that take packets in several buffers: MAX_SKB_FRAGS of them. */
const FRAGMENTS_MAX = 17;
const EINTR = 4;
const INTERRUPTIONS_MAX = 100;
const BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;

export interface TestRunnerOptions {
  /** The program was loaded for packets in several buffers (BPF_F_XDP_HAS_FRAGS); the kernel does not tell. */
  readonly isMultiBuffer?: boolean;
}

/** Runs one program. Keeps its buffers between runs, as making them costs more than the run. */
export class TestRunner {
  readonly #program: Descriptor;
  readonly #frameSizeMaxBytes: number;
  readonly #options: NativeStruct;
  readonly #input: Uint8Array;
  readonly #output: Uint8Array;
  readonly #context: NativeStruct;
  // What the options say now: setting a pointer costs as much as a tenth of a run.
  #hasContext = false;
  #hasOutput = false;

  /** The descriptor stays its owner's. */
  constructor(program: Descriptor, { isMultiBuffer = false }: TestRunnerOptions = {}) {
    this.#program = program;
    const page = pageSizeBytes();
    const linearMaxBytes = page - XDP_PACKET_HEADROOM - SHARED_INFO_SIZE_BYTES;
    this.#frameSizeMaxBytes = isMultiBuffer ? linearMaxBytes + FRAGMENTS_MAX * page : linearMaxBytes;
    this.#input = new Uint8Array(this.#frameSizeMaxBytes);
    // A program may grow the frame into what is kept free before and behind it.
    this.#output = new Uint8Array(this.#frameSizeMaxBytes + page);
    this.#context = new NativeStruct(XDP_MD.sizeBytes);
    this.#options = new NativeStruct(OPTIONS.sizeBytes, { hasSize: true }).setPointer(
      OPTIONS.dataIn,
      this.#input,
    );
  }

  /** Undefined when the kernel takes frames of this length. */
  refusal(frameSizeBytes: number): FrameRefusal | undefined {
    if (frameSizeBytes < ETH_HLEN) return { reason: "too-short", limitBytes: ETH_HLEN };
    const limitBytes = this.#frameSizeMaxBytes;
    return frameSizeBytes > limitBytes ? { reason: "too-long", limitBytes } : undefined;
  }

  /** Throws KernelError: "not-comparable" for what `refusal` names, "no-interface", "no-feature", "closed". */
  run(input: TestFrame): TestOutcome {
    this.#prepare(input);
    const options = this.#options;
    this.#setOutput(true);
    this.#call(input);
    return {
      verdict: options.u32(OPTIONS.verdict),
      frame: this.#output.slice(0, options.u32(OPTIONS.dataOutSize)),
    };
  }

  /**
   * Runs it many times over one frame, which is NOT restored between runs: for programs that leave it as it is. Returns the mean time of a run
   * as the kernel measured it, whole nanoseconds. Blocks. Throws as `run` does.
   */
  measure(input: TestFrame, repeat: number): { readonly verdict: number; readonly runNs: number } {
    this.#prepare(input);
    const options = this.#options;
    this.#setOutput(false);
    options.setU32(OPTIONS.repeat, repeat);
    try {
      this.#call(input);
    } finally {
      options.setU32(OPTIONS.repeat, 0);
    }
    return { verdict: options.u32(OPTIONS.verdict), runNs: options.u32(OPTIONS.duration) };
  }

  /**
   * Sends `count` frames through the program as if `ifindex` had received them: XDP_TX and redirects leave through real interfaces
   * (BPF_F_TEST_XDP_LIVE_FRAMES, Linux 5.18; older kernels would ignore the flag). The kernel uses a batch's pages again without restoring them, so what
   * the program changes in a frame is still changed when that page's turn comes again. Blocks. Runs in the calling thread's network namespace. Throws as `run` does.
   */
  sendLive(
    input: TestFrame,
    { count, batchSize = 64 }: { readonly count: number; readonly batchSize?: number },
  ): void {
    if (!isLinuxSince(5, 18)) {
      throw new KernelError(
        "no-feature",
        `${this.#program.what}: send live frames`,
        "takes Linux 5.18 or later",
      );
    }
    this.#prepare(input);
    const options = this.#options;
    this.#setOutput(false);
    options.setU32(OPTIONS.repeat, count).setU32(OPTIONS.flags, BPF_F_TEST_XDP_LIVE_FRAMES);
    options.setU32(OPTIONS.batchSize, batchSize);
    try {
      this.#call(input);
    } finally {
      options.setU32(OPTIONS.repeat, 0).setU32(OPTIONS.flags, 0).setU32(OPTIONS.batchSize, 0);
    }
  }

  #prepare({ frame, ifindex = 0, queue = 0 }: TestFrame): void {
    const refusal = this.refusal(frame.length);
    if (refusal !== undefined) {
      const limit = refusal.reason === "too-short" ? "at least" : "at most";
      const why = `a frame of ${frame.length} bytes, the kernel's test run takes ${limit} ${refusal.limitBytes}`;
      throw new KernelError("not-comparable", `${this.#program.what}: run it`, why);
    }
    this.#input.set(frame);
    const options = this.#options;
    options.setU32(OPTIONS.dataInSize, frame.length);
    const wantsContext = ifindex !== 0 || queue !== 0;
    if (wantsContext) {
      this.#context
        .setU32(XDP_MD.dataEnd, frame.length)
        .setU32(XDP_MD.ingressIfindex, ifindex)
        .setU32(XDP_MD.rxQueueIndex, queue);
    }
    if (wantsContext === this.#hasContext) return;
    this.#hasContext = wantsContext;
    options
      .setPointer(OPTIONS.contextIn, wantsContext ? this.#context.bytes : null)
      .setU32(OPTIONS.contextInSize, wantsContext ? XDP_MD.sizeBytes : 0);
  }

  #setOutput(isWanted: boolean): void {
    const options = this.#options;
    // The kernel writes the size of what it gave into the same field.
    options.setU32(OPTIONS.dataOutSize, isWanted ? this.#output.length : 0);
    if (isWanted === this.#hasOutput) return;
    this.#hasOutput = isWanted;
    options.setPointer(OPTIONS.dataOut, isWanted ? this.#output : null);
  }

  #call({ ifindex = 0, queue = 0 }: TestFrame): void {
    let result = -EINTR;
    // A signal ends a long run; a single one is simply done again.
    for (let i = 0; i < INTERRUPTIONS_MAX && result === -EINTR; i++) {
      result = libbpf().bpf_prog_test_run_opts(this.#program.fd, this.#options.bytes);
    }
    if (result >= 0) return;
    const operation = `${this.#program.what}: run it`;
    if (this.#hasContext && errnoName(result) === "EINVAL") {
      const why = `EINVAL: interface ${ifindex} with queue ${queue} is not there, or this kernel is older than 5.14`;
      const code = isLinuxSince(5, 14) ? "no-interface" : "no-feature";
      throw new KernelError(code, operation, why, { errno: "EINVAL" });
    }
    throw systemError(operation, result);
  }
}

const runners = new WeakMap<Descriptor, TestRunner>();

/** One run of a program that was loaded without isMultiBuffer; see TestRunner. */
export function testRun(program: Descriptor, input: TestFrame): TestOutcome {
  let runner = runners.get(program);
  if (runner === undefined) {
    runner = new TestRunner(program);
    runners.set(program, runner);
  }
  return runner.run(input);
}
