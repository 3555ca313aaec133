/** Every check, in the order they run in. The host reads the names from here as well, so that it misses a check that never came to its end. */
import type { Check } from "./check.ts";
import { connectionChecks } from "./connection.ts";
import { fixtureChecks } from "./fixtures.ts";
import { loadChecks } from "./load.ts";
import { privilegeChecks } from "./privileges.ts";

export function allChecks(): Check[] {
  return [...loadChecks(), ...fixtureChecks(), ...connectionChecks(), ...privilegeChecks()];
}
