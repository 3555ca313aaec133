/** What `lamna attach` is going to do to an instance: pure but for reading maps, so that it can be shown as well as done. */
import { randomBytes } from "node:crypto";
import type { Dataplane, LoadRequest } from "../../dataplane/dataplane.ts";
import { mapLayoutDifference } from "../../dataplane/object/map-layout.ts";
import type { ObjectSpec } from "../../dataplane/object/spec.ts";
import type { Config } from "../model/config.ts";
import type { Action } from "../plan/action.ts";
import { readActual } from "../plan/actual.ts";
import type { InterfaceEntry } from "../plan/interface-table.ts";
import { type LoadEnvironment, loadRequest } from "../plan/load-request.ts";
import { planChange, type VipChange } from "../plan/plan.ts";
import { PlanError } from "../plan/plan-error.ts";

export interface AttachPlan {
  readonly actions: readonly Action[];
  readonly vips: readonly VipChange[];
}

/** What the host gives a new instance; it keeps it for as long as it has its maps. */
export function newEnvironment(host: {
  readonly cpuCount: number;
  readonly ticksPerSecond: number;
}): LoadEnvironment {
  return { ...host, externalClock: false, flowSeed: randomBytes(8).readBigUInt64LE() };
}

export function environmentOf({ cpuCount, options }: LoadRequest): LoadEnvironment {
  return {
    cpuCount,
    ticksPerSecond: Number(options.get("option_ticks_per_second") ?? 0),
    externalClock: options.get("option_external_clock") === true,
    flowSeed: BigInt(options.get("option_flow_seed") ?? 0),
  };
}

/**
 * From what runs to the config, over the same maps. Throws NewMapsNeeded when those do not fit, PlanError for what cannot be planned at
 * all.
 */
export function planOnSameMaps(
  dataplane: Dataplane,
  loaded: LoadRequest,
  wanted: {
    readonly config: Config;
    readonly object: ObjectSpec;
    readonly interfaces: readonly InterfaceEntry[];
  },
): AttachPlan {
  const { config, object, interfaces } = wanted;
  const replacement = replacementFor(loaded, config, object);
  try {
    const plan = planChange({
      config,
      actual: readActual(dataplane),
      loaded: replacement?.request ?? loaded,
      interfaces,
    });
    return {
      actions: [...(replacement === undefined ? [] : [replacement]), ...plan.actions],
      vips: plan.vips,
    };
  } catch (error) {
    if (!(error instanceof PlanError) || error.code !== "capacity-changed") throw error;
    throw new NewMapsNeeded(error.message, { cause: error });
  }
}

/** The program of another object than the one that runs, with the options that the config wants anyway. */
function replacementFor(
  loaded: LoadRequest,
  config: Config,
  object: ObjectSpec,
): Extract<Action, { kind: "replace-program" }> | undefined {
  const wanted = loadRequest(config, object, environmentOf(loaded));
  const [before, after] = [objectIdText(loaded), objectIdText(wanted)];
  if (before === after) return undefined;
  const difference = mapLayoutDifference(loaded.object, object);
  if (difference !== undefined) {
    throw new NewMapsNeeded(
      `map "${difference.map}" of the program that runs does not fit this version's: ${difference.why}`,
    );
  }
  const added = object.maps.find(({ name }) => !loaded.object.maps.some((map) => map.name === name));
  if (added !== undefined) {
    throw new NewMapsNeeded(`the program that runs has no map "${added.name}", which this version's has`);
  }
  const maxEntries = new Map([...wanted.maxEntries, ...loaded.maxEntries]);
  for (const name of maxEntries.keys()) if (!wanted.maxEntries.has(name)) maxEntries.delete(name);
  const request = { ...wanted, maxEntries };
  return { kind: "replace-program", request, changes: [`object ${before} -> ${after}`] };
}

/** Sixteen hexadecimal digits, the first of the SHA-256 of the object's file. */
export function objectIdText({ options }: LoadRequest): string {
  return BigInt(options.get("option_object_id") ?? 0)
    .toString(16)
    .padStart(16, "0");
}

/** The maps that are there cannot hold what is wanted. */
export class NewMapsNeeded extends Error {
  constructor(why: string, options?: ErrorOptions) {
    super(
      `${why}; "--new-maps" makes new maps and switches to them, at the cost of the flows that are known. Nothing was changed`,
      options,
    );
    this.name = "NewMapsNeeded";
  }
}
