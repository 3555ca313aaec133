/**
 * From a config to a program in the kernel that test runs put frames through. It is on no interface, and nothing of it is left when it is
 * closed. Time is the capture's, and all runs happen on one CPU, so that the same packets leave the same flow tables.
 */
import { pinThread } from "../../dataplane/kernel/cpu-affinity.ts";
import type { Descriptor } from "../../dataplane/kernel/descriptor.ts";
import { type KernelDataplane, openKernel } from "../../dataplane/kernel/kernel-dataplane.ts";
import { TestRunner } from "../../dataplane/kernel/test-run.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import type { Config } from "../model/config.ts";
import { loadRequest } from "../plan/load-request.ts";
import type { MapNames } from "../plan/plan.ts";
import {
  type FrameResult,
  type NotRun,
  type ProgrammedDataplane,
  ProgrammedMaps,
  TICKS_PER_SECOND,
} from "./programmed-dataplane.ts";
import type { FaultsSeen } from "./replay-faults.ts";

/** Keeps the calling thread on one CPU until it is closed. Rejects with KernelError, MapError or PlanError. */
export async function openProgrammedKernel(config: Config, object: ObjectSpec): Promise<ProgrammedKernel> {
  const undo: (() => void | Promise<void>)[] = [];
  try {
    const pinned = pinThread();
    undo.push(() => pinned.release());
    const request = loadRequest(config, object, {
      // No other CPU than this runs the program.
      cpuCount: pinned.cpu + 1,
      ticksPerSecond: TICKS_PER_SECOND,
      externalClock: true,
      flowSeed: 0n,
    });
    const kernel = await openKernel(request, {
      programClock: { variable: "clock_ticks", ticksPerSecond: TICKS_PER_SECOND },
    });
    undo.push(() => kernel.close());
    const maps = new ProgrammedMaps(kernel, request);
    await maps.apply(config);
    return new ProgrammedKernel(kernel, maps, pinned.cpu, () => pinned.release());
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

/** The kernel runs no program that could be stopped. */
const NO_FAULTS: FaultsSeen = { faults: [], counters: () => ({ xdp_faults: 0 }) };

export class ProgrammedKernel implements ProgrammedDataplane {
  readonly engine = "kernel";
  readonly nic: FaultsSeen = NO_FAULTS;
  /** That all frames run on. */
  readonly cpu: number;
  readonly dataplane: KernelDataplane;
  readonly #maps: ProgrammedMaps;
  readonly #release: () => void;
  #program: Descriptor;
  #runner: TestRunner;

  constructor(dataplane: KernelDataplane, maps: ProgrammedMaps, cpu: number, release: () => void) {
    this.dataplane = dataplane;
    this.cpu = cpu;
    this.#maps = maps;
    this.#release = release;
    this.#program = dataplane.program;
    this.#runner = new TestRunner(this.#program);
  }

  get names(): MapNames {
    return this.#maps.names;
  }

  whyNotRun(frame: Uint8Array): NotRun | undefined {
    return this.#runner.refusal(frame.length)?.reason;
  }

  /** Throws KernelError when the kernel refuses the run, which it does for frames that it does not run. */
  process(frame: Uint8Array, timestampNs: bigint): FrameResult {
    this.dataplane.setTime(timestampNs);
    const { verdict, frame: after } = this.#runner.run({ frame });
    return { queue: this.cpu, code: verdict, frame: after };
  }

  async apply(config: Config): Promise<void> {
    await this.#maps.apply(config);
    if (this.dataplane.program === this.#program) return;
    this.#program = this.dataplane.program;
    this.#runner = new TestRunner(this.#program);
  }

  async close(): Promise<void> {
    this.#release();
    await this.dataplane.close();
  }
}
