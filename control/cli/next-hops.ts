/**
 * Where each interface's forwarded packets go next, and how large they may be, as the config says or, where it leaves that open, as the
 * kernel's routes, neighbours and interfaces do.
 */
import { KernelError } from "../../dataplane/kernel/kernel-error.ts";
import { type NextHop, resolveNextHop } from "../../dataplane/kernel/next-hop.ts";
import type { Config } from "../model/config.ts";
import { formatMac } from "../model/mac.ts";
import type { InterfaceEntry } from "../plan/interface-table.ts";

export interface HopTarget {
  readonly name: string;
  readonly ifindex: number;
  readonly mtu: number;
}

export interface InterfaceHops {
  /** For planChange: those that the settings alone do not say. */
  readonly entries: readonly InterfaceEntry[];
  /** What to tell of each interface that was resolved: "02:00:00:00:00:01 (10.0.0.1, reachable)". */
  readonly descriptions: ReadonlyMap<string, string>;
  readonly warnings: readonly { readonly interface: string; readonly message: string }[];
}

/**
 * `known`: interfaces whose entries may stay as they are when their next hop cannot be told now, which is a warning; for all others
 * that rejects, with KernelError.
 */
export async function findHops(
  config: Config,
  targets: readonly HopTarget[],
  known: ReadonlyMap<number, InterfaceEntry>,
): Promise<InterfaceHops> {
  const { gatewayMac, mtu } = config.settings;
  const entries: InterfaceEntry[] = [];
  const descriptions = new Map<string, string>();
  const warnings: { interface: string; message: string }[] = [];
  if (gatewayMac !== undefined && mtu !== undefined) return { entries, descriptions, warnings };

  for (const target of targets) {
    const { name, ifindex } = target;
    if (gatewayMac !== undefined) {
      entries.push({ ifindex, gatewayMac, mtu: mtu ?? target.mtu });
      continue;
    }
    try {
      const hop = await resolveNextHop(name, backendAddresses(config));
      entries.push({ ifindex, gatewayMac: hop.mac, mtu: mtu ?? hop.mtu });
      descriptions.set(name, describeHop(hop));
      warnings.push(...hop.warnings.map((message) => ({ interface: name, message })));
    } catch (error) {
      const entry = known.get(ifindex);
      if (!(error instanceof KernelError) || entry === undefined) throw error;
      entries.push(entry);
      warnings.push({ interface: name, message: `${error.message}; what was programmed before stays` });
    }
  }
  return { entries, descriptions, warnings };
}

/** Of every backend that packets may go to, each once. */
export function backendAddresses({ vips }: Config): Uint8Array[] {
  const addresses = new Map<string, Uint8Array>();
  for (const { backends } of vips) {
    for (const { address, state } of backends) {
      if (state !== "down") addresses.set(address.bytes.join("."), address.bytes);
    }
  }
  return [...addresses.values()];
}

function describeHop({ mac, state, via, egress }: NextHop): string {
  return `${formatMac(mac)} by ${via === "route" ? "the route to the backends" : "the default route"} through ${egress} (${state})`;
}
