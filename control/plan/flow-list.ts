/** The flow tables' entries as values, for reports and tests. */
import type { Dataplane } from "../../dataplane/dataplane.ts";
import {
  type FlowIpv6,
  FlowState,
  flowIpv4,
  flowIpv6,
  Layout,
} from "../../dataplane/xdp/generated/balancer.ts";
import type { IpAddress } from "../model/address.ts";

export interface Flow {
  readonly cpu: number;
  readonly source: IpAddress;
  /** As the VIP's flags leave them: 0 where a port does not count. */
  readonly sourcePort: number;
  readonly targetPort: number;
  readonly flowVip: number;
  readonly backend: number;
  readonly state: "new" | "established" | "closing" | "datagrams";
  /** Tick of the last packet, modulo 2^30. */
  readonly seenTick: number;
}

const STATES: { readonly [state in FlowState]: Flow["state"] } = {
  [FlowState.FLOW_NEW]: "new",
  [FlowState.FLOW_ESTABLISHED]: "established",
  [FlowState.FLOW_CLOSING]: "closing",
  [FlowState.FLOW_DATAGRAMS]: "datagrams",
};
const STATE_MASK = (1 << Layout.FLOW_STATE_BITS) - 1;

/** By CPU, IPv4 first. Flows that come and go meanwhile may or may not be among them. Throws MapError. */
export function* listFlows(dataplane: Dataplane): Generator<Flow> {
  for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
    for (const [map, codec] of [
      ["flows_ipv4", flowIpv4],
      ["flows_ipv6", flowIpv6],
    ] as const) {
      const table = dataplane.map(map).inner(cpu);
      const bytes = table.withView(0, table.maxEntries, (view) => view.slice());
      const ownerOffset = codec.offsets.flowVip;
      const words = new Uint32Array(bytes.buffer);
      for (let offset = 0; offset < bytes.length; offset += codec.sizeBytes) {
        if (words[(offset + ownerOffset) / 4] !== 0) yield flowOf(cpu, codec.read(bytes, offset));
      }
    }
  }
}

function flowOf(
  cpu: number,
  entry: Omit<FlowIpv6, "source"> & { readonly source: number | Uint8Array },
): Flow {
  const { source, ports, flowVip, backend, seen } = entry;
  return {
    cpu,
    source:
      typeof source === "number"
        ? { family: 4, bytes: Uint8Array.of(source >>> 24, source >>> 16, source >>> 8, source) }
        : { family: 6, bytes: source },
    sourcePort: swapBytes(ports & 0xffff),
    targetPort: swapBytes(ports >>> 16),
    flowVip,
    backend,
    state: STATES[(seen & STATE_MASK) as FlowState],
    seenTick: seen >>> Layout.FLOW_STATE_BITS,
  };
}

function swapBytes(port: number): number {
  return ((port & 0xff) << 8) | (port >> 8);
}
