/**
 * Capture time. A timestamp is 64 bits of the interface's own unit, carried as two halves, because a BigInt for each
 * packet costs an allocation. Replay needs milliseconds of it; everything finer is for people and off the hot path.
 */
import type { CaptureInterface } from "./capture-interface.ts";

const TWO_32 = 0x1_0000_0000;
const POWER_OF_TWO_BIT = 0x80;

/** Later than any capture, and still a number that counts exactly. */
export const MAX_MILLISECONDS: number = Number.MAX_SAFE_INTEGER;

/** Units in a second, of an `if_tsresol` octet. */
export function unitsPerSecond(resolution: number): bigint {
  const exponent = BigInt(resolution & 0x7f);
  return (resolution & POWER_OF_TWO_BIT) === 0 ? 10n ** exponent : 2n ** exponent;
}

/** Nanoseconds since 1970, rounded down. May be negative, by the interface's offset. */
export function timestampNs(on: CaptureInterface, hi: number, lo: number): bigint {
  const units = (BigInt(hi) << 32n) | BigInt(lo);
  const ns = (units * 1_000_000_000n) / unitsPerSecond(on.timestampResolution);
  return ns + on.timestampOffsetSeconds * 1_000_000_000n;
}

/** The timestamp of `ns` nanoseconds since 1970 in the interface's unit, rounded down; modulo 2^64. */
export function timestampFromNs(
  on: CaptureInterface,
  ns: bigint,
): { readonly hi: number; readonly lo: number } {
  const sinceOffset = ns - on.timestampOffsetSeconds * 1_000_000_000n;
  const units = (sinceOffset * unitsPerSecond(on.timestampResolution)) / 1_000_000_000n;
  return { hi: Number((units >> 32n) & 0xffffffffn), lo: Number(units & 0xffffffffn) };
}

export type MillisecondClock = (hi: number, lo: number) => number;

/**
 * How timestamps of an interface become whole milliseconds since 1970, kept within 0 and MAX_MILLISECONDS. The two usual
 * resolutions take a few operations on doubles (6 ns); any other takes BigInt (300 ns).
 */
export function millisecondClock(on: CaptureInterface): MillisecondClock {
  const { timestampResolution, timestampOffsetSeconds } = on;
  const offsetMs = Number(timestampOffsetSeconds) * 1000;
  if (Number.isSafeInteger(offsetMs)) {
    if (timestampResolution === 6) return (hi, lo) => clampMilliseconds(divide(hi, lo, 1e3) + offsetMs);
    if (timestampResolution === 9) return (hi, lo) => clampMilliseconds(divide(hi, lo, 1e6) + offsetMs);
  }
  const perSecond = unitsPerSecond(timestampResolution);
  return (hi, lo) => {
    const units = (BigInt(hi) << 32n) | BigInt(lo);
    return clampMilliseconds(Number((units * 1000n) / perSecond + timestampOffsetSeconds * 1000n));
  };
}

/**
 * floor((hi * 2^32 + lo) / divisor), exactly while the result is below 2^53: long division in base 2^32, whose remainders
 * stay below 2^53 because the divisor is below 2^21.
 */
function divide(hi: number, lo: number, divisor: number): number {
  const quotientHi = Math.floor(hi / divisor);
  const rest = hi - quotientHi * divisor;
  return quotientHi * TWO_32 + Math.floor((rest * TWO_32 + lo) / divisor);
}

function clampMilliseconds(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, 0), MAX_MILLISECONDS);
}
