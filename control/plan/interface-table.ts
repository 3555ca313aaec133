/**
 * The table in which the program finds the next hop of an interface by its ifindex: slots chosen by multiplication, with a
 * multiplier under which no two interfaces share one. dataplane/xdp/layout.h and interfaces.h say the same; the two must change
 * together.
 */
import {
  interfaceEntry as codec,
  Layout,
  settings as settingsCodec,
} from "../../dataplane/xdp/generated/balancer.ts";
import { formatMac, type MacAddress } from "../model/mac.ts";
import type { Actual } from "./actual.ts";
import { PlanError } from "./plan-error.ts";

/** What holds for packets that come in by one interface, and so go out by it again. */
export interface InterfaceEntry {
  /** As the kernel numbers interfaces in the network namespace: 1 and up. */
  readonly ifindex: number;
  /** Destination MAC of what is forwarded. All zero: not known, and what would be forwarded is dropped. */
  readonly gatewayMac: MacAddress;
  /** Largest outgoing IP packet in bytes; 0: no limit. */
  readonly mtu: number;
}

/** One copy of the table, ready to be written. */
export interface InterfaceTable {
  readonly multiplier: number;
  /** As in memory: INTERFACE_SLOTS values of the `interfaces` map. */
  readonly entries: Uint8Array;
}

export interface LiveInterface {
  /** Element of the `interfaces` map. */
  readonly index: number;
  readonly entry: InterfaceEntry;
  /** The entry's two words, as in memory. */
  readonly words: InterfaceWords;
}

export interface InterfaceWords {
  readonly gateway: bigint;
  readonly ifindexAndMtu: bigint;
}

const SLOTS = Layout.INTERFACE_SLOTS;

/** With twice as many interfaces as may be attached, one multiplier in seven will do. */
const MULTIPLIERS_TRIED = 4096;

/** The same interfaces always give the same table, whatever their order. Throws PlanError when no multiplier that was tried will do. */
export function buildInterfaceTable(interfaces: readonly InterfaceEntry[]): InterfaceTable {
  for (let attempt = 1; attempt <= MULTIPLIERS_TRIED; attempt++) {
    const multiplier = (Math.imul(attempt, 0x9e3779b1) | 1) >>> 0;
    const slots = new Set(interfaces.map(({ ifindex }) => interfaceSlot(ifindex, multiplier)));
    if (slots.size < interfaces.length) continue;
    const entries = new Uint8Array(SLOTS * codec.sizeBytes);
    for (const entry of interfaces) {
      codec.write(entries, asWritten(entry), interfaceSlot(entry.ifindex, multiplier) * codec.sizeBytes);
    }
    return { multiplier, entries };
  }
  throw new PlanError(
    "no-interface-table",
    { resource: "interfaces", wanted: interfaces.length, available: SLOTS },
    `no multiplier in ${MULTIPLIERS_TRIED} gives each of ${interfaces.length} interfaces one of ${SLOTS} slots of its own; attach fewer`,
  );
}

/** Of the table that packets use, the entries that they can find, by ifindex. */
export function liveInterfaces(
  actual: Pick<Actual, "settings" | "interfaces">,
): ReadonlyMap<number, LiveInterface> {
  const { firstEntry, multiplier } = liveInterfaceTable(actual);
  const live = new Map<number, LiveInterface>();
  for (let slot = 0; slot < SLOTS; slot++) {
    const index = firstEntry + slot;
    if ((index + 1) * codec.sizeBytes > actual.interfaces.length) break;
    const entry = codec.read(actual.interfaces, index * codec.sizeBytes);
    if (entry.ifindex === 0 || interfaceSlot(entry.ifindex, multiplier) !== slot) continue;
    const value = actual.interfaces.subarray(index * codec.sizeBytes, (index + 1) * codec.sizeBytes);
    live.set(entry.ifindex, { index, entry, words: wordsOf(value) });
  }
  return live;
}

export function liveInterfaceTable({ settings }: Pick<Actual, "settings">): {
  readonly firstEntry: number;
  readonly multiplier: number;
} {
  const { interfaceTable } = settingsCodec.read(settings);
  return { firstEntry: Number(interfaceTable & 0xffff_ffffn), multiplier: Number(interfaceTable >> 32n) };
}

/** Where in its copy an interface is looked for. */
export function interfaceSlot(ifindex: number, multiplier: number): number {
  return Math.imul(ifindex, multiplier) >>> (32 - Layout.INTERFACE_SLOTS_LOG2);
}

/** As they are to be in memory. */
export function interfaceWords(entry: InterfaceEntry): InterfaceWords {
  const bytes = new Uint8Array(codec.sizeBytes);
  codec.write(bytes, asWritten(entry));
  return wordsOf(bytes);
}

/** "ifindex 3 to 02:00:00:00:00:01, mtu 1500". */
export function describeInterface({ ifindex, gatewayMac, mtu }: InterfaceEntry): string {
  return `ifindex ${ifindex} to ${formatMac(gatewayMac)}, mtu ${mtu}`;
}

export function isGatewayKnown(gatewayMac: MacAddress): boolean {
  return gatewayMac.some((byte) => byte !== 0);
}

/** Without a gateway the mtu is 0: see layout.h. */
function asWritten(entry: InterfaceEntry): InterfaceEntry {
  return isGatewayKnown(entry.gatewayMac) ? entry : { ...entry, mtu: 0 };
}

function wordsOf(value: Uint8Array): InterfaceWords {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return {
    gateway: view.getBigUint64(codec.offsets.gatewayMac, true),
    ifindexAndMtu: view.getBigUint64(codec.offsets.ifindex, true),
  };
}
