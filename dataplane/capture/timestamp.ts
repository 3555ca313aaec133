/**
 * Capture time. A timestamp is 64 bits of the interface's own unit, carried as two halves, because a BigInt for each
 * packet costs an allocation to those who read many and look at the time of few.
 */
import type { CaptureInterface } from "./capture-interface.ts";

const NS_PER_SECOND = 1_000_000_000n;
const POWER_OF_TWO_BIT = 0x80;

/** Units in a second, of an `if_tsresol` octet. */
export function unitsPerSecond(resolution: number): bigint {
  const exponent = BigInt(resolution & 0x7f);
  return (resolution & POWER_OF_TWO_BIT) === 0 ? 10n ** exponent : 2n ** exponent;
}

export type TimestampClock = (hi: number, lo: number) => bigint;

/** How timestamps of an interface become nanoseconds since 1970, rounded down. They may be negative, by the interface's offset. */
export function timestampClock(on: CaptureInterface): TimestampClock {
  const offsetNs = on.timestampOffsetSeconds * NS_PER_SECOND;
  const perSecond = unitsPerSecond(on.timestampResolution);
  const halves = new Uint32Array(2);
  const whole = new DataView(halves.buffer);
  const unitsOf = (hi: number, lo: number): bigint => {
    whole.setUint32(0, hi);
    whole.setUint32(4, lo);
    return whole.getBigUint64(0);
  };
  // A division of BigInts takes five times as long as a product.
  if (NS_PER_SECOND % perSecond === 0n) {
    const nsPerUnit = NS_PER_SECOND / perSecond;
    return (hi, lo) => unitsOf(hi, lo) * nsPerUnit + offsetNs;
  }
  return (hi, lo) => (unitsOf(hi, lo) * NS_PER_SECOND) / perSecond + offsetNs;
}

/** The timestamp of `ns` nanoseconds since 1970 in the interface's unit, rounded down; modulo 2^64. */
export function timestampFromNs(
  on: CaptureInterface,
  ns: bigint,
): { readonly hi: number; readonly lo: number } {
  const sinceOffset = ns - on.timestampOffsetSeconds * NS_PER_SECOND;
  const units = (sinceOffset * unitsPerSecond(on.timestampResolution)) / NS_PER_SECOND;
  return { hi: Number((units >> 32n) & 0xffffffffn), lo: Number(units & 0xffffffffn) };
}
