// Generated from the BTF of dataplane/xdp/balancer.bpf.o (sha256 3ffc83e3b52aebe35d35068be82e9604d73a82f779d2fd656f86147e0cc47e23).
// Do not edit; regenerate with: npm run gen:codecs
import type { Codec, MapLayout } from "../../object/codec.ts";
import { clear, elements, readBytes, u16, u32, u64, u8, viewOf, writeBytes } from "../../object/codec-fields.ts";

/** struct settings: 64 bytes. */
export interface Settings {
  /** __u8[6], byte 0. */
  readonly gatewayMac: Uint8Array;
  /** __u16, byte 6. */
  readonly maxFrameBytes: number;
  /** __u64, byte 8. */
  readonly vipTable: bigint;
  /** __u64, byte 16. */
  readonly interfaceTable: bigint;
  /** __u32, byte 24. */
  readonly mtu: number;
  /** __u32, byte 28. */
  readonly newFlowsPerSecond: number;
  /** __u32, byte 32. */
  readonly udpIdleTicks: number;
}

export const settings: Codec<Settings> = {
  name: "settings",
  sizeBytes: 64,
  offsets: { gatewayMac: 0, maxFrameBytes: 6, vipTable: 8, interfaceTable: 16, mtu: 24, newFlowsPerSecond: 28, udpIdleTicks: 32 },
  read(bytes: Uint8Array, offset = 0): Settings {
    const view = viewOf(bytes, offset, 64);
    return {
      gatewayMac: readBytes(view, 0, 6),
      maxFrameBytes: view.getUint16(6, true),
      vipTable: view.getBigUint64(8, true),
      interfaceTable: view.getBigUint64(16, true),
      mtu: view.getUint32(24, true),
      newFlowsPerSecond: view.getUint32(28, true),
      udpIdleTicks: view.getUint32(32, true),
    };
  },
  write(bytes: Uint8Array, value: Settings, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    writeBytes(view, 0, 6, value.gatewayMac, "settings.gatewayMac");
    view.setUint16(6, u16(value.maxFrameBytes, "settings.maxFrameBytes"), true);
    view.setBigUint64(8, u64(value.vipTable, "settings.vipTable"), true);
    view.setBigUint64(16, u64(value.interfaceTable, "settings.interfaceTable"), true);
    view.setUint32(24, u32(value.mtu, "settings.mtu"), true);
    view.setUint32(28, u32(value.newFlowsPerSecond, "settings.newFlowsPerSecond"), true);
    view.setUint32(32, u32(value.udpIdleTicks, "settings.udpIdleTicks"), true);
  },
};

/** struct vip_bucket: 32 bytes. */
export interface VipBucket {
  /** __u32[4], byte 0. */
  readonly fingerprint: readonly number[];
  /** __u32[4], byte 16. */
  readonly vip: readonly number[];
}

export const vipBucket: Codec<VipBucket> = {
  name: "vip_bucket",
  sizeBytes: 32,
  offsets: { fingerprint: 0, vip: 16 },
  read(bytes: Uint8Array, offset = 0): VipBucket {
    const view = viewOf(bytes, offset, 32);
    return {
      fingerprint: Array.from({ length: 4 }, (_, index) => view.getUint32(4 * index, true)),
      vip: Array.from({ length: 4 }, (_, index) => view.getUint32(16 + 4 * index, true)),
    };
  },
  write(bytes: Uint8Array, value: VipBucket, offset = 0): void {
    const view = viewOf(bytes, offset, 32);
    clear(view);
    for (const [index, element] of elements(value.fingerprint, 4, "vipBucket.fingerprint")) {
      view.setUint32(4 * index, u32(element, "vipBucket.fingerprint"), true);
    }
    for (const [index, element] of elements(value.vip, 4, "vipBucket.vip")) {
      view.setUint32(16 + 4 * index, u32(element, "vipBucket.vip"), true);
    }
  },
};

/** struct interface_entry: 16 bytes. */
export interface InterfaceEntry {
  /** __u8[6], byte 0. */
  readonly gatewayMac: Uint8Array;
  /** __u32, byte 8. */
  readonly ifindex: number;
  /** __u32, byte 12. */
  readonly mtu: number;
}

export const interfaceEntry: Codec<InterfaceEntry> = {
  name: "interface_entry",
  sizeBytes: 16,
  offsets: { gatewayMac: 0, ifindex: 8, mtu: 12 },
  read(bytes: Uint8Array, offset = 0): InterfaceEntry {
    const view = viewOf(bytes, offset, 16);
    return {
      gatewayMac: readBytes(view, 0, 6),
      ifindex: view.getUint32(8, true),
      mtu: view.getUint32(12, true),
    };
  },
  write(bytes: Uint8Array, value: InterfaceEntry, offset = 0): void {
    const view = viewOf(bytes, offset, 16);
    clear(view);
    writeBytes(view, 0, 6, value.gatewayMac, "interfaceEntry.gatewayMac");
    view.setUint32(8, u32(value.ifindex, "interfaceEntry.ifindex"), true);
    view.setUint32(12, u32(value.mtu, "interfaceEntry.mtu"), true);
  },
};

/** struct vip: 64 bytes. */
export interface Vip {
  /** __u8[16], byte 0. */
  readonly address: Uint8Array;
  /** __be16, byte 16, network order in memory. */
  readonly port: number;
  /** __u8, byte 18. */
  readonly protocol: number;
  /** __u8, byte 19. */
  readonly family: number;
  /** __u32, byte 20. */
  readonly flags: number;
  /** __u32, byte 24. */
  readonly portsMask: number;
  /** __u32, byte 28. */
  readonly ring: number;
  /** __u16, byte 32. */
  readonly flowVip: number;
}

export const vip: Codec<Vip> = {
  name: "vip",
  sizeBytes: 64,
  offsets: { address: 0, port: 16, protocol: 18, family: 19, flags: 20, portsMask: 24, ring: 28, flowVip: 32 },
  read(bytes: Uint8Array, offset = 0): Vip {
    const view = viewOf(bytes, offset, 64);
    return {
      address: readBytes(view, 0, 16),
      port: view.getUint16(16),
      protocol: view.getUint8(18),
      family: view.getUint8(19),
      flags: view.getUint32(20, true),
      portsMask: view.getUint32(24, true),
      ring: view.getUint32(28, true),
      flowVip: view.getUint16(32, true),
    };
  },
  write(bytes: Uint8Array, value: Vip, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    writeBytes(view, 0, 16, value.address, "vip.address");
    view.setUint16(16, u16(value.port, "vip.port"));
    view.setUint8(18, u8(value.protocol, "vip.protocol"));
    view.setUint8(19, u8(value.family, "vip.family"));
    view.setUint32(20, u32(value.flags, "vip.flags"), true);
    view.setUint32(24, u32(value.portsMask, "vip.portsMask"), true);
    view.setUint32(28, u32(value.ring, "vip.ring"), true);
    view.setUint16(32, u16(value.flowVip, "vip.flowVip"), true);
  },
};

/** struct ring_slot: 4 bytes. */
export interface RingSlot {
  /** __u16, byte 0. */
  readonly backend: number;
  /** __u16, byte 2. */
  readonly previous: number;
}

export const ringSlot: Codec<RingSlot> = {
  name: "ring_slot",
  sizeBytes: 4,
  offsets: { backend: 0, previous: 2 },
  read(bytes: Uint8Array, offset = 0): RingSlot {
    const view = viewOf(bytes, offset, 4);
    return {
      backend: view.getUint16(0, true),
      previous: view.getUint16(2, true),
    };
  },
  write(bytes: Uint8Array, value: RingSlot, offset = 0): void {
    const view = viewOf(bytes, offset, 4);
    clear(view);
    view.setUint16(0, u16(value.backend, "ringSlot.backend"), true);
    view.setUint16(2, u16(value.previous, "ringSlot.previous"), true);
  },
};

/** struct ring: 266240 bytes. */
export interface Ring {
  /** struct ring_slot[66560], byte 0. */
  readonly slots: readonly RingSlot[];
}

export const ring: Codec<Ring> = {
  name: "ring",
  sizeBytes: 266240,
  offsets: { slots: 0 },
  read(bytes: Uint8Array, offset = 0): Ring {
    viewOf(bytes, offset, 266240);
    return {
      slots: Array.from({ length: 66560 }, (_, index) => ringSlot.read(bytes, offset + 4 * index)),
    };
  },
  write(bytes: Uint8Array, value: Ring, offset = 0): void {
    const view = viewOf(bytes, offset, 266240);
    clear(view);
    for (const [index, element] of elements(value.slots, 66560, "ring.slots")) {
      ringSlot.write(bytes, element, offset + 4 * index);
    }
  },
};

/** ipv4 of struct backend, at its byte 0: 20 bytes. */
export interface BackendIpv4 {
  /** __u8, byte 0. */
  readonly versionIhl: number;
  /** __u8, byte 1. */
  readonly tos: number;
  /** __be16, byte 2, network order in memory. */
  readonly totalLength: number;
  /** __be16, byte 4, network order in memory. */
  readonly id: number;
  /** __be16, byte 6, network order in memory. */
  readonly fragmentOffset: number;
  /** __u8, byte 8. */
  readonly ttl: number;
  /** __u8, byte 9. */
  readonly protocol: number;
  /** __be16, byte 10, network order in memory. */
  readonly checksum: number;
  /** __u8[4], byte 12. */
  readonly source: Uint8Array;
  /** __u8[4], byte 16. */
  readonly destination: Uint8Array;
}

export const backendIpv4: Codec<BackendIpv4> = {
  name: "backend.ipv4",
  sizeBytes: 20,
  offsets: { versionIhl: 0, tos: 1, totalLength: 2, id: 4, fragmentOffset: 6, ttl: 8, protocol: 9, checksum: 10, source: 12, destination: 16 },
  read(bytes: Uint8Array, offset = 0): BackendIpv4 {
    const view = viewOf(bytes, offset, 20);
    return {
      versionIhl: view.getUint8(0),
      tos: view.getUint8(1),
      totalLength: view.getUint16(2),
      id: view.getUint16(4),
      fragmentOffset: view.getUint16(6),
      ttl: view.getUint8(8),
      protocol: view.getUint8(9),
      checksum: view.getUint16(10),
      source: readBytes(view, 12, 4),
      destination: readBytes(view, 16, 4),
    };
  },
  write(bytes: Uint8Array, value: BackendIpv4, offset = 0): void {
    const view = viewOf(bytes, offset, 20);
    clear(view);
    view.setUint8(0, u8(value.versionIhl, "backendIpv4.versionIhl"));
    view.setUint8(1, u8(value.tos, "backendIpv4.tos"));
    view.setUint16(2, u16(value.totalLength, "backendIpv4.totalLength"));
    view.setUint16(4, u16(value.id, "backendIpv4.id"));
    view.setUint16(6, u16(value.fragmentOffset, "backendIpv4.fragmentOffset"));
    view.setUint8(8, u8(value.ttl, "backendIpv4.ttl"));
    view.setUint8(9, u8(value.protocol, "backendIpv4.protocol"));
    view.setUint16(10, u16(value.checksum, "backendIpv4.checksum"));
    writeBytes(view, 12, 4, value.source, "backendIpv4.source");
    writeBytes(view, 16, 4, value.destination, "backendIpv4.destination");
  },
};

/** ipv6 of struct backend, at its byte 0: 40 bytes. */
export interface BackendIpv6 {
  /** __be32, byte 0, network order in memory. */
  readonly versionClassLabel: number;
  /** __be16, byte 4, network order in memory. */
  readonly payloadLength: number;
  /** __u8, byte 6. */
  readonly nextHeader: number;
  /** __u8, byte 7. */
  readonly hopLimit: number;
  /** __u8[16], byte 8. */
  readonly source: Uint8Array;
  /** __u8[16], byte 24. */
  readonly destination: Uint8Array;
}

export const backendIpv6: Codec<BackendIpv6> = {
  name: "backend.ipv6",
  sizeBytes: 40,
  offsets: { versionClassLabel: 0, payloadLength: 4, nextHeader: 6, hopLimit: 7, source: 8, destination: 24 },
  read(bytes: Uint8Array, offset = 0): BackendIpv6 {
    const view = viewOf(bytes, offset, 40);
    return {
      versionClassLabel: view.getUint32(0),
      payloadLength: view.getUint16(4),
      nextHeader: view.getUint8(6),
      hopLimit: view.getUint8(7),
      source: readBytes(view, 8, 16),
      destination: readBytes(view, 24, 16),
    };
  },
  write(bytes: Uint8Array, value: BackendIpv6, offset = 0): void {
    const view = viewOf(bytes, offset, 40);
    clear(view);
    view.setUint32(0, u32(value.versionClassLabel, "backendIpv6.versionClassLabel"));
    view.setUint16(4, u16(value.payloadLength, "backendIpv6.payloadLength"));
    view.setUint8(6, u8(value.nextHeader, "backendIpv6.nextHeader"));
    view.setUint8(7, u8(value.hopLimit, "backendIpv6.hopLimit"));
    writeBytes(view, 8, 16, value.source, "backendIpv6.source");
    writeBytes(view, 24, 16, value.destination, "backendIpv6.destination");
  },
};

/** struct backend: 64 bytes. */
export interface Backend {
  /** __u8[40], byte 0. */
  readonly outer: Uint8Array;
  /** __u32, byte 40. */
  readonly templateSum: number;
  /** __u8, byte 44. */
  readonly family: number;
  /** __u8, byte 45. */
  readonly flags: number;
}

export const backend: Codec<Backend> = {
  name: "backend",
  sizeBytes: 64,
  offsets: { outer: 0, templateSum: 40, family: 44, flags: 45 },
  read(bytes: Uint8Array, offset = 0): Backend {
    const view = viewOf(bytes, offset, 64);
    return {
      outer: readBytes(view, 0, 40),
      templateSum: view.getUint32(40, true),
      family: view.getUint8(44),
      flags: view.getUint8(45),
    };
  },
  write(bytes: Uint8Array, value: Backend, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    writeBytes(view, 0, 40, value.outer, "backend.outer");
    view.setUint32(40, u32(value.templateSum, "backend.templateSum"), true);
    view.setUint8(44, u8(value.family, "backend.family"));
    view.setUint8(45, u8(value.flags, "backend.flags"));
  },
};

/** struct reason_block: 512 bytes. */
export interface ReasonBlock {
  /** __u64[64], byte 0. */
  readonly packets: readonly bigint[];
}

export const reasonBlock: Codec<ReasonBlock> = {
  name: "reason_block",
  sizeBytes: 512,
  offsets: { packets: 0 },
  read(bytes: Uint8Array, offset = 0): ReasonBlock {
    const view = viewOf(bytes, offset, 512);
    return {
      packets: Array.from({ length: 64 }, (_, index) => view.getBigUint64(8 * index, true)),
    };
  },
  write(bytes: Uint8Array, value: ReasonBlock, offset = 0): void {
    const view = viewOf(bytes, offset, 512);
    clear(view);
    for (const [index, element] of elements(value.packets, 64, "reasonBlock.packets")) {
      view.setBigUint64(8 * index, u64(element, "reasonBlock.packets"), true);
    }
  },
};

/** struct traffic: 16 bytes. */
export interface Traffic {
  /** __u64, byte 0. */
  readonly packets: bigint;
  /** __u64, byte 8. */
  readonly bytes: bigint;
}

export const traffic: Codec<Traffic> = {
  name: "traffic",
  sizeBytes: 16,
  offsets: { packets: 0, bytes: 8 },
  read(bytes: Uint8Array, offset = 0): Traffic {
    const view = viewOf(bytes, offset, 16);
    return {
      packets: view.getBigUint64(0, true),
      bytes: view.getBigUint64(8, true),
    };
  },
  write(bytes: Uint8Array, value: Traffic, offset = 0): void {
    const view = viewOf(bytes, offset, 16);
    clear(view);
    view.setBigUint64(0, u64(value.packets, "traffic.packets"), true);
    view.setBigUint64(8, u64(value.bytes, "traffic.bytes"), true);
  },
};

/** struct cpu_state: 64 bytes. */
export interface CpuState {
  /** __u64, byte 0. */
  readonly windowStartTicks: bigint;
  /** __u32, byte 8. */
  readonly windowFlows: number;
}

export const cpuState: Codec<CpuState> = {
  name: "cpu_state",
  sizeBytes: 64,
  offsets: { windowStartTicks: 0, windowFlows: 8 },
  read(bytes: Uint8Array, offset = 0): CpuState {
    const view = viewOf(bytes, offset, 64);
    return {
      windowStartTicks: view.getBigUint64(0, true),
      windowFlows: view.getUint32(8, true),
    };
  },
  write(bytes: Uint8Array, value: CpuState, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    view.setBigUint64(0, u64(value.windowStartTicks, "cpuState.windowStartTicks"), true);
    view.setUint32(8, u32(value.windowFlows, "cpuState.windowFlows"), true);
  },
};

/** struct flow_ipv4: 16 bytes. */
export interface FlowIpv4 {
  /** __be32, byte 0, network order in memory. */
  readonly source: number;
  /** __u32, byte 4. */
  readonly ports: number;
  /** __u16, byte 8. */
  readonly flowVip: number;
  /** __u16, byte 10. */
  readonly backend: number;
  /** __u32, byte 12. */
  readonly seen: number;
}

export const flowIpv4: Codec<FlowIpv4> = {
  name: "flow_ipv4",
  sizeBytes: 16,
  offsets: { source: 0, ports: 4, flowVip: 8, backend: 10, seen: 12 },
  read(bytes: Uint8Array, offset = 0): FlowIpv4 {
    const view = viewOf(bytes, offset, 16);
    return {
      source: view.getUint32(0),
      ports: view.getUint32(4, true),
      flowVip: view.getUint16(8, true),
      backend: view.getUint16(10, true),
      seen: view.getUint32(12, true),
    };
  },
  write(bytes: Uint8Array, value: FlowIpv4, offset = 0): void {
    const view = viewOf(bytes, offset, 16);
    clear(view);
    view.setUint32(0, u32(value.source, "flowIpv4.source"));
    view.setUint32(4, u32(value.ports, "flowIpv4.ports"), true);
    view.setUint16(8, u16(value.flowVip, "flowIpv4.flowVip"), true);
    view.setUint16(10, u16(value.backend, "flowIpv4.backend"), true);
    view.setUint32(12, u32(value.seen, "flowIpv4.seen"), true);
  },
};

/** struct flow_ipv4_line: 64 bytes. */
export interface FlowIpv4Line {
  /** struct flow_ipv4[4], byte 0. */
  readonly entries: readonly FlowIpv4[];
}

export const flowIpv4Line: Codec<FlowIpv4Line> = {
  name: "flow_ipv4_line",
  sizeBytes: 64,
  offsets: { entries: 0 },
  read(bytes: Uint8Array, offset = 0): FlowIpv4Line {
    viewOf(bytes, offset, 64);
    return {
      entries: Array.from({ length: 4 }, (_, index) => flowIpv4.read(bytes, offset + 16 * index)),
    };
  },
  write(bytes: Uint8Array, value: FlowIpv4Line, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    for (const [index, element] of elements(value.entries, 4, "flowIpv4Line.entries")) {
      flowIpv4.write(bytes, element, offset + 16 * index);
    }
  },
};

/** struct flow_ipv6: 32 bytes. */
export interface FlowIpv6 {
  /** __u8[16], byte 0. */
  readonly source: Uint8Array;
  /** __u32, byte 16. */
  readonly ports: number;
  /** __u16, byte 20. */
  readonly flowVip: number;
  /** __u16, byte 22. */
  readonly backend: number;
  /** __u32, byte 24. */
  readonly seen: number;
}

export const flowIpv6: Codec<FlowIpv6> = {
  name: "flow_ipv6",
  sizeBytes: 32,
  offsets: { source: 0, ports: 16, flowVip: 20, backend: 22, seen: 24 },
  read(bytes: Uint8Array, offset = 0): FlowIpv6 {
    const view = viewOf(bytes, offset, 32);
    return {
      source: readBytes(view, 0, 16),
      ports: view.getUint32(16, true),
      flowVip: view.getUint16(20, true),
      backend: view.getUint16(22, true),
      seen: view.getUint32(24, true),
    };
  },
  write(bytes: Uint8Array, value: FlowIpv6, offset = 0): void {
    const view = viewOf(bytes, offset, 32);
    clear(view);
    writeBytes(view, 0, 16, value.source, "flowIpv6.source");
    view.setUint32(16, u32(value.ports, "flowIpv6.ports"), true);
    view.setUint16(20, u16(value.flowVip, "flowIpv6.flowVip"), true);
    view.setUint16(22, u16(value.backend, "flowIpv6.backend"), true);
    view.setUint32(24, u32(value.seen, "flowIpv6.seen"), true);
  },
};

/** struct flow_ipv6_line: 64 bytes. */
export interface FlowIpv6Line {
  /** struct flow_ipv6[2], byte 0. */
  readonly entries: readonly FlowIpv6[];
}

export const flowIpv6Line: Codec<FlowIpv6Line> = {
  name: "flow_ipv6_line",
  sizeBytes: 64,
  offsets: { entries: 0 },
  read(bytes: Uint8Array, offset = 0): FlowIpv6Line {
    viewOf(bytes, offset, 64);
    return {
      entries: Array.from({ length: 2 }, (_, index) => flowIpv6.read(bytes, offset + 32 * index)),
    };
  },
  write(bytes: Uint8Array, value: FlowIpv6Line, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    for (const [index, element] of elements(value.entries, 2, "flowIpv6Line.entries")) {
      flowIpv6.write(bytes, element, offset + 32 * index);
    }
  },
};

/** struct fragment: 64 bytes. */
export interface Fragment {
  /** __u8[16], byte 0. */
  readonly source: Uint8Array;
  /** __u8[16], byte 16. */
  readonly destination: Uint8Array;
  /** __u32, byte 32. */
  readonly id: number;
  /** __u8, byte 36. */
  readonly protocol: number;
  /** __u8, byte 37. */
  readonly family: number;
  /** __u16, byte 38. */
  readonly backend: number;
  /** __u32, byte 40. */
  readonly vip: number;
  /** __u32, byte 44. */
  readonly seen: number;
  /** __u32, byte 48. */
  readonly ports: number;
}

export const fragment: Codec<Fragment> = {
  name: "fragment",
  sizeBytes: 64,
  offsets: { source: 0, destination: 16, id: 32, protocol: 36, family: 37, backend: 38, vip: 40, seen: 44, ports: 48 },
  read(bytes: Uint8Array, offset = 0): Fragment {
    const view = viewOf(bytes, offset, 64);
    return {
      source: readBytes(view, 0, 16),
      destination: readBytes(view, 16, 16),
      id: view.getUint32(32, true),
      protocol: view.getUint8(36),
      family: view.getUint8(37),
      backend: view.getUint16(38, true),
      vip: view.getUint32(40, true),
      seen: view.getUint32(44, true),
      ports: view.getUint32(48, true),
    };
  },
  write(bytes: Uint8Array, value: Fragment, offset = 0): void {
    const view = viewOf(bytes, offset, 64);
    clear(view);
    writeBytes(view, 0, 16, value.source, "fragment.source");
    writeBytes(view, 16, 16, value.destination, "fragment.destination");
    view.setUint32(32, u32(value.id, "fragment.id"), true);
    view.setUint8(36, u8(value.protocol, "fragment.protocol"));
    view.setUint8(37, u8(value.family, "fragment.family"));
    view.setUint16(38, u16(value.backend, "fragment.backend"), true);
    view.setUint32(40, u32(value.vip, "fragment.vip"), true);
    view.setUint32(44, u32(value.seen, "fragment.seen"), true);
    view.setUint32(48, u32(value.ports, "fragment.ports"), true);
  },
};

/** enum reason. */
export const Reason = {
  REASON_INTERNAL_ERROR: 0,
  REASON_NOT_IP: 1,
  REASON_NOT_VIP: 2,
  REASON_NOT_VIP_MALFORMED: 3,
  REASON_NOT_VIP_FRAGMENT: 4,
  REASON_OTHER_PROTOCOL: 5,
  REASON_OTHER_ICMP: 6,
  REASON_FLOW_HIT: 7,
  REASON_FLOW_NEW: 8,
  REASON_FLOW_BYPASS: 9,
  REASON_FLOW_TABLE_FULL: 10,
  REASON_FLOW_RATE_LIMITED: 11,
  REASON_FRAGMENT_HIT: 12,
  REASON_FRAGMENT_GUESSED: 13,
  REASON_ICMP_ERROR: 14,
  REASON_ECHO_REPLY: 15,
  REASON_TOO_BIG_REPLY: 16,
  REASON_MALFORMED_ETHERNET: 17,
  REASON_MALFORMED_IPV4: 18,
  REASON_MALFORMED_IPV6: 19,
  REASON_MALFORMED_TCP: 20,
  REASON_MALFORMED_UDP: 21,
  REASON_MALFORMED_ICMP: 22,
  REASON_IP_OPTIONS: 23,
  REASON_FRAGMENT: 24,
  REASON_NO_BACKEND: 25,
  REASON_TOO_BIG: 26,
  REASON_NO_HEADROOM: 27,
  REASON_NO_GATEWAY: 28,
  REASON_COUNT: 29,
} as const;
export type Reason = (typeof Reason)[keyof typeof Reason];

/** enum family. */
export const Family = {
  FAMILY_IPV4: 4,
  FAMILY_IPV6: 6,
} as const;
export type Family = (typeof Family)[keyof typeof Family];

/** enum vip_key. */
export const VipKey = {
  VIP_KEY_ADDRESS: 0,
  VIP_KEY_LOWEST_PORT: 128,
} as const;
export type VipKey = (typeof VipKey)[keyof typeof VipKey];

/** enum vip_flag. */
export const VipFlag = {
  VIP_NO_SOURCE_PORT: 1,
  VIP_BYPASS_FLOW_TABLE: 2,
  VIP_QUIC: 4,
  VIP_HASH_DESTINATION_PORT: 8,
  VIP_SOURCE_ROUTING: 16,
  VIP_LOCAL: 32,
  VIP_GLOBAL_FLOW_TABLE: 64,
  VIP_HASH_BOTH_PORTS: 128,
  VIP_UDP_STABLE_ROUTING: 256,
  VIP_UDP_FLOW_MIGRATION: 512,
} as const;
export type VipFlag = (typeof VipFlag)[keyof typeof VipFlag];

/** enum flow_state. */
export const FlowState = {
  FLOW_NEW: 0,
  FLOW_ESTABLISHED: 1,
  FLOW_CLOSING: 2,
  FLOW_DATAGRAMS: 3,
} as const;
export type FlowState = (typeof FlowState)[keyof typeof FlowState];

/** enum echo_mode. */
export const EchoMode = {
  ECHO_OFF: 0,
  ECHO_VIP: 1,
  ECHO_ANY: 2,
} as const;
export type EchoMode = (typeof EchoMode)[keyof typeof EchoMode];

/** enum layout. */
export const Layout = {
  LINE_BYTES: 64,
  RING_SLOTS: 65537,
  RING_BYTES: 266240,
  VIP_BUCKET_SLOTS: 4,
  FLOWS_IPV4_PER_LINE: 4,
  FLOWS_IPV6_PER_LINE: 2,
  INTERFACE_SLOTS_LOG2: 8,
  INTERFACE_SLOTS: 256,
  FLOW_STATE_BITS: 2,
  REASON_BLOCK: 64,
} as const;
export type Layout = (typeof Layout)[keyof typeof Layout];

/** Public names of reasons: the element at a reason's number. */
export const REASON_NAMES: readonly string[] = [
  "internal_error",
  "not_ip",
  "not_vip",
  "not_vip_malformed",
  "not_vip_fragment",
  "other_protocol",
  "other_icmp",
  "flow_hit",
  "flow_new",
  "flow_bypass",
  "flow_table_full",
  "flow_rate_limited",
  "fragment_hit",
  "fragment_guessed",
  "icmp_error",
  "echo_reply",
  "too_big_reply",
  "malformed_ethernet",
  "malformed_ipv4",
  "malformed_ipv6",
  "malformed_tcp",
  "malformed_udp",
  "malformed_icmp",
  "ip_options",
  "fragment",
  "no_backend",
  "too_big",
  "no_headroom",
  "no_gateway",
];

/** Maps whose values are structs, by name. */
export const maps: {
  readonly settings: MapLayout<Settings>;
  readonly vip_buckets: MapLayout<VipBucket>;
  readonly interfaces: MapLayout<InterfaceEntry>;
  readonly vips: MapLayout<Vip>;
  readonly rings: MapLayout<Ring>;
  readonly backends: MapLayout<Backend>;
  readonly reason_counters: MapLayout<ReasonBlock>;
  readonly vip_counters: MapLayout<Traffic>;
  readonly backend_counters: MapLayout<Traffic>;
  readonly cpu_states: MapLayout<CpuState>;
  readonly flows_ipv4: MapLayout<FlowIpv4Line>;
  readonly flows_ipv6: MapLayout<FlowIpv6Line>;
  readonly fragments: MapLayout<Fragment>;
} = {
  settings: { name: "settings", keySizeBytes: 4, value: settings, maxEntries: 1, isMapInMap: false },
  vip_buckets: { name: "vip_buckets", keySizeBytes: 4, value: vipBucket, maxEntries: 1024, isMapInMap: false },
  interfaces: { name: "interfaces", keySizeBytes: 4, value: interfaceEntry, maxEntries: 512, isMapInMap: false },
  vips: { name: "vips", keySizeBytes: 4, value: vip, maxEntries: 65, isMapInMap: false },
  rings: { name: "rings", keySizeBytes: 4, value: ring, maxEntries: 69, isMapInMap: false },
  backends: { name: "backends", keySizeBytes: 4, value: backend, maxEntries: 4097, isMapInMap: false },
  reason_counters: { name: "reason_counters", keySizeBytes: 4, value: reasonBlock, maxEntries: 2, isMapInMap: false },
  vip_counters: { name: "vip_counters", keySizeBytes: 4, value: traffic, maxEntries: 136, isMapInMap: false },
  backend_counters: { name: "backend_counters", keySizeBytes: 4, value: traffic, maxEntries: 8200, isMapInMap: false },
  cpu_states: { name: "cpu_states", keySizeBytes: 4, value: cpuState, maxEntries: 2, isMapInMap: false },
  flows_ipv4: { name: "flows_ipv4", keySizeBytes: 4, value: flowIpv4Line, maxEntries: 65536, isMapInMap: true },
  flows_ipv6: { name: "flows_ipv6", keySizeBytes: 4, value: flowIpv6Line, maxEntries: 131072, isMapInMap: true },
  fragments: { name: "fragments", keySizeBytes: 4, value: fragment, maxEntries: 1024, isMapInMap: true },
};

/** Options: variables of .rodata, fixed when the program is loaded, with their defaults. */
export const options = {
  option_scope_all: { map: ".rodata", type: "_Bool", offsetBytes: 0, sizeBytes: 1, value: false },
  option_fragments_balance: { map: ".rodata", type: "_Bool", offsetBytes: 1, sizeBytes: 1, value: true },
  option_ip_options_balance: { map: ".rodata", type: "_Bool", offsetBytes: 2, sizeBytes: 1, value: false },
  option_too_big_icmp: { map: ".rodata", type: "_Bool", offsetBytes: 3, sizeBytes: 1, value: true },
  option_echo: { map: ".rodata", type: "__u8", offsetBytes: 4, sizeBytes: 1, value: 1 },
  option_any_port_vips: { map: ".rodata", type: "_Bool", offsetBytes: 5, sizeBytes: 1, value: true },
  option_hash_seed: { map: ".rodata", type: "__u32", offsetBytes: 8, sizeBytes: 4, value: 33554944 },
  option_hash_seed_ipv6: { map: ".rodata", type: "__u32", offsetBytes: 12, sizeBytes: 4, value: 512 },
  option_flow_seed: { map: ".rodata", type: "__u64", offsetBytes: 16, sizeBytes: 8, value: 0n },
  option_vip_bucket_mask: { map: ".rodata", type: "__u32", offsetBytes: 24, sizeBytes: 4, value: 511 },
  option_flow_ipv4_line_mask: { map: ".rodata", type: "__u32", offsetBytes: 28, sizeBytes: 4, value: 65535 },
  option_flow_ipv6_line_mask: { map: ".rodata", type: "__u32", offsetBytes: 32, sizeBytes: 4, value: 131071 },
  option_fragment_mask: { map: ".rodata", type: "__u32", offsetBytes: 36, sizeBytes: 4, value: 1023 },
  option_vip_stride: { map: ".rodata", type: "__u32", offsetBytes: 40, sizeBytes: 4, value: 68 },
  option_backend_stride: { map: ".rodata", type: "__u32", offsetBytes: 44, sizeBytes: 4, value: 4100 },
  option_external_clock: { map: ".rodata", type: "_Bool", offsetBytes: 48, sizeBytes: 1, value: false },
  option_ticks_per_second: { map: ".rodata", type: "__u32", offsetBytes: 52, sizeBytes: 4, value: 250 },
  option_established_idle_ticks: { map: ".rodata", type: "__u32", offsetBytes: 56, sizeBytes: 4, value: 900000 },
  option_closing_idle_ticks: { map: ".rodata", type: "__u32", offsetBytes: 60, sizeBytes: 4, value: 15000 },
  option_fragment_ticks: { map: ".rodata", type: "__u32", offsetBytes: 64, sizeBytes: 4, value: 500 },
  option_object_id: { map: ".rodata", type: "__u64", offsetBytes: 72, sizeBytes: 8, value: 0n },
} as const;

/** Variables of .data and .bss, with their initial values. */
export const variables = {
  clock_ticks: { map: ".data", type: "__u64", offsetBytes: 0, sizeBytes: 8, value: 0n },
} as const;

/** Programs of the object, by section. */
export const programs: { readonly [name: string]: string } = {
  balance: "xdp",
};
