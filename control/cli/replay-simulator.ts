/** From a config to a simulator that forwards by it: the object loaded, its maps programmed, a NIC before it. */
import { MAX_CAPTURED_BYTES } from "../../dataplane/capture/pcapng-format.ts";
import type { Nic } from "../../dataplane/nic/nic.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { openSimulator, type Simulator } from "../../dataplane/simulator.ts";
import { XDP_PACKET_HEADROOM } from "../../dataplane/vm/xdp-buffer.ts";
import type { Config } from "../model/config.ts";
import { readActual } from "../plan/actual.ts";
import { applyPlan } from "../plan/apply.ts";
import { loadRequest } from "../plan/load-request.ts";
import { type MapNames, planChange } from "../plan/plan.ts";

/** The program's clock counts milliseconds of capture time. */
export const TICKS_PER_SECOND = 1000;

/** Any frame that a capture may hold gets into a buffer, where a real NIC's hold a page. 1024: what is reserved around the frame. */
const BUFFER_BYTES = XDP_PACKET_HEADROOM + MAX_CAPTURED_BYTES + 1024;

export interface ProgrammedSimulator {
  readonly simulator: Simulator;
  readonly nic: Nic;
  readonly names: MapNames;
}

/** Nothing of it is left to chance: the same config gives the same maps, and the same packets the same outcomes. */
export async function openProgrammedSimulator(
  config: Config,
  object: ObjectSpec,
  options: { readonly queues: number },
): Promise<ProgrammedSimulator> {
  const request = loadRequest(config, object, {
    cpuCount: options.queues,
    ticksPerSecond: TICKS_PER_SECOND,
    externalClock: true,
    flowSeed: 0n,
  });
  const simulator = await openSimulator(request, {
    programClock: { variable: "clock_ticks", ticksPerSecond: TICKS_PER_SECOND },
    machine: { bufferSizeBytes: BUFFER_BYTES },
  });
  const plan = planChange({ config, actual: readActual(simulator), loaded: request });
  await applyPlan(plan, simulator);
  return { simulator, nic: simulator.createNic(), names: plan.names };
}
