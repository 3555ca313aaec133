/** The balancer in the running kernel, programmed from a config; for benchmarks, which attach it themselves. */
import { readShippedObject } from "../control/cli/shipped-object.ts";
import { parseConfig } from "../control/model/config-file.ts";
import { readActual } from "../control/plan/actual.ts";
import { applyPlan } from "../control/plan/apply.ts";
import { loadRequest } from "../control/plan/load-request.ts";
import { planChange } from "../control/plan/plan.ts";
import type { LoadRequest } from "../dataplane/dataplane.ts";
import { measureTicksPerSecond } from "../dataplane/kernel/jiffies.ts";
import { type KernelDataplane, openKernel } from "../dataplane/kernel/kernel-dataplane.ts";
import { libbpfVersion } from "../dataplane/kernel/libbpf.ts";
import { possibleCpuCount } from "../dataplane/kernel/raw-map.ts";
import { SuiteUnavailable } from "./suite.ts";

/** Throws SuiteUnavailable where nothing can be loaded. */
export function requireKernel(): void {
  if (process.getuid?.() !== 0) throw new SuiteUnavailable("needs root");
  try {
    libbpfVersion();
  } catch (error) {
    throw new SuiteUnavailable((error as Error).message, { cause: error });
  }
}

/** What `lamna attach` would load for this config. */
export function kernelRequest(yaml: string): LoadRequest {
  return loadRequest(parseConfig(yaml, { file: "bench.yaml" }), readShippedObject(), {
    cpuCount: possibleCpuCount(),
    ticksPerSecond: measureTicksPerSecond(),
    externalClock: false,
    flowSeed: 0x0123_4567_89ab_cdefn,
  });
}

export async function openKernelBalancer(yaml: string): Promise<KernelDataplane> {
  const request = kernelRequest(yaml);
  const dataplane = await openKernel(request);
  const config = parseConfig(yaml, { file: "bench.yaml" });
  await applyPlan(planChange({ config, actual: readActual(dataplane), loaded: request }), dataplane);
  return dataplane;
}
