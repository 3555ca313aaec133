/**
 * Which VIP's packets went to which backend. The program counts packets by VIP and by backend but not by both, so this looks at
 * each packet it sent: the outer destination is the backend, the inner one the VIP's address, and which of the VIPs with that
 * address it was says the counter that moved. That holds for whatever the program forwards, also for what has no ports.
 */
import type { Dataplane } from "../../dataplane/dataplane.ts";
import { traffic as trafficCodec } from "../../dataplane/xdp/generated/balancer.ts";
import type { IpAddress } from "../model/address.ts";
import type { Config } from "../model/config.ts";
import type { MapNames } from "../plan/plan.ts";
import type { Traffic } from "./replay-report.ts";

const ETHERNET_BYTES = 14;
const VLAN_BYTES = 4;
/** Where an IP header has its destination, and where it ends (ours have no options). */
const IPV4 = { destination: 16, addressBytes: 4, headerBytes: 20, protocol: 9 } as const;
const IPV6 = { destination: 24, addressBytes: 16, headerBytes: 40, protocol: 6 } as const;
const PROTOCOL_IPV4 = 4;
const PROTOCOL_IPV6 = 41;

const COUNTER_WORDS = trafficCodec.sizeBytes / 4;
const PACKETS_WORD = trafficCodec.offsets.packets / 4;

export class TrafficTally {
  /** traffic[v][b]: of the config's VIP v to its backend b. */
  readonly traffic: readonly (readonly Traffic[])[];
  /** Positions of VIPs by their address, and of each VIP's backends by theirs. */
  readonly #vipsByAddress: AddressTable;
  readonly #vipsOfAddress: readonly (readonly number[])[];
  readonly #backendsByAddress: readonly AddressTable[];
  readonly #vipIds: readonly number[];
  readonly #vipStride: number;
  /** Low halves of the packet counters as they were last seen, by element of vip_counters. */
  readonly #seen: Uint32Array;

  constructor(config: Config, names: MapNames, dataplane: Dataplane) {
    const counters = dataplane.map("vip_counters").maxEntries;
    this.traffic = config.vips.map((vip) => vip.backends.map(() => ({ packets: 0, bytes: 0 })));
    this.#vipIds = names.vips.map(({ id }) => id);
    this.#vipStride = counters / dataplane.cpuCount;
    this.#seen = new Uint32Array(counters);
    this.#vipsByAddress = new AddressTable(config.vips.length);
    const vipsOfAddress: number[][] = [];
    for (const [v, { address }] of config.vips.entries()) {
      const place = this.#vipsByAddress.add(address, vipsOfAddress.length);
      if (place === vipsOfAddress.length) vipsOfAddress.push([]);
      vipsOfAddress[place]!.push(v);
    }
    this.#vipsOfAddress = vipsOfAddress;
    this.#backendsByAddress = config.vips.map(({ backends }) => {
      const table = new AddressTable(backends.length);
      for (const [b, { address }] of backends.entries()) table.add(address, b);
      return table;
    });
  }

  /**
   * Takes note of a packet that was transmitted. `counters` are the live words of the map vip_counters, `incomingBytes` the length
   * of the frame as it came in. What was answered rather than forwarded moves no counter.
   */
  note(
    counters: Uint32Array,
    packet: { readonly frame: Uint8Array; readonly queue: number },
    incomingBytes: number,
  ): void {
    const { frame, queue } = packet;
    const outerAt = ipOffset(frame);
    const outer = layoutOf(frame, outerAt);
    const protocol = frame[outerAt + outer.protocol];
    if (protocol !== PROTOCOL_IPV4 && protocol !== PROTOCOL_IPV6) return;
    const inner = protocol === PROTOCOL_IPV4 ? IPV4 : IPV6;
    const innerAt = outerAt + outer.headerBytes;
    const place = this.#vipsByAddress.find(frame, innerAt + inner.destination, inner.addressBytes);
    if (place < 0) return;

    for (const v of this.#vipsOfAddress[place]!) {
      const element = queue * this.#vipStride + this.#vipIds[v]!;
      const packets = counters[element * COUNTER_WORDS + PACKETS_WORD]!;
      if (packets === this.#seen[element]) continue;
      this.#seen[element] = packets;
      const b = this.#backendsByAddress[v]!.find(frame, outerAt + outer.destination, outer.addressBytes);
      const traffic = this.traffic[v]![b];
      if (traffic === undefined) continue;
      traffic.packets++;
      traffic.bytes += incomingBytes;
    }
  }
}

function ipOffset(frame: Uint8Array): number {
  let at = ETHERNET_BYTES;
  // 0x8100 or 0x88a8, IEEE 802.1Q and 802.1ad.
  while (isVlanType(frame[at - 2]!, frame[at - 1]!)) at += VLAN_BYTES;
  return at;
}

function isVlanType(high: number, low: number): boolean {
  return (high === 0x81 && low === 0x00) || (high === 0x88 && low === 0xa8);
}

function layoutOf(frame: Uint8Array, at: number): typeof IPV4 | typeof IPV6 {
  return frame[at]! >> 4 === 4 ? IPV4 : IPV6;
}

/** Numbers by address: a hash table over the addresses' bytes, which looks one up in a frame without taking it out. */
class AddressTable {
  readonly #slots: Int32Array;
  readonly #addresses: Uint8Array[] = [];
  readonly #values: number[] = [];

  constructor(count: number) {
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * count + 1))).fill(-1);
  }

  /** Returns the value that the address has: `value`, unless it had one before. */
  add(address: IpAddress, value: number): number {
    const slot = this.#slotOf(address.bytes, 0, address.bytes.length);
    const entry = this.#slots[slot]!;
    if (entry >= 0) return this.#values[entry]!;
    this.#slots[slot] = this.#addresses.length;
    this.#addresses.push(address.bytes);
    this.#values.push(value);
    return value;
  }

  /** The value of the address at bytes[at, at + size), or -1. */
  find(bytes: Uint8Array, at: number, size: number): number {
    const entry = this.#slots[this.#slotOf(bytes, at, size)]!;
    return entry < 0 ? -1 : this.#values[entry]!;
  }

  /** The address's slot, or the free one that ends the search for it; at least half of the slots are free. */
  #slotOf(bytes: Uint8Array, at: number, size: number): number {
    let hash = size;
    for (let i = 0; i < size; i++) hash = Math.imul(hash ^ bytes[at + i]!, 0x01000193);
    const mask = this.#slots.length - 1;
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot]!;
      if (entry < 0 || isAddressAt(this.#addresses[entry]!, bytes, at, size)) return slot;
    }
  }
}

function isAddressAt(address: Uint8Array, bytes: Uint8Array, at: number, size: number): boolean {
  if (address.length !== size) return false;
  for (let i = 0; i < size; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}
