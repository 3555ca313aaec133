/** Puts flow and fragment entries into the maps, as the program would for packets, and reads them. */
import { formatIpAddress, type IpAddress } from "../../../control/model/address.ts";
import { listFlows } from "../../../control/plan/flow-table.ts";
import type { Dataplane } from "../../../dataplane/dataplane.ts";
import { flowIpv4, flowIpv6, fragment } from "../../../dataplane/xdp/generated/balancer.ts";

/** The first free entry of the CPU's table takes the flow. */
export function putFlow(
  dataplane: Dataplane,
  flow: { cpu: number; source: IpAddress; flowVip: number; backend: number },
): void {
  const { cpu, source, flowVip, backend } = flow;
  const table = dataplane.map(source.family === 4 ? "flows_ipv4" : "flows_ipv6").inner(cpu);
  const common = { ports: 0x5000_697a, flowVip, backend, seen: 1 };
  table.withView(0, table.maxEntries, (bytes) => {
    const codec = source.family === 4 ? flowIpv4 : flowIpv6;
    for (let at = 0; at < bytes.length; at += codec.sizeBytes) {
      if (codec.read(bytes, at).flowVip !== 0) continue;
      if (source.family === 6) flowIpv6.write(bytes, { ...common, source: source.bytes }, at);
      else
        flowIpv4.write(
          bytes,
          { ...common, source: new DataView(source.bytes.buffer, source.bytes.byteOffset).getUint32(0) },
          at,
        );
      return;
    }
    throw new Error("no free flow entry");
  });
}

export function putFragment(
  dataplane: Dataplane,
  entry: { cpu: number; index: number; vip: number; backend: number },
): void {
  const { cpu, index, vip, backend } = entry;
  const bytes = new Uint8Array(fragment.sizeBytes);
  const none = new Uint8Array(16);
  fragment.write(bytes, {
    source: none,
    destination: none,
    id: index,
    protocol: 17,
    family: 4,
    backend,
    vip,
    seen: 1,
    ports: 0,
  });
  dataplane.map("fragments").inner(cpu).write(index, bytes);
}

/** "vip/backend" of every fragment entry. */
export function fragmentPairs(dataplane: Dataplane): string[] {
  const pairs: string[] = [];
  for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
    const table = dataplane.map("fragments").inner(cpu);
    for (let index = 0; index < table.maxEntries; index++) {
      const { vip, backend } = fragment.read(table.read(index));
      if (backend !== 0) pairs.push(`${vip}/${backend}`);
    }
  }
  return pairs;
}

/** Sources of the flows in the tables, sorted. */
export function flowSources(dataplane: Dataplane): string[] {
  return [...listFlows(dataplane)].map(({ source }) => formatIpAddress(source)).sort();
}
