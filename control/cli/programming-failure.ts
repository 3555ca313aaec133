/** A config that cannot be loaded, as what is wrong with the command's input. */
import { MapError } from "../../dataplane/dataplane.ts";
import { PlanError } from "../plan/plan-error.ts";
import { UsageError } from "./exit.ts";

/** What to throw when loading or programming a dataplane by a config threw `cause`: UsageError where the config is to blame. */
export function programmingFailure(
  cause: unknown,
  { configName, advice }: { readonly configName: string; readonly advice: string },
): unknown {
  if (cause instanceof PlanError) return new UsageError(`${configName}: ${cause.message}`, { cause });
  // The object's maps are sound, so it is their sizes: a VM's addresses have 32 bits, and flow tables take most of them.
  if (cause instanceof MapError && cause.code === "bad-definition") {
    const what = `the capacity in ${configName} is more than a dataplane holds`;
    return new UsageError(`${what} (${cause.message}); ${advice}`, { cause });
  }
  return cause;
}
