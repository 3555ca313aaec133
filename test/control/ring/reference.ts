/**
 * The ring once more, slow and plain: hashes in BigInt as their authors publish them, for any length, and Maglev with
 * 32-bit positions as Katran computes them. Tests compare the fast ring with this one.
 */
import type { RingRequest } from "../../../control/ring/maglev.ts";

const SLOTS = 65537;
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotl = (value: bigint, count: bigint): bigint => u64(value << count) | (value >> (64n - count));

/** MurmurHash3 x64-128: [h1, h2]. */
export function murmur3x64(bytes: Uint8Array, seed: number): [bigint, bigint] {
  const c1 = 0x87c37b91114253d5n;
  const c2 = 0x4cf5ad432745937fn;
  let h1 = BigInt(seed);
  let h2 = BigInt(seed);
  const word = (from: number, to: number): bigint =>
    bytes.subarray(from, to).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  const tail = bytes.length - (bytes.length % 16);
  for (let at = 0; at < tail; at += 16) {
    h1 ^= u64(rotl(u64(word(at, at + 8) * c1), 31n) * c2);
    h1 = u64(u64(rotl(h1, 27n) + h2) * 5n + 0x52dce729n);
    h2 ^= u64(rotl(u64(word(at + 8, at + 16) * c2), 33n) * c1);
    h2 = u64(u64(rotl(h2, 31n) + h1) * 5n + 0x38495ab5n);
  }
  h2 ^= u64(rotl(u64(word(tail + 8, bytes.length) * c2), 33n) * c1);
  h1 ^= u64(rotl(u64(word(tail, Math.min(tail + 8, bytes.length)) * c1), 31n) * c2);

  h1 ^= BigInt(bytes.length);
  h2 ^= BigInt(bytes.length);
  h1 = u64(h1 + h2);
  h2 = u64(h2 + h1);
  h1 = finish(h1);
  h2 = finish(h2);
  h1 = u64(h1 + h2);
  return [h1, u64(h2 + h1)];
}

function finish(hash: bigint): bigint {
  let mixed = u64((hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  mixed = u64((mixed ^ (mixed >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return mixed ^ (mixed >> 33n);
}

/** SpookyHash V2 of 16 bytes, seeds 0: [hash1, hash2]. Its steps written out, where the fast one goes by tables. */
export function spooky(bytes: Uint8Array): [bigint, bigint] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  const filler = 0xdeadbeefdeadbeefn;
  let a = 0n;
  let b = 0n;
  let c = u64(filler + view.getBigUint64(0, true));
  let d = u64(filler + view.getBigUint64(8, true));
  for (const [r0, r1, r2, r3] of [
    [50n, 52n, 30n, 41n],
    [54n, 48n, 38n, 37n],
    [62n, 34n, 5n, 36n],
  ] as const) {
    c = u64(rotl(c, r0) + d);
    a ^= c;
    d = u64(rotl(d, r1) + a);
    b ^= d;
    a = u64(rotl(a, r2) + b);
    c ^= a;
    b = u64(rotl(b, r3) + c);
    d ^= b;
  }
  d = u64(d + (16n << 56n) + filler);
  c = u64(c + filler);
  for (const [r0, r1, r2, r3] of [
    [15n, 52n, 26n, 51n],
    [28n, 9n, 47n, 54n],
    [32n, 25n, 63n, undefined],
  ] as const) {
    d ^= c;
    c = rotl(c, r0);
    d = u64(d + c);
    a ^= d;
    d = rotl(d, r1);
    a = u64(a + d);
    b ^= a;
    a = rotl(a, r2);
    b = u64(b + a);
    if (r3 === undefined) break;
    c ^= b;
    b = rotl(b, r3);
    c = u64(c + b);
  }
  return [a, b];
}

export function endpointHash(address: Uint8Array): bigint {
  if (address.length === 16) {
    const [h1, h2] = spooky(address);
    return mix(10n, mix(h1, h2));
  }
  let hash = 2166136261n;
  for (const byte of address) {
    hash = BigInt.asUintN(32, hash * 0x01000193n) ^ BigInt.asUintN(32, BigInt.asIntN(8, BigInt(byte)));
  }
  return mix(2n, hash);
}

function mix(upper: bigint, lower: bigint): bigint {
  const m = 0x9ddfea08eb382d69n;
  let a = u64((lower ^ upper) * m);
  a ^= a >> 47n;
  let b = u64((upper ^ a) * m);
  b ^= b >> 47n;
  return u64(b * m);
}

/** The owners by position in `backends`, or undefined. Expects no two backends to hash alike. */
export function referenceRing({ algorithm, backends }: RingRequest): number[] | undefined {
  const turns = backends
    .map(({ address, weight }, position) => ({ position, weight, hash: endpointHash(address), n: 0 }))
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map((turn) => ({
      ...turn,
      offset: Number(murmurPair(turn.hash, 42n, 0) % BigInt(SLOTS)),
      skip: Number(murmurPair(turn.hash, 2718281828n, 2307) % BigInt(SLOTS - 1)) + 1,
      saved: 0,
    }));
  const first = turns[0];
  if (first === undefined) return undefined;
  if (turns.length === 1) return new Array(SLOTS).fill(first.position);

  const owners: (number | undefined)[] = new Array(SLOTS).fill(undefined);
  const largest = Math.max(...turns.map(({ weight }) => weight));
  let free = SLOTS;
  for (let isFirst = true; free > 0; isFirst = false) {
    for (const turn of turns) {
      let wanted = 1;
      if (algorithm === "v1") wanted = isFirst ? turn.weight : 1;
      else {
        turn.saved += turn.weight;
        if (turn.saved < largest) continue;
        turn.saved -= largest;
      }
      for (; wanted > 0 && free > 0; wanted--, free--) {
        const slot = (): number => ((turn.offset + Math.imul(turn.n, turn.skip)) >>> 0) % SLOTS;
        while (owners[slot()] !== undefined) turn.n++;
        owners[slot()] = turn.position;
        turn.n++;
      }
    }
  }
  return owners as number[];
}

function murmurPair(a: bigint, b: bigint, seed: number): bigint {
  const bytes = new Uint8Array(BigUint64Array.of(a, b).buffer);
  return murmur3x64(bytes, seed)[0];
}
