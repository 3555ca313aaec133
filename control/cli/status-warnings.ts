/** What `lamna status` finds that an operator should see to. */
import { KernelError } from "../../dataplane/kernel/kernel-error.ts";
import { resolveNextHop } from "../../dataplane/kernel/next-hop.ts";
import { settings as settingsCodec } from "../../dataplane/xdp/generated/balancer.ts";
import type { Config } from "../model/config.ts";
import { formatMac } from "../model/mac.ts";
import type { InterfaceStatus, StatusWarning, StatusWarningCode } from "../model/status-report.ts";
import { type Actual, backendEntry } from "../plan/actual.ts";
import { addressOfBackend } from "../plan/backend-entry.ts";
import { installedVips } from "../plan/installed.ts";
import { type InterfaceEntry, isGatewayKnown } from "../plan/interface-table.ts";
import { formatVipKey, vipKey } from "../plan/vip-entry.ts";
import type { Observation } from "./status-report.ts";

export async function findWarnings(
  observation: Observation,
  { config, isInterrupted }: { readonly config: Config | undefined; readonly isInterrupted: boolean },
): Promise<StatusWarning[]> {
  const { program, interfaces, actual, unreadable } = observation;
  if (program === null) return [];
  const warnings: StatusWarning[] = [];
  const warn = (code: StatusWarningCode, message: string): void => {
    warnings.push({ code, interface: null, message });
  };
  if (isInterrupted) warn("interrupted", "a change was interrupted; attach again to complete it");
  if (!program.isShippedObject) {
    const cannot = unreadable === undefined ? "" : `, whose maps this version cannot read (${unreadable})`;
    warn(
      "other-object",
      `the program is not the one of this version of lamna${cannot}; attach again to replace it`,
    );
  }
  if (interfaces.length === 0)
    warn("no-interfaces", "the program is on no interface; attach, or detach all of it");
  for (const each of interfaces) warnings.push(...interfaceWarnings(each, program.id, isInterrupted));
  if (actual === undefined) return warnings;

  for (const each of interfaces) {
    const entry = each.ifindex === null ? undefined : observation.entryOf(each.ifindex);
    if (entry === undefined || each.mtu === null) continue;
    warnings.push(...mtuWarnings(each, entry), ...(await hopWarnings(each, entry, actual)));
  }
  return [...warnings, ...(config === undefined ? [] : configWarnings(config, actual))];
}

function interfaceWarnings(
  { name, state, mode, mtu, isUp, programId }: InterfaceStatus,
  pinnedId: number,
  isInterrupted: boolean,
): StatusWarning[] {
  const warning = (code: StatusWarningCode, message: string): StatusWarning => ({
    code,
    interface: name,
    message,
  });
  if (state === "detached") {
    const what = "the interface was deleted, or the program taken off by force";
    return [
      warning(
        "link-detached",
        `${what}; attach puts it back where it is there, "lamna detach ${name}" forgets it`,
      ),
    ];
  }
  if (mtu === null) {
    return [
      warning(
        "link-detached",
        "the interface is not in this network namespace, where it cannot be looked at",
      ),
    ];
  }
  const found: StatusWarning[] = [];
  if (isUp === false)
    found.push(warning("interface-down", `no packets: ip link set dev ${name} up, and see its cable`));
  if (mode === "generic") {
    found.push(
      warning("generic-mode", "generic mode is slow; lamna doctor says whether the driver can do better"),
    );
  }
  if (programId !== pinnedId && !isInterrupted) {
    const message = `program ${programId} runs there, not the pinned one (${pinnedId}); find out who replaced it, then detach and attach`;
    found.push(warning("other-program", message));
  }
  return found;
}

function mtuWarnings({ name, mtu }: InterfaceStatus, entry: InterfaceEntry): StatusWarning[] {
  if (mtu === null || !isGatewayKnown(entry.gatewayMac) || (entry.mtu !== 0 && entry.mtu <= mtu)) return [];
  const limit = entry.mtu === 0 ? "without a limit" : `up to ${entry.mtu} bytes`;
  return [
    {
      code: "mtu",
      interface: name,
      message: `packets are forwarded ${limit}, and the interface takes ${mtu}: larger ones are lost; set settings.mtu, or attach again`,
    },
  ];
}

/** Compares what is programmed with what the kernel would use now, asking nobody on the network. */
async function hopWarnings(
  { name }: InterfaceStatus,
  entry: InterfaceEntry,
  actual: Actual,
): Promise<StatusWarning[]> {
  const isConfigured = isGatewayKnown(settingsCodec.read(actual.settings).gatewayMac);
  try {
    const { mac } = await resolveNextHop(name, ringAddresses(actual), { canSolicit: false });
    if (formatMac(mac) === formatMac(entry.gatewayMac)) return [];
    const programmed = isGatewayKnown(entry.gatewayMac) ? formatMac(entry.gatewayMac) : "none";
    const remedy = isConfigured ? "see settings.gatewayMac" : "attach again";
    const message = `the next hop is ${formatMac(mac)} by routes and neighbours, and ${programmed} in the maps; ${remedy}`;
    return [{ code: "gateway-mac", interface: name, message }];
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    // Whoever gives the MAC may do without routes and neighbours.
    return isConfigured ? [] : [{ code: "next-hop", interface: name, message: error.message }];
  }
}

function configWarnings(config: Config, actual: Actual): StatusWarning[] {
  const installed = new Set(installedVips(actual).map(({ key }) => formatVipKey(key)));
  const wanted = new Set(config.vips.map((vip) => formatVipKey(vipKey(vip))));
  const differing = [
    ...[...wanted].filter((key) => !installed.has(key)).map((key) => `${key} is in the config only`),
    ...[...installed].filter((key) => !wanted.has(key)).map((key) => `${key} is in the maps only`),
  ];
  if (differing.length === 0) return [];
  return [{ code: "config", interface: null, message: `${differing.join(", ")}; attach with that config` }];
}

/** Of the backends that new flows go to. */
function ringAddresses(actual: Actual): Uint8Array[] {
  const ids = installedVips(actual).flatMap(({ backends }) =>
    backends.filter(({ ringShare }) => ringShare > 0).map(({ id }) => id),
  );
  return [...new Set(ids)].flatMap((id) => addressOfBackend(backendEntry(actual, id))?.bytes ?? []);
}
