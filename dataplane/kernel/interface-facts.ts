/** Everything there is to know of one interface before and while the program runs on it, as far as this process can see. */
import { hasCapability } from "./capabilities.ts";
import { Descriptor } from "./descriptor.ts";
import { type EthtoolFacts, readEthtool } from "./ethtool.ts";
import { readSysctl } from "./host-files.ts";
import type { IpBytes } from "./ip-bytes.ts";
import { KernelError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import type { InterfaceInfo, XdpMode } from "./links.ts";
import { type NextHop, resolveNextHop } from "./next-hop.ts";
import { egressCandidates } from "./next-hop-choice.ts";
import { programInfo } from "./program-info.ts";
import { type QueueInterrupt, readQueueInterrupts } from "./queue-interrupts.ts";
import { readXdpFeatures, type XdpFeatures } from "./xdp-features.ts";

export interface InterfaceFacts {
  readonly info: InterfaceInfo;
  /** Names of VLANs on top of it, or of the bond or bridge that it is a port of. */
  readonly vlans: readonly string[];
  readonly driver: EthtoolFacts;
  /** Undefined where the kernel is too old to say. */
  readonly xdpFeatures: XdpFeatures | undefined;
  readonly xdpPrograms: readonly XdpProgramFact[];
  readonly interrupts: readonly QueueInterrupt[];
  readonly sysctls: InterfaceSysctls;
  readonly nextHop: NextHopFact;
}

export interface XdpProgramFact {
  readonly mode: XdpMode;
  readonly programId: number;
  /** At most 15 bytes of it; undefined without CAP_SYS_ADMIN. */
  readonly name: string | undefined;
}

/** What holds: of "all" and the interface's own, the greater (ip-sysctl.rst), but for forwarding. Undefined where it cannot be read. */
export interface InterfaceSysctls {
  /** 0 off, 1 strict, 2 loose (RFC 3704). */
  readonly rpFilter: number | undefined;
  readonly arpIgnore: number | undefined;
  readonly arpAnnounce: number | undefined;
}

export type NextHopFact =
  | { readonly isResolved: true; readonly hop: NextHop }
  | {
      readonly isResolved: false;
      readonly why: string;
      readonly remedy: string | undefined;
      /** This process may not have the kernel ask, so that nobody knows whether it would answer. */
      readonly isUnknown: boolean;
    };

/** Long enough for any neighbour that is there; doctor is to be quick. */
const NEXT_HOP_WAIT_MS = 400;

/** `interfaces`: all there are. `destinations`: of the next hop. Throws KernelError when the interface goes away. */
export async function readInterfaceFacts(
  info: InterfaceInfo,
  interfaces: readonly InterfaceInfo[],
  destinations: readonly IpBytes[],
): Promise<InterfaceFacts> {
  return {
    info,
    vlans: egressCandidates(info, interfaces)
      .filter(({ kind, ifindex }) => kind === "vlan" && ifindex !== info.ifindex)
      .map(({ name }) => name),
    driver: readEthtool(info.name),
    xdpFeatures: readXdpFeatures(info.ifindex),
    xdpPrograms: (info.xdp?.programs ?? []).map((program) => ({
      ...program,
      name: programName(program.programId),
    })),
    interrupts: readQueueInterrupts(info),
    sysctls: readInterfaceSysctls(info.name),
    nextHop: await readNextHop(info.name, destinations),
  };
}

export function readInterfaceSysctls(name: string): InterfaceSysctls {
  const effective = (key: string): number | undefined => {
    const own = readSysctl("net", "ipv4", "conf", name, key);
    const all = readSysctl("net", "ipv4", "conf", "all", key);
    return own === undefined || all === undefined ? undefined : Math.max(own, all);
  };
  return {
    rpFilter: effective("rp_filter"),
    arpIgnore: effective("arp_ignore"),
    arpAnnounce: effective("arp_announce"),
  };
}

function programName(id: number): string | undefined {
  try {
    const fd = libbpf().bpf_prog_get_fd_by_id(id);
    if (fd < 0) return undefined;
    const program = new Descriptor(fd, `program ${id}`);
    try {
      return programInfo(program).name;
    } finally {
      program.close();
    }
  } catch (error) {
    // Also without libbpf the rest is worth knowing.
    if (error instanceof KernelError) return undefined;
    throw error;
  }
}

async function readNextHop(name: string, destinations: readonly IpBytes[]): Promise<NextHopFact> {
  const canSolicit = hasCapability("CAP_NET_ADMIN") === true;
  try {
    const hop = await resolveNextHop(name, destinations, { waitMs: NEXT_HOP_WAIT_MS, canSolicit });
    return { isResolved: true, hop };
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const { message, operation, remedy, code } = error;
    // The message without what the report says elsewhere: what was asked, and what to do.
    const why = message.slice(
      message.startsWith(operation) ? operation.length + 2 : 0,
      remedy === undefined ? undefined : -(remedy.length + 2),
    );
    const isUnasked = !canSolicit && /neighbour state: (none|incomplete|failed)/.test(message);
    return { isResolved: false, why, remedy, isUnknown: isUnasked || code === "no-privilege" };
  }
}
