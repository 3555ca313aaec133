/** The kernel's verifier takes the committed objects, with each switch both ways. */
import { readShippedDecapObject, readShippedObject } from "../../../control/cli/shipped-object.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { changeableOptions, loadRequest } from "../../../control/plan/load-request.ts";
import type { LoadRequest } from "../../../dataplane/dataplane.ts";
import { measureTicksPerSecond } from "../../../dataplane/kernel/jiffies.ts";
import { openKernel } from "../../../dataplane/kernel/kernel-dataplane.ts";
import { loadObject } from "../../../dataplane/kernel/load.ts";
import { possibleCpuCount } from "../../../dataplane/kernel/raw-map.ts";
import { EchoMode } from "../../../dataplane/xdp/generated/balancer.ts";
import type { Check } from "./check.ts";

const CONFIG = parseConfig("version: 1\nvips: []\ncapacity: {vips: 8, backends: 8, flowsPerCpu: 1024}\n", {
  file: "config.yaml",
});

type Options = Readonly<Record<string, number | boolean>>;

export function loadChecks(): Check[] {
  const defaults = changeableOptions(CONFIG);
  const switches = [...defaults].filter(([, value]) => typeof value === "boolean").map(([name]) => name);
  const allAt = (value: boolean): Options => Object.fromEntries(switches.map((name) => [name, value]));
  // The first is each switch one way; then each alone the other way, and all of them together.
  const variants: readonly Options[] = [
    {},
    ...switches.map((name) => ({ [name]: !defaults.get(name) })),
    ...Object.values(EchoMode)
      .filter((mode) => mode !== defaults.get("option_echo"))
      .map((mode) => ({ option_echo: mode })),
    { option_external_clock: true },
    { ...allAt(true), option_echo: EchoMode.ECHO_ANY },
    { ...allAt(false), option_echo: EchoMode.ECHO_OFF },
  ];
  return [
    ...variants.map((options) => ({
      name: `the verifier takes the balancer with ${describe(options)}`,
      run: () => loadBalancer(options),
    })),
    ...readShippedDecapObject().programs.map(({ name }) => ({
      name: `the verifier takes the decapsulation program "${name}"`,
      run: () => loadDecap(name),
    })),
  ];
}

async function loadBalancer(options: Options): Promise<void> {
  const request = loadRequest(CONFIG, readShippedObject(), {
    cpuCount: possibleCpuCount(),
    ticksPerSecond: measureTicksPerSecond(),
    externalClock: false,
    flowSeed: 1n,
  });
  const changed: LoadRequest = {
    ...request,
    options: new Map([...request.options, ...Object.entries(options)]),
  };
  await (await openKernel(changed)).close();
}

async function loadDecap(program: string): Promise<void> {
  const loaded = await loadObject({
    object: readShippedDecapObject(),
    program,
    cpuCount: possibleCpuCount(),
    options: new Map(),
    maxEntries: new Map(),
  });
  loaded.close();
}

function describe(options: Options): string {
  const entries = Object.entries(options);
  if (entries.length === 0) return "its defaults";
  return entries.map(([name, value]) => `${name.replace("option_", "")} ${value}`).join(", ");
}
