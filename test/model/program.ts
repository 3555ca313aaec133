/**
 * The real program, run as `lamna replay` runs it: the committed object on the simulator, its maps programmed through the plan, capture
 * time as its clock. One packet at a time, with the reason that was counted for it.
 */
import { readFileSync } from "node:fs";
import type { Config } from "../../control/model/config.ts";
import { REASON_NAMES } from "../../control/model/reasons.ts";
import { packageFile } from "../../control/package-root.ts";
import { readActual } from "../../control/plan/actual.ts";
import { applyPlan } from "../../control/plan/apply.ts";
import type { InterfaceEntry } from "../../control/plan/interface-table.ts";
import { loadRequest } from "../../control/plan/load-request.ts";
import { type MapNames, planChange } from "../../control/plan/plan.ts";
import type { LoadRequest } from "../../dataplane/dataplane.ts";
import type { Nic, NicOptions } from "../../dataplane/nic/nic.ts";
import { readObject } from "../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import { openSimulator, type Simulator } from "../../dataplane/simulator.ts";
import type { Answer, Runner } from "./comparison.ts";
import { TICKS_PER_SECOND } from "./flow.ts";

/** Room for jumbo frames, with their headroom. */
const BUFFER_BYTES = 16384;

let object: ObjectSpec | undefined;

/** The committed object; read once. */
export function balancerObject(): ObjectSpec {
  object ??= readObject(readFileSync(packageFile("dataplane", "xdp", "balancer.bpf.o")));
  return object;
}

export class Program implements Runner {
  readonly simulator: Simulator;
  readonly nic: Nic;
  #loaded: LoadRequest;
  #names: MapNames;
  /** Reason counters by CPU, as they were before the packet in hand. */
  readonly #reasons: BigUint64Array[];

  private constructor(simulator: Simulator, nic: Nic, loaded: LoadRequest) {
    this.simulator = simulator;
    this.nic = nic;
    this.#loaded = loaded;
    this.#names = { vips: [], backends: [] };
    this.#reasons = Array.from({ length: simulator.cpuCount }, () => new BigUint64Array(REASON_NAMES.length));
  }

  static async open(
    config: Config,
    options: { readonly cpuCount?: number; readonly nic?: NicOptions } = {},
  ): Promise<Program> {
    const request = loadRequest(config, balancerObject(), {
      cpuCount: options.cpuCount ?? 1,
      ticksPerSecond: TICKS_PER_SECOND,
      externalClock: true,
      flowSeed: 0x5eed_5eed_5eed_5eedn,
    });
    const simulator = await openSimulator(request, {
      machine: { bufferSizeBytes: BUFFER_BYTES },
      programClock: { variable: "clock_ticks", ticksPerSecond: TICKS_PER_SECOND },
    });
    const program = new Program(simulator, simulator.createNic(options.nic), request);
    await program.apply(config);
    return program;
  }

  /** What the ids in maps and counters stand for. */
  get names(): MapNames {
    return this.#names;
  }

  async apply(config: Config, interfaces?: readonly InterfaceEntry[]): Promise<void> {
    const actual = readActual(this.simulator);
    const plan = planChange({ config, actual, loaded: this.#loaded, interfaces });
    await applyPlan(plan, this.simulator);
    this.#loaded = plan.loaded;
    this.#names = plan.names;
  }

  run(frame: Uint8Array, timeNs: bigint, ifindex?: number): Answer {
    const outcome = this.nic.process(frame, timeNs, ifindex);
    const { action, queue, fault } = outcome;
    if (action === "over-length")
      throw new RangeError(`a frame of ${frame.length} bytes is too long for the NIC`);
    return {
      cpu: queue,
      verdict: action,
      reasons: this.#countedReasons(queue),
      frame: outcome.frame.slice(),
      fault: fault?.message,
    };
  }

  /** Which reason counters moved since the packet before, each as often as it did. */
  #countedReasons(cpu: number): Answer["reasons"] {
    const before = this.#reasons[cpu]!;
    return this.simulator.map("reason_counters").withView(cpu, 1, (bytes) => {
      const now = new BigUint64Array(bytes.buffer, bytes.byteOffset, before.length);
      const counted = REASON_NAMES.filter((_, reason) => now[reason] !== before[reason]);
      this.#reasons[cpu] = now.slice();
      return counted;
    });
  }

  async close(): Promise<void> {
    await this.simulator.close();
  }
}
