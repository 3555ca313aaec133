/** From a config to a simulator that forwards by it: the object loaded, its maps programmed, a NIC before it. */
import { MAX_CAPTURED_BYTES } from "../../dataplane/capture/pcapng-format.ts";
import type { Nic } from "../../dataplane/nic/nic.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { openSimulator, type Simulator } from "../../dataplane/simulator.ts";
import type { Engine } from "../../dataplane/vm/engine.ts";
import { XDP_PACKET_HEADROOM } from "../../dataplane/vm/xdp-buffer.ts";
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

/** Any frame that a capture may hold gets into a buffer, where a real NIC's hold a page. 1024: what is reserved around the frame. */
const BUFFER_BYTES = XDP_PACKET_HEADROOM + MAX_CAPTURED_BYTES + 1024;

export interface SimulatorOptions {
  /** Each is a CPU. */
  readonly queues: number;
  /** Every frame comes in by this queue; default: RSS chooses. */
  readonly onlyQueue?: number;
  /** Default: the interpreter. */
  readonly engine?: Engine;
}

/** Nothing of it is left to chance: the same config gives the same maps, and the same packets the same outcomes. */
export async function openProgrammedSimulator(
  config: Config,
  object: ObjectSpec,
  { queues, onlyQueue, engine }: SimulatorOptions,
): Promise<ProgrammedSimulator> {
  const request = loadRequest(config, object, {
    cpuCount: queues,
    ticksPerSecond: TICKS_PER_SECOND,
    externalClock: true,
    flowSeed: 0n,
  });
  const simulator = await openSimulator(request, {
    programClock: { variable: "clock_ticks", ticksPerSecond: TICKS_PER_SECOND },
    machine: { bufferSizeBytes: BUFFER_BYTES },
    ...(engine === undefined ? {} : { engine }),
  });
  const maps = new ProgrammedMaps(simulator, request);
  await maps.apply(config);
  return new ProgrammedSimulator(simulator, maps, onlyQueue);
}

export class ProgrammedSimulator implements ProgrammedDataplane {
  readonly engine = "interpreter";
  readonly simulator: Simulator;
  readonly nic: Nic;
  readonly #maps: ProgrammedMaps;
  readonly #onlyQueue: number | undefined;

  constructor(simulator: Simulator, maps: ProgrammedMaps, onlyQueue: number | undefined) {
    this.simulator = simulator;
    this.nic = simulator.createNic();
    this.#maps = maps;
    this.#onlyQueue = onlyQueue;
  }

  get dataplane(): Simulator {
    return this.simulator;
  }

  get names(): MapNames {
    return this.#maps.names;
  }

  /** Buffers are as long as captures may have frames. */
  whyNotRun(): NotRun | undefined {
    return undefined;
  }

  process(frame: Uint8Array, timestampNs: bigint): FrameResult {
    return this.#onlyQueue === undefined
      ? this.nic.process(frame, timestampNs)
      : this.nic.processOn(this.#onlyQueue, frame, timestampNs);
  }

  async apply(config: Config): Promise<void> {
    await this.#maps.apply(config);
  }

  async close(): Promise<void> {
    await this.simulator.close();
  }
}
