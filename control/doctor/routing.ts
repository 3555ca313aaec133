/** Settings of the host's own stack that people look at first, and that do not matter here. */
import type { InterfaceFacts } from "../../dataplane/kernel/interface-facts.ts";
import { type Finding, ok } from "./finding.ts";

export function judgeRouting({ sysctls: { rpFilter } }: InterfaceFacts): Finding {
  const found =
    rpFilter === undefined ? "rp_filter and ip_forward" : `rp_filter (${rpFilter}) and ip_forward`;
  return ok("routing", `${found} do not matter: what is forwarded never reaches the host's stack`);
}
