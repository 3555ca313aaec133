/**
 * The flow and fragment tables as the control plane uses them: which backends they name, and clearing entries that name one they
 * should not. The program writes these tables all the time, so an entry is cleared by exchanging the one word that holds
 * its VIP and backend, and only if that word still says what was read: an entry that meanwhile went to another flow stays.
 */
import type { Dataplane } from "../../dataplane/dataplane.ts";
import {
  type FlowIpv6,
  FlowState,
  flowIpv4,
  flowIpv6,
  fragment,
  Layout,
  vip as vipCodec,
} from "../../dataplane/xdp/generated/balancer.ts";
import type { IpAddress } from "../model/address.ts";

/** (flow_vip, backend) pairs that flow and fragment entries hold. */
export class FlowOwners {
  readonly #backends = new Map<number, Set<number>>();

  add(flowVip: number, backend: number): void {
    const backends = this.#backends.get(flowVip);
    if (backends === undefined) this.#backends.set(flowVip, new Set([backend]));
    else backends.add(backend);
  }

  deleteVip(flowVip: number): void {
    this.#backends.delete(flowVip);
  }

  delete(flowVip: number, backend: number): void {
    this.#backends.get(flowVip)?.delete(backend);
  }

  has(flowVip: number): boolean {
    return (this.#backends.get(flowVip)?.size ?? 0) > 0;
  }

  flowVips(): number[] {
    return [...this.#backends.keys()].filter((flowVip) => this.has(flowVip)).sort((a, b) => a - b);
  }

  backendsOf(flowVip: number): number[] {
    return [...(this.#backends.get(flowVip) ?? [])].sort((a, b) => a - b);
  }

  names(backend: number): boolean {
    for (const backends of this.#backends.values()) if (backends.has(backend)) return true;
    return false;
  }

  clone(): FlowOwners {
    const copy = new FlowOwners();
    for (const [flowVip, backends] of this.#backends) copy.#backends.set(flowVip, new Set(backends));
    return copy;
  }
}

export interface FlowCensus {
  /** Of fragments too, by the flow_vip of the VIP they name. */
  readonly owners: FlowOwners;
  /** VIP ids that fragments name. */
  readonly fragmentVips: ReadonlySet<number>;
}

/** Reads every flow and fragment of every CPU. */
export function readFlowCensus(dataplane: Dataplane): FlowCensus {
  const owners = new FlowOwners();
  const fragmentVips = new Set<number>();
  const flowVipOf = readFlowVips(dataplane);
  // Entries next to each other often say the same, and a set is slow to ask.
  let last = 0;
  forEachFlowWord(dataplane, (words, at) => {
    const word = words[at]!;
    if (word === last) return;
    last = word;
    if ((word & 0xffff) !== 0 && word >>> 16 !== 0) owners.add(word & 0xffff, word >>> 16);
  });
  forEachFragment(dataplane, (words, base) => {
    const backend = words[base + FRAGMENT_WORD]! >>> 16;
    if (backend === 0) return;
    const vip = words[base + FRAGMENT_VIP]!;
    fragmentVips.add(vip);
    const flowVip = flowVipOf[vip] ?? 0;
    if (flowVip !== 0) owners.add(flowVip, backend);
  });
  return { owners, fragmentVips };
}

export interface Forgetting {
  /** flow_vip to the backends whose flows are to be cleared; "all" for every flow of that VIP. */
  readonly flows: ReadonlyMap<number, ReadonlySet<number> | "all">;
  /** Ids of VIPs whose fragments are to be cleared, whatever backend they name. */
  readonly fragmentVips: ReadonlySet<number>;
}

/** Clears entries on every CPU; returns how many. Only sure to get all when no packet can still be adding such entries. */
export function forgetFlows(dataplane: Dataplane, { flows, fragmentVips }: Forgetting): number {
  const flowVipOf = readFlowVips(dataplane);
  const isForgotten = (flowVip: number, backend: number): boolean => {
    const backends = flows.get(flowVip);
    return backends !== undefined && (backends === "all" || backends.has(backend));
  };
  let cleared = 0;
  forEachFlowWord(dataplane, (words, at) => {
    const word = words[at]!;
    if (word === 0 || !isForgotten(word & 0xffff, word >>> 16)) return;
    if (Atomics.compareExchange(words, at, word, 0) === word) cleared++;
  });
  forEachFragment(dataplane, (words, base) => {
    const word = words[base + FRAGMENT_WORD]!;
    const vip = words[base + FRAGMENT_VIP]!;
    if (word >>> 16 === 0) return;
    if (!fragmentVips.has(vip) && !isForgotten(flowVipOf[vip] ?? 0, word >>> 16)) return;
    // The VIP is in another word: should the entry have gone to a fragment of another VIP in between, that datagram loses its
    // backend, as it does whenever two datagrams meet in one entry.
    if (Atomics.compareExchange(words, base + FRAGMENT_WORD, word, word & 0xffff) === word) cleared++;
  });
  return cleared;
}

const FRAGMENT_WORD = wordOf(fragment.offsets.protocol); // protocol, family, backend
const FRAGMENT_VIP = wordOf(fragment.offsets.vip);
const FRAGMENT_WORDS = fragment.sizeBytes / 4;

const FLOW_TABLES = [
  { map: "flows_ipv4", entryWords: flowIpv4.sizeBytes / 4, word: wordOf(flowIpv4.offsets.flowVip) },
  { map: "flows_ipv6", entryWords: flowIpv6.sizeBytes / 4, word: wordOf(flowIpv6.offsets.flowVip) },
] as const;

function wordOf(offsetBytes: number): number {
  return offsetBytes >> 2;
}

/** Visits the word of every flow entry that holds flow_vip in its low and backend in its high half. */
function forEachFlowWord(dataplane: Dataplane, visit: (words: Uint32Array, at: number) => void): void {
  for (const { map, entryWords, word } of FLOW_TABLES) {
    for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
      withWords(dataplane, map, cpu, (words) => {
        for (let at = word; at < words.length; at += entryWords) if (words[at] !== 0) visit(words, at);
      });
    }
  }
}

function forEachFragment(dataplane: Dataplane, visit: (words: Uint32Array, base: number) => void): void {
  for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) {
    withWords(dataplane, "fragments", cpu, (words) => {
      for (let base = 0; base < words.length; base += FRAGMENT_WORDS) visit(words, base);
    });
  }
}

function withWords(dataplane: Dataplane, map: string, cpu: number, use: (words: Uint32Array) => void): void {
  const table = dataplane.map(map).inner(cpu);
  table.withView(0, table.maxEntries, (bytes) => {
    use(new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4));
  });
}

/** By VIP id, of live and retired entries alike. */
function readFlowVips(dataplane: Dataplane): Uint16Array {
  const vips = dataplane.map("vips");
  return vips.withView(0, vips.maxEntries, (bytes) =>
    Uint16Array.from(
      { length: vips.maxEntries },
      (_, id) => vipCodec.read(bytes, id * vipCodec.sizeBytes).flowVip,
    ),
  );
}

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

/** The flow tables' entries as values, for reports and tests: by CPU, IPv4 first. Flows that come and go meanwhile may or may not be among them. Throws MapError. */
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

/** The entries of one line of `flows_ipv4[cpu]` or `flows_ipv6[cpu]`; undefined where one is free. */
export function readFlowLine(
  map: "flows_ipv4" | "flows_ipv6",
  cpu: number,
  line: Uint8Array,
): (Flow | undefined)[] {
  const codec = map === "flows_ipv4" ? flowIpv4 : flowIpv6;
  return Array.from({ length: line.length / codec.sizeBytes }, (_, position) => {
    const entry = codec.read(line, position * codec.sizeBytes);
    return entry.flowVip === 0 && entry.backend === 0 ? undefined : flowOf(cpu, entry);
  });
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
