/**
 * The committed object on the simulator for tests of what the captures cannot show: instructions executed, and frames with little room
 * before them. Everything else about the program is in the fixtures and checked against the model.
 */
import { parseConfig } from "../../../control/model/config-file.ts";
import { REASON_NAMES } from "../../../control/model/reasons.ts";
import { readActual } from "../../../control/plan/actual.ts";
import { applyPlan } from "../../../control/plan/apply.ts";
import { loadRequest } from "../../../control/plan/load-request.ts";
import { planChange } from "../../../control/plan/plan.ts";
import { openSimulator, type Simulator } from "../../../dataplane/simulator.ts";
import type { Engine, PreparedProgram } from "../../../dataplane/vm/engine.ts";
import { interpreter } from "../../../dataplane/vm/interpreter.ts";
import { balancerObject } from "../../model/program.ts";

const XDP_VERDICTS = ["aborted", "drop", "pass", "tx", "redirect"] as const;
const CPU = 0;

export interface Run {
  readonly verdict: (typeof XDP_VERDICTS)[number];
  readonly reason: string;
  readonly frame: Uint8Array;
  readonly instructionCount: number;
}

export class Balancer {
  readonly #simulator: Simulator;
  readonly #prepared: PreparedProgram;
  readonly #counter: { instructions: number };

  private constructor(simulator: Simulator, prepared: PreparedProgram, counter: { instructions: number }) {
    this.#simulator = simulator;
    this.#prepared = prepared;
    this.#counter = counter;
  }

  static async open(configText: string): Promise<Balancer> {
    const config = parseConfig(configText, { file: "config.yaml" });
    const counter = { instructions: 0 };
    const counting = interpreter({ trace: () => void counter.instructions++ });
    const prepared: PreparedProgram[] = [];
    const engine: Engine = {
      name: "counting interpreter",
      prepare(program, machine) {
        prepared.push(counting.prepare(program, machine));
        return prepared.at(-1)!;
      },
    };
    const request = loadRequest(config, balancerObject(), {
      cpuCount: 1,
      ticksPerSecond: 1000,
      externalClock: true,
      flowSeed: 1n,
    });
    const simulator = await openSimulator(request, {
      engine,
      programClock: { variable: "clock_ticks", ticksPerSecond: 1000 },
    });
    await applyPlan(planChange({ config, actual: readActual(simulator), loaded: request }), simulator);
    return new Balancer(simulator, prepared.at(-1)!, counter);
  }

  /** `headroomBytes` is the room before the frame; drivers give 256 and the kernel keeps 40 of them. */
  run(frame: Uint8Array, { headroomBytes = 256 }: { readonly headroomBytes?: number } = {}): Run {
    const { xdp } = this.#simulator.machine.cpu(CPU);
    // A frame that is nearer to the start of its buffer: load it with bytes in front, and take in what is before it.
    const moved = 256 - headroomBytes;
    xdp.load(frame, { ingressIfindex: 1, rxQueueIndex: 0 });
    if (moved > 0) {
      if (xdp.adjustHead(-moved) !== 0 || xdp.adjustTail(-moved) !== 0)
        throw new RangeError("no such headroom");
      xdp.frame.set(frame);
    }
    const before = this.#reasons();
    this.#counter.instructions = 0;
    const code = Number(this.#prepared.run(xdp.contextAddress, 24, CPU));
    const after = this.#reasons();
    const counted = REASON_NAMES.filter((_, reason) => after[reason] !== before[reason]);
    if (counted.length !== 1) throw new Error(`one reason is counted, not "${counted.join(", ")}"`);
    return {
      verdict: XDP_VERDICTS[code]!,
      reason: counted[0]!,
      frame: xdp.frame.slice(),
      instructionCount: this.#counter.instructions,
    };
  }

  #reasons(): BigUint64Array {
    const block = this.#simulator.map("reason_counters").read(CPU);
    return new BigUint64Array(block.buffer, block.byteOffset, REASON_NAMES.length);
  }
}
