/** The packets of a fuzzing round, one after another: what the next one is and when it comes, by a generator's numbers alone. */
import type { Config } from "../../control/model/config.ts";
import { FIXTURE_CASES } from "../../pcap-fixtures/all-cases.ts";
import { mutate, randomFrame } from "../model/random-packet.ts";
import type { Random } from "../packets/random.ts";

export interface TimedFrame {
  readonly frame: Uint8Array;
  readonly timeNs: bigint;
}

export const FUZZ_START_NS = 1_767_225_600_000_000_000n;

/** Packets that are close to something: every fixture's. */
const CORPUS: readonly Uint8Array[] = FIXTURE_CASES.flatMap(({ packets }) =>
  packets.map(({ frame }) => frame),
);
/** What the simulated NIC's buffers surely hold. */
const FRAME_BYTES_MAX = 4000;
/** What counts as a moment ago. */
const RECENT_PACKETS = 30;

/** `history`: the packets since the config was applied. */
export function nextFrame(
  random: Random,
  { vips, history }: { readonly vips: Config["vips"]; readonly history: readonly TimedFrame[] },
): Uint8Array {
  // A packet seen a moment ago finds the flow or the datagram that it left.
  return history.length > 0 && random.chance(0.15)
    ? random.pick(history.slice(-RECENT_PACKETS)).frame
    : freshFrame(random, vips);
}

function freshFrame(random: Random, vips: Config["vips"]): Uint8Array {
  const fresh = (probability: number): Uint8Array =>
    random.chance(probability) ? randomFrame(random, vips) : random.pick(CORPUS);
  let frame = fresh(0.7);
  for (let count = random.pick([0, 0, 0, 0, 0, 1, 1, 1, 2, 3]); count > 0; count--) {
    frame = mutate(random, frame, fresh(0.5));
  }
  return frame.subarray(0, FRAME_BYTES_MAX);
}

/** Mostly milliseconds; now and then around the limits of two and thirty seconds, and backwards. */
export function nextStepNs(random: Random): bigint {
  const ms = random.chance(0.985)
    ? random.integer(0, 3)
    : random.pick([999, 1000, 1001, 1999, 2000, 2001, 29_999, 30_000, 30_001, 60_001, -500, -5000]);
  return BigInt(ms) * 1_000_000n;
}
