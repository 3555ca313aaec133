/**
 * The hash table in which the program finds a packet's VIP: rows of (key, VIP id), laid out in buckets of four with a seed
 * chosen so that no bucket overflows and no two keys share a fingerprint. The hash and the kinds of keys are those of
 * dataplane/xdp/layout.h and vip.h; the two must change together.
 */
import {
  VipKey as KeyKind,
  Layout,
  type VipBucket,
  vipBucket,
} from "../../dataplane/xdp/generated/balancer.ts";
import { PlanError } from "./plan-error.ts";
import type { VipKey } from "./vip-entry.ts";

const BUCKET_SLOTS = Layout.VIP_BUCKET_SLOTS;

/** As many as a VIP can have: exact, lowest port, address. */
const ROWS_PER_VIP = 3;

/** Seeds tried before giving up. At full capacity about one in four of the worst size (4096 VIPs) will do. */
const SEEDS_TRIED = 1000;

export interface VipTableRow {
  readonly key: VipKey;
  readonly vip: number;
}

/** One copy of the table, ready to be written. */
export interface VipTable {
  readonly seed: number;
  readonly rowCount: number;
  /** As in memory: `bucketCount` values of the `vip_buckets` map. */
  readonly buckets: Uint8Array;
}

/** Of one copy: the least power of two that leaves two buckets for every row there can be. */
export function vipBucketCount(vips: number): number {
  return 2 ** Math.ceil(Math.log2(2 * ROWS_PER_VIP * Math.max(1, vips)));
}

/** Every key that leads to one of the VIPs. The result depends on the VIPs, not on their order. */
export function vipTableRows(vips: readonly { readonly key: VipKey; readonly id: number }[]): VipTableRow[] {
  const rows: VipTableRow[] = [];
  const taken = new Set<string>();
  // Ascending by port, so that whoever claims a shared key first has the lowest port.
  for (const { key, id } of vips.toSorted((a, b) => a.key.port - b.key.port || a.id - b.id)) {
    rows.push({ key, vip: id });
    for (const protocol of [key.protocol | KeyKind.VIP_KEY_LOWEST_PORT, KeyKind.VIP_KEY_ADDRESS]) {
      const name = `${key.address.bytes} ${protocol}`;
      if (!taken.has(name)) rows.push({ key: { ...key, port: 0, protocol }, vip: id });
      taken.add(name);
    }
  }
  return rows;
}

/** The same rows always give the same table. Throws PlanError when no seed that was tried will do. */
export function buildVipTable(rows: readonly VipTableRow[], bucketCount: number): VipTable {
  const keys = rows.map(({ key }) => keyWords(key));
  const fill = new Uint8Array(bucketCount);
  for (let attempt = 1; attempt <= SEEDS_TRIED; attempt++) {
    const seed = Math.imul(attempt, 0x9e3779b1) >>> 0;
    const hashes = keys.map((words) => hashWords(words, seed));
    if (fits(hashes, bucketCount, fill)) {
      return { seed, rowCount: rows.length, buckets: bucketBytes(rows, hashes, bucketCount) };
    }
  }
  throw new PlanError(
    "no-vip-table-seed",
    { resource: "vip_buckets", wanted: rows.length, available: bucketCount * BUCKET_SLOTS },
    `no seed in ${SEEDS_TRIED} lays out ${rows.length} VIP keys in ${bucketCount} buckets of ${BUCKET_SLOTS}; raise capacity.vips`,
  );
}

/** 32 bits; see vip.h, which says it in the same words. */
export function vipHash(key: VipKey, seed: number): number {
  return hashWords(keyWords(key), seed);
}

/**
 * What the table answers: a VIP id, or 0. `buckets` is the whole `vip_buckets` map and `table` the settings' `vip_table`, as they are
 * in memory. As in the program the fingerprint alone decides here; the program then confirms the key in the VIP's line.
 */
export function lookupVipRow(
  { buckets, table, bucketCount }: { buckets: Uint8Array; table: bigint; bucketCount: number },
  key: VipKey,
): number {
  const hash = vipHash(key, Number(table >> 32n));
  const index = Number(table & 0xffff_ffffn) + (hash & (bucketCount - 1));
  const bucket = vipBucket.read(buckets, index * vipBucket.sizeBytes);
  for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
    if (bucket.fingerprint[slot] === hash && bucket.vip[slot] !== 0) return bucket.vip[slot]!;
  }
  return 0;
}

/** Whether one copy holds exactly these rows. */
export function isVipTableOf(
  rows: readonly VipTableRow[],
  { buckets, seed }: { readonly buckets: Uint8Array; readonly seed: number },
): boolean {
  const bucketCount = buckets.length / vipBucket.sizeBytes;
  const table = BigInt(seed) << 32n;
  return (
    vipTableSlots(buckets).length === rows.length &&
    rows.every(({ key, vip }) => lookupVipRow({ buckets, table, bucketCount }, key) === vip)
  );
}

/** The (fingerprint, VIP id) pairs of one copy, in the order of its slots. */
export function vipTableSlots(buckets: Uint8Array): { fingerprint: number; vip: number }[] {
  const slots: { fingerprint: number; vip: number }[] = [];
  for (let offset = 0; offset < buckets.length; offset += vipBucket.sizeBytes) {
    const bucket = vipBucket.read(buckets, offset);
    for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
      const vip = bucket.vip[slot]!;
      if (vip !== 0) slots.push({ fingerprint: bucket.fingerprint[slot]!, vip });
    }
  }
  return slots;
}

/** The key as the program loads it from the wire: the address's words, then port, protocol and family in one. */
function keyWords({ address, port, protocol }: VipKey): readonly number[] {
  const { bytes, family } = address;
  const words: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    words.push(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
  }
  const portAsLoaded = ((port & 0xff) << 8) | (port >> 8);
  words.push(portAsLoaded | (protocol << 16) | (family << 24));
  return words;
}

function hashWords(words: readonly number[], seed: number): number {
  let hash = seed;
  const last = words.length - 1;
  for (let index = 0; index < last; index++) {
    hash = Math.imul(hash ^ words[index]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ words[last]!, 0x85ebca77);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae3d);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function fits(hashes: readonly number[], bucketCount: number, fill: Uint8Array): boolean {
  fill.fill(0);
  for (const hash of hashes) {
    const bucket = hash & (bucketCount - 1);
    const filled = fill[bucket]!;
    if (filled === BUCKET_SLOTS) return false;
    fill[bucket] = filled + 1;
  }
  return new Set(hashes).size === hashes.length;
}

function bucketBytes(
  rows: readonly VipTableRow[],
  hashes: readonly number[],
  bucketCount: number,
): Uint8Array {
  const buckets = new Map<number, { fingerprint: number[]; vip: number[] }>();
  rows.forEach(({ vip }, index) => {
    const hash = hashes[index]!;
    const at = hash & (bucketCount - 1);
    const bucket = buckets.get(at) ?? { fingerprint: [], vip: [] };
    bucket.fingerprint.push(hash);
    bucket.vip.push(vip);
    buckets.set(at, bucket);
  });
  const bytes = new Uint8Array(bucketCount * vipBucket.sizeBytes);
  for (const [at, { fingerprint, vip }] of buckets) {
    vipBucket.write(bytes, padded({ fingerprint, vip }), at * vipBucket.sizeBytes);
  }
  return bytes;
}

function padded({ fingerprint, vip }: { fingerprint: number[]; vip: number[] }): VipBucket {
  const zeros = new Array<number>(BUCKET_SLOTS - vip.length).fill(0);
  return { fingerprint: [...fingerprint, ...zeros], vip: [...vip, ...zeros] };
}
