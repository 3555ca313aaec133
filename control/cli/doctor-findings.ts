/** Has the host looked at, part by part, and what was seen judged. */
import { listDefaultRoutes, readBackendFacts } from "../../dataplane/kernel/backend-facts.ts";
import { readInterfaceFacts } from "../../dataplane/kernel/interface-facts.ts";
import type { KernelFacts } from "../../dataplane/kernel/kernel-facts.ts";
import { type InterfaceInfo, listInterfaces } from "../../dataplane/kernel/links.ts";
import { readPinned } from "../../dataplane/kernel/pinned-facts.ts";
import type { PrivilegeFacts } from "../../dataplane/kernel/privilege-facts.ts";
import { judgeBackend } from "../doctor/backend.ts";
import { type Finding, warning } from "../doctor/finding.ts";
import { judgeHeadroom } from "../doctor/headroom.ts";
import { judgeKernel } from "../doctor/kernel.ts";
import { judgeNextHop } from "../doctor/next-hop.ts";
import { judgeOffloads } from "../doctor/offloads.ts";
import { judgePrivileges } from "../doctor/privileges.ts";
import { judgeQueues } from "../doctor/queues.ts";
import { judgeRouting } from "../doctor/routing.ts";
import { judgeBuffers, judgeInstance, judgeLink, judgeNativeXdp, judgeOccupants } from "../doctor/xdp.ts";
import type { IpAddress } from "../model/address.ts";
import type { Config } from "../model/config.ts";
import type { DoctorGroup } from "../model/doctor-report.ts";
import { findInterfaces } from "./network-interfaces.ts";

export interface DoctorRequest {
  /** Names as given; none: those that seem to be meant. */
  readonly interfaces: readonly string[];
  readonly config: Config | undefined;
  /** Besides those of the config. */
  readonly vips: readonly IpAddress[];
  readonly pinDirectory: string;
}

interface HostFacts {
  readonly kernel: KernelFacts;
  readonly privileges: PrivilegeFacts;
}

/** Throws KernelError, and UsageError for an interface that is not there. */
export async function examineBalancer(request: DoctorRequest, host: HostFacts): Promise<DoctorGroup[]> {
  const { config } = request;
  const all = listInterfaces();
  const pinned = readPinned(request.pinDirectory);
  const chosen = chooseInterfaces(request.interfaces, all, pinned.interfaces);
  const destinations = backendAddresses(config);
  const groups = hostGroups(host);
  groups.push(group("Instance", [judgeInstance(pinned)]));
  if (chosen.length === 0) groups.push(group("Interfaces", [noInterfaces()]));
  for (const info of chosen) {
    const facts = await readInterfaceFacts(info, all, destinations);
    groups.push(
      group(
        `Interface ${info.name}`,
        [
          judgeLink(facts),
          judgeNativeXdp(facts, host.kernel.version),
          judgeOccupants(facts, pinned),
          ...judgeBuffers(facts),
          ...judgeQueues(facts, host.kernel.onlineCpus, config),
          ...judgeOffloads(facts),
          ...judgeHeadroom(facts, config),
          ...judgeNextHop(facts, config),
          judgeRouting(facts),
        ],
        info.name,
      ),
    );
  }
  return groups;
}

/** Throws KernelError, and UsageError for an interface that is not there. */
export function examineBackend(request: DoctorRequest, host: HostFacts): DoctorGroup[] {
  const { config } = request;
  const all = listInterfaces();
  const pinned = readPinned(request.pinDirectory);
  const ingress = chooseInterfaces(request.interfaces, all, pinned.interfaces);
  const facts = readBackendFacts(all, ingress, request.pinDirectory);
  const vips = distinct([...(config?.vips.map(({ address }) => address) ?? []), ...request.vips]);
  const groups = judgeBackend(facts, { vips, config }).map(({ topic, findings }) => group(topic, findings));
  // Tunnel devices are the kernel's own business; programs want what the balancer's wants.
  const wantsProgram =
    pinned.state !== "none" ||
    groups[0]?.findings.some(({ check, state }) => check === "decapsulation" && state !== "ok") === true;
  return wantsProgram ? [...hostGroups(host), ...groups] : groups;
}

function hostGroups({ kernel, privileges }: HostFacts): DoctorGroup[] {
  return [group("Kernel", judgeKernel(kernel)), group("Privileges", judgePrivileges(privileges))];
}

function group(
  topic: string,
  findings: readonly Finding[],
  interfaceName: string | null = null,
): DoctorGroup {
  return {
    topic,
    interface: interfaceName,
    findings: findings.map(({ check, state, found, remedy = null }) => ({ check, state, found, remedy })),
  };
}

/** Those named; or else those of the instance; or else those with a default route; or else all that are up and have a MAC. */
function chooseInterfaces(
  names: readonly string[],
  all: readonly InterfaceInfo[],
  pinned: readonly string[],
): InterfaceInfo[] {
  if (names.length > 0) return findInterfaces(names);
  const attached = all.filter(({ name }) => pinned.includes(name));
  if (attached.length > 0) return attached;
  const usable = all.filter(({ isUp, isLoopback, mac }) => isUp && !isLoopback && mac !== undefined);
  const routed = new Set(listDefaultRoutes(usable).map(({ interfaceName }) => interfaceName));
  return routed.size > 0 ? usable.filter(({ name }) => routed.has(name)) : usable;
}

function noInterfaces(): Finding {
  return warning("interfaces", "none is up and has a MAC address", "name one: lamna doctor IFACE");
}

function backendAddresses(config: Config | undefined): Uint8Array[] {
  const addresses = config?.vips.flatMap(({ backends }) => backends.map(({ address }) => address)) ?? [];
  return distinct(addresses).map(({ bytes }) => bytes);
}

function distinct(addresses: readonly IpAddress[]): IpAddress[] {
  return [...new Map(addresses.map((address) => [address.bytes.join("."), address])).values()];
}
