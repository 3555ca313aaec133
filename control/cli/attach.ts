/** `lamna attach`: puts the program on interfaces, with the config in its maps, and leaves it there. */
import { Command, Option } from "commander";
import { type Instance, InstanceDirectory } from "../../dataplane/kernel/instance.ts";
import { measureTicksPerSecond } from "../../dataplane/kernel/jiffies.ts";
import { type KernelDataplane, openKernel } from "../../dataplane/kernel/kernel-dataplane.ts";
import type { RequestedMode } from "../../dataplane/kernel/link.ts";
import { type InterfaceInfo, listInterfaces } from "../../dataplane/kernel/links.ts";
import type { PinLayout, PinnedLink } from "../../dataplane/kernel/pin-layout.ts";
import { possibleCpuCount } from "../../dataplane/kernel/raw-map.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import type { Config } from "../model/config.ts";
import { readConfig } from "../model/config-file.ts";
import { formatAction } from "../plan/action.ts";
import { readActual } from "../plan/actual.ts";
import { applyPlan } from "../plan/apply.ts";
import { type InterfaceEntry, liveInterfaces } from "../plan/interface-table.ts";
import { loadRequest } from "../plan/load-request.ts";
import { planChange } from "../plan/plan.ts";
import { PlanError } from "../plan/plan-error.ts";
import {
  type AttachPlan,
  environmentOf,
  NewMapsNeeded,
  newEnvironment,
  planOnSameMaps,
} from "./attach-plan.ts";
import { type AttachReport, describeAttach, type InterfaceReport } from "./attach-report.ts";
import { EXIT_CODES, UsageError } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import { findInterfaces, interfaceOf } from "./network-interfaces.ts";
import { findHops, type InterfaceHops } from "./next-hops.ts";
import { painterFor } from "./output.ts";
import { LOCK_WAIT_MS, pinDirectoryOption } from "./pin-directory.ts";
import { printableJson } from "./printable.ts";
import { followRenames } from "./renamed-interfaces.ts";
import { readShippedObject } from "./shipped-object.ts";

export interface AttachOptions {
  readonly config: string;
  readonly mode: RequestedMode;
  readonly pinDir: string;
  readonly newMaps?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

const DETAILS = `
The program, its maps and a link for each interface are pinned, and forwarding goes on without any process. The maps are filled before
the first interface gets the program.

Again with another config, the maps are changed under the traffic, and the program is replaced where a setting or a newer
version asks for it; known flows stay with their backends. Further interfaces join those that have the program already; interfaces that
are not named are left as they are ("lamna detach IFACE" takes one off).

Where the config has no gatewayMac, each interface's next hop is looked up in the kernel's routes and neighbours, now: attach again
when it changes. Where it has no mtu, the interface's holds.

Modes: native runs in the driver; generic runs anywhere, and slowly; offload runs on the NIC; auto is native where that is
possible, else generic, and says why.
`;

export function attachCommand(): Command {
  return new Command("attach")
    .description("put the program on interfaces, or bring what runs there to another config")
    .argument("<interface...>", "network interfaces; together they are one balancer")
    .requiredOption("--config <file>", 'config file in YAML; "-" reads standard input')
    .addOption(
      new Option("--mode <mode>", "how the program runs")
        .choices(["auto", "native", "generic", "offload"])
        .default("auto"),
    )
    .addOption(pinDirectoryOption())
    .option(
      "--new-maps",
      "where the maps that are there do not fit, switch to new ones; known flows are lost",
    )
    .option("--dry-run", "say what would be done, and change nothing")
    .option("--json", "print one JSON object")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (interfaces: readonly string[], options: AttachOptions) => {
      process.exitCode = await attach(interfaces, options);
    });
}

/** Prints what was done, and returns the exit code. Throws what cannot be done as ConfigError, UsageError, PlanError or KernelError. */
async function attach(names: readonly string[], options: AttachOptions): Promise<number> {
  const config = readConfig(options.config);
  const targets = findInterfaces(names);
  const report = await planned(options, () =>
    carryOut({ config, object: readShippedObject(), targets, options }),
  );
  if (options.json) process.stdout.write(`${printableJson(report)}\n`);
  else process.stdout.write(`${describeAttach(report, painterFor(process.stdout)).join("\n")}\n`);
  return EXIT_CODES.fine;
}

/** What cannot be planned is the config's fault, so that its name goes before the error. */
async function planned<T>({ config }: AttachOptions, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    if (cause instanceof PlanError || cause instanceof NewMapsNeeded)
      throw new UsageError(`${config}: ${cause.message}`, { cause });
    throw cause;
  }
}

interface Wanted {
  readonly config: Config;
  readonly object: ObjectSpec;
  readonly targets: readonly InterfaceInfo[];
  readonly options: AttachOptions;
}

/** Does it, or with --dry-run all of it that leaves no trace. */
async function carryOut(wanted: Wanted): Promise<AttachReport> {
  const { pinDir, dryRun } = wanted.options;
  const lock = { waitMs: LOCK_WAIT_MS };
  const place = dryRun
    ? await InstanceDirectory.look(pinDir, lock)
    : await InstanceDirectory.lock(pinDir, lock);
  try {
    if (place === undefined || !place.hasInstance) return await makeNew(place, wanted, undefined);
    if (!dryRun) followRenames(place.layout);
    const running = place.open();
    try {
      return (await changeInPlace(place.layout, running, wanted)) ?? (await makeNew(place, wanted, running));
    } finally {
      await running.close();
    }
  } finally {
    place?.close();
  }
}

/** Brings the maps and the program that are there to the config. Undefined when that takes new maps, and they are wanted. */
async function changeInPlace(
  layout: PinLayout,
  running: Instance,
  wanted: Wanted,
): Promise<AttachReport | undefined> {
  const { config, object, options } = wanted;
  const { dataplane } = running;
  const links = layout.readLinks();
  requireOneNamespace(links, options.pinDir);
  requireModes(links, wanted);
  const hops = await hopsOf(dataplane, links, wanted);
  let plan: AttachPlan;
  try {
    plan = planOnSameMaps(dataplane, dataplane.request, { config, object, interfaces: hops.entries });
  } catch (error) {
    if (error instanceof NewMapsNeeded && options.newMaps) return undefined;
    throw error;
  }
  if (!options.dryRun) await applyPlan(plan, dataplane);
  const interfaces = attachAll(options.dryRun ? undefined : running, links, wanted, hops);
  running.commit();
  return reportOf(wanted, { change: "changed", interfaces, plan, hops });
}

/** Loads the program with maps of its own, fills them, and puts it on the interfaces, also on those of an instance whose place it takes. */
async function makeNew(
  place: InstanceDirectory | undefined,
  wanted: Wanted,
  running: Instance | undefined,
): Promise<AttachReport> {
  const { config, object, targets, options } = wanted;
  const links = running === undefined || place === undefined ? [] : place.layout.readLinks();
  const hops =
    running === undefined
      ? await findHops(config, targets, new Map())
      : await hopsOf(running.dataplane, links, wanted);
  const environment =
    running === undefined
      ? newEnvironment({ cpuCount: possibleCpuCount(), ticksPerSecond: measureTicksPerSecond() })
      : environmentOf(running.dataplane.request);
  const dataplane = await openKernel(loadRequest(config, object, environment));
  const instance = options.dryRun ? undefined : place?.adopt(dataplane);
  try {
    const { request } = dataplane;
    const plan = planChange({
      config,
      actual: readActual(dataplane),
      loaded: request,
      interfaces: hops.entries,
    });
    if (instance !== undefined) await applyPlan(plan, dataplane);
    const interfaces = attachAll(instance, links, wanted, hops);
    instance?.commit();
    return reportOf(wanted, {
      change: running === undefined ? "created" : "new-maps",
      interfaces,
      plan,
      hops,
    });
  } finally {
    await (instance ?? dataplane).close();
  }
}

/** `instance` undefined: only what would be done. */
function attachAll(
  instance: Instance | undefined,
  links: readonly PinnedLink[],
  { targets, options }: Wanted,
  hops: InterfaceHops,
): InterfaceReport[] {
  return targets.map((target): InterfaceReport => {
    const { name, ifindex } = target;
    const nextHop = hops.descriptions.get(name) ?? null;
    if (isLinked(links, target)) {
      return { name, ifindex, change: "kept", mode: modeOf(target), fallback: null, nextHop };
    }
    const attachment = instance?.attach(target, options.mode);
    return {
      name,
      ifindex,
      change: "attached",
      mode: attachment?.mode ?? null,
      fallback: attachment?.fallback?.message ?? null,
      nextHop,
    };
  });
}

// ------------------------------------------------------------------------------------------------ what is there

function isLinked(links: readonly PinnedLink[], target: InterfaceInfo): boolean {
  return links.some((link) => link.interface === target.name && interfaceOf(link, [target]) !== undefined);
}

function modeOf({ xdp }: InterfaceInfo): InterfaceReport["mode"] {
  return xdp === undefined || xdp.mode === "multiple" ? null : xdp.mode;
}

/** Next hops go by ifindex, which is one of a network namespace. */
function requireOneNamespace(links: readonly PinnedLink[], pinDirectory: string): void {
  const interfaces = listInterfaces();
  const elsewhere = links.find((link) => link.ifindex !== 0 && interfaceOf(link, interfaces) === undefined);
  if (elsewhere === undefined) return;
  throw new UsageError(
    `the program pinned in ${pinDirectory} is on ${elsewhere.interface} of another network namespace, and all interfaces of an instance are in one: run there (nsenter --net=...), or name another directory with --pin-dir`,
  );
}

/** Native and generic cannot be on one interface at a time, so that a change of mode is a gap. */
function requireModes(links: readonly PinnedLink[], { targets, options: { mode, pinDir } }: Wanted): void {
  if (mode === "auto") return;
  for (const target of targets) {
    const present = modeOf(target);
    if (!isLinked(links, target) || present === null || present === mode) continue;
    throw new UsageError(
      `--mode ${mode}: the program is on ${target.name} in ${present} mode, and changing that leaves the interface without it for a moment; if that may be: lamna detach ${target.name} --pin-dir ${pinDir}, and attach again`,
    );
  }
}

/** Next hops of the interfaces that are named and of those that have the program already; the latter may stay as they are. */
async function hopsOf(
  dataplane: KernelDataplane,
  links: readonly PinnedLink[],
  { config, targets }: Wanted,
): Promise<InterfaceHops> {
  const interfaces = listInterfaces();
  const others = links.flatMap((link) => {
    const info = interfaceOf(link, interfaces);
    return info === undefined || targets.some(({ name }) => name === info.name) ? [] : [info];
  });
  return findHops(config, [...targets, ...others], knownEntries(dataplane));
}

/** What is programmed now. None for a program that has no such map. */
function knownEntries(dataplane: KernelDataplane): ReadonlyMap<number, InterfaceEntry> {
  if (!dataplane.maps.has("interfaces")) return new Map();
  const map = dataplane.map("interfaces");
  const interfaces = map.withView(0, map.maxEntries, (bytes) => bytes.slice());
  const live = liveInterfaces({ settings: dataplane.map("settings").read(0), interfaces });
  return new Map([...live].map(([ifindex, { entry }]) => [ifindex, entry]));
}

function reportOf(
  { config, options }: Wanted,
  facts: Pick<AttachReport, "change" | "interfaces"> & {
    readonly plan: AttachPlan;
    readonly hops: InterfaceHops;
  },
): AttachReport {
  const { change, interfaces, plan, hops } = facts;
  return {
    pinDirectory: options.pinDir,
    isDryRun: options.dryRun === true,
    change,
    interfaces,
    vips: plan.vips.map(({ label, change: what, movedSlots }) => ({ label, change: what, movedSlots })),
    actions: plan.actions.map(formatAction),
    isProgramReplaced: plan.actions.some(({ kind }) => kind === "replace-program"),
    warnings: [
      ...hops.warnings.map(({ interface: name, message }) => `${name}: ${message}`),
      ...(config.vips.length === 0 ? ["the config has no VIPs: every packet passes"] : []),
    ],
  };
}
