/**
 * Elements of maps that differ, in the words of what they hold: which reason's counter, whose flow. What is not known here, as in another
 * program's maps, is said as the bytes that differ.
 */
import {
  cpuState,
  fragment,
  REASON_NAMES,
  reasonBlock,
  traffic,
} from "../../dataplane/xdp/generated/balancer.ts";
import { formatIpAddress, type IpAddress } from "../model/address.ts";
import type { MapValueDifference } from "../model/verify-report.ts";
import { type Flow, readFlowLine } from "../plan/flow-table.ts";
import type { MapNames } from "../plan/plan.ts";
import type { ElementDifference } from "./verify-maps.ts";

/** What is needed to name ids. */
export interface Naming {
  readonly names: MapNames;
  readonly cpuCount: number;
  /** Entries of a map. */
  readonly entriesOf: (map: string) => number;
}

/** One for each value in the element that differs. */
export function describeElement(element: ElementDifference, naming: Naming): MapValueDifference[] {
  const { map, index, expected, found } = element;
  const [name, cpu] = splitName(map);
  const values = (): readonly Value[] => {
    switch (name) {
      case "reason_counters":
        return reasons(expected, found);
      case "vip_counters":
      case "backend_counters":
        return counters(element, name, naming);
      case "flows_ipv4":
      case "flows_ipv6":
        return flows(element, name, cpu, naming.names);
      case "fragments":
        return fragments(element, naming.names);
      case "cpu_states":
        return cpuStates(expected, found);
      default:
        return [];
    }
  };
  const known = values().filter((value) => value.expected !== value.found);
  // Also where the bytes differ in what has no name.
  const described = known.length > 0 ? known : [bytesOf(expected, found)];
  return described.map((value) => ({ map, index, ...value }));
}

type Value = Omit<MapValueDifference, "map" | "index">;

function splitName(map: string): [name: string, cpu: number] {
  const match = /^(.*)\[(\d+)\]$/.exec(map);
  return match === null ? [map, 0] : [match[1]!, Number(match[2])];
}

function reasons(expected: Uint8Array, found: Uint8Array): Value[] {
  const [left, right] = [reasonBlock.read(expected).packets, reasonBlock.read(found).packets];
  return left.map((count, reason) => ({
    what: `packets that ended for reason ${REASON_NAMES[reason] ?? reason}`,
    expected: String(count),
    found: String(right[reason]),
  }));
}

function counters(
  { index, expected, found }: ElementDifference,
  map: "vip_counters" | "backend_counters",
  { names, cpuCount, entriesOf }: Naming,
): Value[] {
  const id = index % (entriesOf(map) / cpuCount);
  const whose = map === "vip_counters" ? vipName(names, id) : backendName(names, id);
  const [left, right] = [traffic.read(expected), traffic.read(found)];
  return (["packets", "bytes"] as const).map((field) => ({
    what: `${field} of ${whose}`,
    expected: String(left[field]),
    found: String(right[field]),
  }));
}

function flows(
  { expected, found }: ElementDifference,
  map: "flows_ipv4" | "flows_ipv6",
  cpu: number,
  names: MapNames,
): Value[] {
  const [left, right] = [readFlowLine(map, cpu, expected), readFlowLine(map, cpu, found)];
  return left.map((flow, position) => ({
    what: `flow entry ${position} of the line`,
    expected: flowText(flow, names),
    found: flowText(right[position], names),
  }));
}

function flowText(flow: Flow | undefined, names: MapNames): string {
  if (flow === undefined) return "free";
  const { source, sourcePort, targetPort, flowVip, backend, state, seenTick } = flow;
  const vip = names.vips.find((candidate) => candidate.flowVip === flowVip);
  const where = vip === undefined ? `flow VIP ${flowVip}` : vipName(names, vip.id);
  const client = endpoint(source, sourcePort);
  return `${client} to port ${targetPort} of ${where}: ${backendName(names, backend)}, ${state}, seen at tick ${seenTick}`;
}

function fragments({ expected, found }: ElementDifference, names: MapNames): Value[] {
  return [
    {
      what: "fragmented datagram",
      expected: fragmentText(expected, names),
      found: fragmentText(found, names),
    },
  ];
}

function fragmentText(bytes: Uint8Array, names: MapNames): string {
  const { source, destination, id, protocol, family, backend, vip, seen, ports } = fragment.read(bytes);
  if (backend === 0 && bytes.every((byte) => byte === 0)) return "free";
  const [from, to] = [source, destination].map((address) =>
    formatIpAddress(family === 4 ? { family: 4, bytes: address.slice(0, 4) } : { family: 6, bytes: address }),
  );
  const datagram = `${from} to ${to}, id 0x${id.toString(16)}, protocol ${protocol}, ports 0x${ports.toString(16)}`;
  return `${datagram}: ${vipName(names, vip)}, ${backendName(names, backend)}, seen at tick ${seen}`;
}

function cpuStates(expected: Uint8Array, found: Uint8Array): Value[] {
  const [left, right] = [cpuState.read(expected), cpuState.read(found)];
  return [
    {
      what: "tick at which the second began that new flows are counted in",
      expected: String(left.windowStartTicks),
      found: String(right.windowStartTicks),
    },
    {
      what: "new flows of that second",
      expected: String(left.windowFlows),
      found: String(right.windowFlows),
    },
  ];
}

const BYTES_SHOWN_MAX = 16;

function bytesOf(expected: Uint8Array, found: Uint8Array): Value {
  const first = expected.findIndex((byte, at) => byte !== found[at]);
  const end = Math.min(first + BYTES_SHOWN_MAX, expected.length);
  return {
    what: `bytes ${first} to ${end - 1} of the element`,
    expected: Buffer.from(expected.subarray(first, end)).toString("hex"),
    found: Buffer.from(found.subarray(first, end)).toString("hex"),
  };
}

function vipName({ vips }: MapNames, id: number): string {
  const named = vips.find((candidate) => candidate.id === id);
  if (named === undefined) return `VIP id ${id}, which the config has not`;
  const { name, address, port, protocol } = named.vip;
  return `VIP ${name === undefined ? "" : `${name} `}${protocol} ${endpoint(address, port)}`;
}

function backendName({ backends }: MapNames, id: number): string {
  const named = backends.find((candidate) => candidate.id === id);
  return named === undefined ? `backend id ${id}, which the config has not` : `backend ${named.address}`;
}

function endpoint(address: IpAddress, port: number): string {
  const text = formatIpAddress(address);
  return `${address.family === 6 ? `[${text}]` : text}:${port}`;
}
