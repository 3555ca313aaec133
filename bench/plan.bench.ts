/** From a configuration to maps: planning a change of one VIP with 1000 backends, and applying it on the simulator. */
import { TICKS_PER_SECOND } from "../control/cli/programmed-dataplane.ts";
import { openProgrammedSimulator } from "../control/cli/replay-simulator.ts";
import { readShippedObject } from "../control/cli/shipped-object.ts";
import type { Config } from "../control/model/config.ts";
import { parseConfig } from "../control/model/config-file.ts";
import { readActual } from "../control/plan/actual.ts";
import { applyPlan } from "../control/plan/apply.ts";
import { loadRequest } from "../control/plan/load-request.ts";
import { planChange } from "../control/plan/plan.ts";
import type { Suite } from "./suite.ts";

const BACKENDS = 1000;

export async function planSuite(): Promise<Suite> {
  const object = readShippedObject();
  const configs = [configOf(BACKENDS), configOf(BACKENDS - 1)];
  const { simulator } = await openProgrammedSimulator(configs[0]!, object, { queues: 1 });
  let { loaded } = planChange({
    config: configs[0]!,
    actual: readActual(simulator),
    loaded: loadRequest(configs[0]!, object, {
      cpuCount: 1,
      ticksPerSecond: TICKS_PER_SECOND,
      externalClock: true,
      flowSeed: 0n,
    }),
  });
  let turn = 0;
  const change = (): ReturnType<typeof planChange> =>
    planChange({ config: configs[++turn % 2]!, actual: readActual(simulator), loaded });
  return {
    name: `one of ${BACKENDS} backends of a VIP comes or goes`,
    goal: "goal: 5 ms from request to map",
    tasks: [
      { name: "read the maps", run: () => readActual(simulator) },
      { name: "read and plan", run: change },
      {
        name: "read, plan and apply",
        run: async () => {
          const plan = change();
          await applyPlan(plan, simulator);
          loaded = plan.loaded;
        },
      },
    ],
  };
}

function configOf(count: number): Config {
  const backends = Array.from(
    { length: count },
    (_, i) => `{address: 10.1.${i >> 8}.${i & 255}, weight: ${1 + (i % 9)}}`,
  );
  const vip = `{address: 10.200.1.1, port: 80, protocol: tcp, backends: [${backends.join(", ")}]}`;
  return parseConfig(`{version: 1, settings: {gatewayMac: "02:00:00:00:00:01"}, vips: [${vip}]}`, {
    file: "bench.yaml",
  });
}
