/**
 * What runs the frames of a capture: a dataplane whose maps a config has programmed, and the way to put one frame through it. The
 * simulator with its NIC and the kernel's test_run are both one, so that replay and verify need not know which they have.
 */
import type { Dataplane, LoadRequest } from "../../dataplane/dataplane.ts";
import type { Config } from "../model/config.ts";
import { readActual } from "../plan/actual.ts";
import { applyPlan } from "../plan/apply.ts";
import { type MapNames, planChange } from "../plan/plan.ts";
import type { FaultsSeen } from "./replay-faults.ts";

/** The program's clock counts milliseconds of capture time. */
export const TICKS_PER_SECOND = 1000;

export interface ProgrammedDataplane {
  readonly engine: "interpreter" | "kernel";
  readonly dataplane: Dataplane;
  /** What the ids in maps and counters stand for, by the config that was applied last. */
  readonly names: MapNames;
  /** What became of programs that were stopped; the kernel stops none. */
  readonly nic: FaultsSeen;
  /** Undefined for a frame that this engine runs, else why it cannot. */
  whyNotRun(frame: Uint8Array): NotRun | undefined;
  /** Runs the program on a frame, at the capture's time. Only for frames that it runs. The result is good until the next one. */
  process(frame: Uint8Array, timestampNs: bigint): FrameResult;
  /** Goes over to another config of the same capacity. Throws PlanError. */
  apply(config: Config): Promise<void>;
  close(): Promise<void>;
}

export interface FrameResult {
  /** The CPU it ran on: whose counters moved, and whose flow tables hold its flow. */
  readonly queue: number;
  /** What the program returned. */
  readonly code: number;
  /** The bytes as they left the program; not to be kept. */
  readonly frame: Uint8Array;
  /** Why the program was stopped. */
  readonly fault?: Error | undefined;
}

/**
 * Frames that exist in one engine only, so that it can be compared with no other:
 * - too-short: less than an Ethernet header, which the kernel takes from nobody
 * - too-long: more than the page that the kernel keeps a frame in
 */
export type NotRun = "too-short" | "too-long";

/** The maps of a dataplane that was just loaded, or that another config was applied to before. */
export class ProgrammedMaps {
  readonly dataplane: Dataplane;
  #loaded: LoadRequest;
  #names: MapNames = { vips: [], backends: [] };

  constructor(dataplane: Dataplane, loaded: LoadRequest) {
    this.dataplane = dataplane;
    this.#loaded = loaded;
  }

  get names(): MapNames {
    return this.#names;
  }

  /** Throws PlanError when the config does not go with what was loaded; nothing is changed then. */
  async apply(config: Config): Promise<void> {
    const { dataplane } = this;
    const plan = planChange({ config, actual: readActual(dataplane), loaded: this.#loaded });
    await applyPlan(plan, dataplane);
    this.#loaded = plan.loaded;
    this.#names = plan.names;
  }
}
