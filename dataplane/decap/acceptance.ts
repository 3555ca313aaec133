/**
 * What a decapsulation program accepts, and the maps that say so. A change is safe for the packets of what stays: first what is new is
 * let in, then the settings are switched, then what is gone is shut out.
 */
import { possibleCpuCount, type RawMap } from "../kernel/raw-map.ts";
import { Family, settings, sourcePrefix, traffic, vipKey } from "./generated/decap.ts";

export interface DecapAddress {
  readonly family: 4 | 6;
  /** Network order, 4 or 16 bytes. */
  readonly bytes: Uint8Array;
}

export interface DecapPrefix {
  readonly address: DecapAddress;
  readonly lengthBits: number;
}

export interface Acceptance {
  /** Destinations inside; undefined: any. */
  readonly vips: readonly DecapAddress[] | undefined;
  /** Outer sources; undefined: any. */
  readonly sources: readonly DecapPrefix[] | undefined;
  /** UDP port; 0: GUE is left alone. */
  readonly guePort: number;
  /** Whether encapsulated packets that are not accepted are dropped, not left to the stack. */
  readonly dropOthers: boolean;
}

export interface VipTraffic {
  readonly address: DecapAddress;
  /** Decapsulated since the VIP was added. */
  readonly packets: bigint;
  /** Of the IP packets inside. */
  readonly bytes: bigint;
}

/** The maps of the object that these functions read and write. */
export interface AcceptanceMaps {
  readonly settings: RawMap;
  readonly vips: RawMap;
  readonly sources: RawMap;
}

const FIRST = new Uint8Array(4);
/** What `sources` says of a prefix is that it is there. */
const PRESENT = new Uint8Array(4);
/** What comes before the address in a key of `sources`, and counts. */
const FAMILY_BITS = 32;

/** Throws KernelError, "no-space" when there are more VIPs or sources than a map holds: then some of the new ones are let in. */
export function writeAcceptance(maps: AcceptanceMaps, wanted: Acceptance): void {
  const vips = keysByText((wanted.vips ?? []).map(encodeVip));
  const sources = keysByText((wanted.sources ?? []).map(encodeSource));
  const oldVips = keysByText([...maps.vips.keys()]);
  const oldSources = keysByText([...maps.sources.keys()]);

  const noTraffic = new Uint8Array(maps.vips.userValueSizeBytes);
  for (const [text, key] of vips) if (!oldVips.has(text)) maps.vips.update(key, noTraffic);
  for (const [text, key] of sources) if (!oldSources.has(text)) maps.sources.update(key, PRESENT);
  const bytes = new Uint8Array(settings.sizeBytes);
  settings.write(bytes, {
    guePort: wanted.guePort,
    vipsOnly: wanted.vips !== undefined,
    sourcesOnly: wanted.sources !== undefined,
    dropOthers: wanted.dropOthers,
  });
  maps.settings.update(FIRST, bytes);
  for (const [text, key] of oldVips) if (!vips.has(text)) maps.vips.delete(key);
  for (const [text, key] of oldSources) if (!sources.has(text)) maps.sources.delete(key);
}

/** Throws KernelError. */
export function readAcceptance(maps: AcceptanceMaps): Acceptance {
  const value = settings.read(maps.settings.lookup(FIRST) ?? new Uint8Array(settings.sizeBytes));
  return {
    vips: value.vipsOnly ? [...maps.vips.keys()].map(decodeVip) : undefined,
    sources: value.sourcesOnly ? [...maps.sources.keys()].map(decodeSource) : undefined,
    guePort: value.guePort,
    dropOthers: value.dropOthers,
  };
}

/** By family, then address. Throws KernelError. */
export function readTraffic(maps: AcceptanceMaps): VipTraffic[] {
  const cpus = Array.from({ length: possibleCpuCount() }, (_, cpu) => cpu);
  return maps.vips
    .entries()
    .map(({ key, value }) => {
      const values = cpus.map((cpu) => traffic.read(maps.vips.valueOfCpu(value, cpu)));
      const sum = (field: "packets" | "bytes"): bigint =>
        values.reduce((total, each) => total + each[field], 0n);
      return { address: decodeVip(key), packets: sum("packets"), bytes: sum("bytes") };
    })
    .sort((a, b) => a.address.family - b.address.family || Buffer.compare(a.address.bytes, b.address.bytes));
}

export function encodeVip({ family, bytes }: DecapAddress): Uint8Array {
  const key = new Uint8Array(vipKey.sizeBytes);
  vipKey.write(key, { address: padded(bytes), family: familyNumber(family) });
  return key;
}

export function decodeVip(key: Uint8Array): DecapAddress {
  const { address, family } = vipKey.read(key);
  return unpadded(address, family);
}

export function encodeSource({ address, lengthBits }: DecapPrefix): Uint8Array {
  const key = new Uint8Array(sourcePrefix.sizeBytes);
  sourcePrefix.write(key, {
    lengthBits: FAMILY_BITS + lengthBits,
    family: familyNumber(address.family),
    address: padded(address.bytes),
  });
  return key;
}

export function decodeSource(key: Uint8Array): DecapPrefix {
  const { lengthBits, family, address } = sourcePrefix.read(key);
  return { address: unpadded(address, family), lengthBits: lengthBits - FAMILY_BITS };
}

function keysByText(keys: readonly Uint8Array[]): Map<string, Uint8Array> {
  return new Map(keys.map((key) => [Buffer.from(key).toString("hex"), key]));
}

function familyNumber(family: 4 | 6): number {
  return family === 4 ? Family.FAMILY_IPV4 : Family.FAMILY_IPV6;
}

function padded(address: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(address);
  return bytes;
}

function unpadded(address: Uint8Array, family: number): DecapAddress {
  return family === Family.FAMILY_IPV6
    ? { family: 6, bytes: address.slice() }
    : { family: 4, bytes: address.slice(0, 4) };
}
