/** Facts of a host on which everything is as it should be, to be changed in one place by each test. */

import type { Finding } from "../../../control/doctor/finding.ts";
import { parseIpAddress } from "../../../control/model/address.ts";
import type { Config } from "../../../control/model/config.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import type { BackendFacts } from "../../../dataplane/kernel/backend-facts.ts";
import type { EthtoolFacts } from "../../../dataplane/kernel/ethtool.ts";
import type { InterfaceFacts } from "../../../dataplane/kernel/interface-facts.ts";
import type { KernelFacts } from "../../../dataplane/kernel/kernel-facts.ts";
import type { InterfaceInfo } from "../../../dataplane/kernel/links.ts";
import type { PinnedFacts } from "../../../dataplane/kernel/pinned-facts.ts";
import type { PrivilegeFacts } from "../../../dataplane/kernel/privilege-facts.ts";

export function kernelFacts(change: Partial<KernelFacts> = {}): KernelFacts {
  return {
    release: "6.12.1",
    version: [6, 12],
    features: [],
    jit: 1,
    isJitted: undefined,
    jitHarden: 0,
    lockdown: "none",
    memlockBytes: 8 << 20,
    onlineCpus: [0, 1, 2, 3],
    ...change,
  };
}

export function privilegeFacts(change: Partial<PrivilegeFacts> = {}): PrivilegeFacts {
  return {
    capabilities: (["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON", "CAP_SYS_ADMIN"] as const).map((name) => ({
      name,
      isHeld: true,
    })),
    isRoot: true,
    isInUserNamespace: false,
    libbpf: { isThere: true, version: "1.5" },
    bpffs: { path: "/sys/fs/bpf", isBpffs: true, isWritable: true },
    ...change,
  };
}

export function interfaceInfo(change: Partial<InterfaceInfo> = {}): InterfaceInfo {
  return {
    name: "e0",
    ifindex: 2,
    mtu: 1600,
    mtuMax: 9000,
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    kind: undefined,
    master: undefined,
    masterKind: undefined,
    lower: undefined,
    vlanId: undefined,
    tunnelRemote: undefined,
    isUp: true,
    hasCarrier: true,
    isLoopback: false,
    isNoArp: false,
    xdp: undefined,
    rxQueues: 4,
    txQueues: 4,
    ...change,
  };
}

export function driverFacts(change: Partial<EthtoolFacts> = {}): EthtoolFacts {
  return {
    driver: { driver: "ice", bus: "0000:01:00.0" },
    channels: { receive: 4, receiveMax: 8, isCombined: true },
    rings: { receive: 512, receiveMax: 4096 },
    rss: { tableSize: 128, queues: [0, 1, 2, 3], hash: "toeplitz" },
    rssFields: { tcp4HasPorts: true, udp4HasPorts: true, tcp6HasPorts: true, udp6HasPorts: true },
    features: features({ "rx-gro": "on", "rx-lro": "off", "rx-gro-hw": "off", "rx-vlan-hw-parse": "off" }),
    ...change,
  };
}

export function features(
  states: Readonly<Record<string, "on" | "off" | "on fixed" | "off fixed">>,
): EthtoolFacts["features"] {
  return new Map(
    Object.entries(states).map(([name, state]) => [
      name,
      { isOn: state.startsWith("on"), isFixed: state.endsWith("fixed") },
    ]),
  );
}

export const ROUTER_MAC: Uint8Array = Uint8Array.of(2, 0, 0, 0, 0, 0xfe);

export function interfaceFacts(change: Partial<InterfaceFacts> = {}): InterfaceFacts {
  return {
    info: interfaceInfo(),
    vlans: [],
    driver: driverFacts(),
    xdpFeatures: { isNative: true, isRedirectTarget: true, hasFrags: false, canOffload: false },
    xdpPrograms: [],
    interrupts: [0, 1, 2, 3].map((cpu) => ({ irq: 40 + cpu, name: `e0-TxRx-${cpu}`, cpus: [cpu] })),
    sysctls: { rpFilter: 0, arpIgnore: 0, arpAnnounce: 0 },
    nextHop: {
      isResolved: true,
      hop: {
        ifindex: 2,
        mac: ROUTER_MAC,
        address: Uint8Array.of(10, 0, 0, 254),
        via: "route",
        egress: "e0",
        state: "reachable",
        mtu: 1600,
        warnings: [],
      },
    },
    ...change,
  };
}

export function pinnedFacts(change: Partial<PinnedFacts> = {}): PinnedFacts {
  return { directory: "/sys/fs/bpf/lamna", state: "none", interfaces: [], ...change };
}

const LOOPBACK = interfaceInfo({ name: "lo", ifindex: 1, mtu: 65536, isLoopback: true });

/** A host at 10.0.0.1 and fd00::1 that serves 10.100.0.1 by the program on e0. */
export function backendFacts(change: Partial<BackendFacts> = {}): BackendFacts {
  const e0 = interfaceInfo();
  const sysctls = { rpFilter: 0, arpIgnore: 0, arpAnnounce: 0 };
  return {
    interfaces: [LOOPBACK, e0],
    ingress: [e0],
    addresses: [
      { ifindex: 1, address: parseIpAddress("10.100.0.1").bytes, prefixLength: 32 },
      { ifindex: 1, address: parseIpAddress("fd64::1").bytes, prefixLength: 128 },
      { ifindex: 2, address: parseIpAddress("10.0.0.1").bytes, prefixLength: 24 },
      { ifindex: 2, address: parseIpAddress("fd00::1").bytes, prefixLength: 64 },
    ],
    decapsulation: pinnedFacts({
      directory: "/sys/fs/bpf/lamna-backend",
      state: "there",
      interfaces: ["e0"],
    }),
    sysctls: new Map([["e0", sysctls]]),
    defaultRoutes: ([4, 6] as const).map((family) => ({
      interfaceName: "e0",
      route: {
        type: "unicast",
        family,
        prefixLength: 0,
        table: 254,
        priority: 0,
        hops: [],
        mtu: undefined,
        advmss: undefined,
      },
    })),
    ...change,
  };
}

export interface ConfigParts {
  /** Lines below "settings:". */
  readonly settings?: readonly string[];
  readonly vips?: readonly {
    readonly address: string;
    readonly protocol?: string;
    readonly backends: readonly string[];
  }[];
}

const VIP = { address: "10.100.0.1", backends: ["10.0.0.1"] };

export function config({ settings = [], vips = [VIP] }: ConfigParts = {}): Config {
  const text = [
    "version: 1",
    ...(settings.length === 0 ? [] : ["settings:", ...settings.map((line) => `  ${line}`)]),
    "vips:",
    ...vips.map(
      ({ address, protocol = "tcp", backends }) =>
        `  - {address: "${address}", port: 80, protocol: ${protocol}, backends: [${backends.map((each) => `{address: "${each}"}`).join(", ")}]}`,
    ),
  ].join("\n");
  return parseConfig(text, { file: "config.yaml" });
}

/** "warning MTU: what was found -> what to do", for tables. */
export function shown(findings: readonly Finding[]): string[] {
  return findings.map(
    ({ check, state, found, remedy }) =>
      `${state} ${check}: ${found}${remedy === undefined ? "" : ` -> ${remedy}`}`,
  );
}
