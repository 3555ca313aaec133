/** How full the flow tables are, and with what: a pass over their live bytes, which packets may change meanwhile. */
import type { Dataplane } from "../../dataplane/dataplane.ts";
import { FlowState, flowIpv4, flowIpv6, Layout } from "../../dataplane/xdp/generated/balancer.ts";
import type { Flow } from "./flow-table.ts";

export interface FlowUse {
  /** Entries, over all CPUs. */
  readonly capacity: number;
  /** Entries that hold a flow, by its state; those whose time is over too, until another flow takes their place. */
  readonly states: { readonly [state in Flow["state"]]: number };
  readonly used: number;
}

/** Throws MapError. */
export function readFlowUse(dataplane: Dataplane): { readonly ipv4: FlowUse; readonly ipv6: FlowUse } {
  return { ipv4: useOf(dataplane, "flows_ipv4", flowIpv4), ipv6: useOf(dataplane, "flows_ipv6", flowIpv6) };
}

const STATE_MASK = (1 << Layout.FLOW_STATE_BITS) - 1;

function useOf(
  dataplane: Dataplane,
  map: string,
  codec: {
    readonly sizeBytes: number;
    readonly offsets: { readonly flowVip: number; readonly seen: number };
  },
): FlowUse {
  const counts = [0, 0, 0, 0];
  let capacity = 0;
  const [step, ownerAt, seenAt] = [codec.sizeBytes / 4, codec.offsets.flowVip >> 2, codec.offsets.seen / 4];
  for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
    const table = dataplane.map(map).inner(cpu);
    table.withView(0, table.maxEntries, (bytes) => {
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
      for (let at = 0; at < words.length; at += step) {
        capacity++;
        if (words[at + ownerAt] !== 0) counts[words[at + seenAt]! & STATE_MASK]!++;
      }
    });
  }
  return {
    capacity,
    states: {
      new: counts[FlowState.FLOW_NEW]!,
      established: counts[FlowState.FLOW_ESTABLISHED]!,
      closing: counts[FlowState.FLOW_CLOSING]!,
      datagrams: counts[FlowState.FLOW_DATAGRAMS]!,
    },
    used: counts.reduce((sum, count) => sum + count, 0),
  };
}
