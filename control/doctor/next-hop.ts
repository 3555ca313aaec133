/** Where do forwarded packets go? */
import type { InterfaceFacts } from "../../dataplane/kernel/interface-facts.ts";
import { formatIpAddress } from "../model/address.ts";
import type { Config } from "../model/config.ts";
import { formatMac } from "../model/mac.ts";
import { type Finding, ok, problem, unknown, warning } from "./finding.ts";

const CHECK = "next hop";

export function judgeNextHop({ nextHop }: InterfaceFacts, config: Config | undefined): Finding[] {
  const configured = config?.settings.gatewayMac;
  if (!nextHop.isResolved) {
    const { why, remedy, isUnknown } = nextHop;
    if (configured !== undefined) {
      return [
        ok(CHECK, `${formatMac(configured)} by settings.gatewayMac, which nothing here confirms (${why})`),
      ];
    }
    if (isUnknown) return [unknown(CHECK, why, remedy)];
    const state = config === undefined ? warning : problem;
    return [state(CHECK, why, remedy ?? "set settings.gatewayMac")];
  }

  const { hop } = nextHop;
  const address = formatIpAddress({ family: hop.address.length === 4 ? 4 : 6, bytes: hop.address });
  const where = `${address} at ${formatMac(hop.mac)} (${hop.state}), by ${hop.via === "route" ? "a route" : "the default route"}`;
  const notes = hop.warnings.map((text) =>
    warning(CHECK, text, "see the routes to the backends (ip route get ADDRESS), or set settings.gatewayMac"),
  );
  if (configured === undefined) return [ok(CHECK, where), ...notes];
  if (configured.every((byte, index) => byte === hop.mac[index])) {
    return [ok(CHECK, `${where}, as settings.gatewayMac says`)];
  }
  return [
    warning(
      CHECK,
      `settings.gatewayMac says ${formatMac(configured)}, and the host's tables ${where}`,
      "leave settings.gatewayMac out, unless it is meant so",
    ),
  ];
}
