/**
 * The model and the program side by side: each packet goes to both, and their answers must be the same, byte for byte.
 *
 * Where the program's bounded tables have lost a flow or a datagram, or have no place for one, the answer that is right for a dataplane
 * without it is accepted as well, and counted: how often that may happen is for the caller to judge. A flow that the program must
 * not lose, as an established connection, it may not have lost.
 */
import type { ReasonName, VerdictName } from "../../control/model/reasons.ts";
import { equalBytes } from "../packets/address.ts";
import type { Decision, Forgotten, Model } from "./model.ts";

/** What the program made of a packet. */
export interface Answer {
  readonly verdict: VerdictName;
  /** The CPU it ran on. */
  readonly cpu: number;
  /** Every reason that was counted for this packet: one, if all is well. */
  readonly reasons: readonly ReasonName[];
  readonly frame: Uint8Array;
  /** Why the program was stopped, in words. */
  readonly fault: string | undefined;
}

export interface Runner {
  run(frame: Uint8Array, timeNs: bigint): Answer;
}

/** One packet, and what both made of it. */
export interface Step {
  readonly isRight: boolean;
  /** Counts packets from 0 since the comparison began. */
  readonly packet: number;
  readonly frame: Uint8Array;
  readonly timeNs: bigint;
  readonly expected: Decision;
  readonly got: Answer;
}

const LOSSES: readonly Forgotten[] = [
  { flow: true },
  { isLineFull: true },
  { datagram: true },
  { flow: true, isLineFull: true },
  { datagram: true, flow: true },
  { datagram: true, isLineFull: true },
  { datagram: true, flow: true, isLineFull: true },
];

export class Comparison {
  readonly #model: Model;
  readonly #runner: Runner;
  #packets = 0;
  #losses = 0;

  constructor(model: Model, runner: Runner) {
    this.#model = model;
    this.#runner = runner;
  }

  get packets(): number {
    return this.#packets;
  }

  /** Packets whose answer was only right for a program that had forgotten something. */
  get losses(): number {
    return this.#losses;
  }

  step(frame: Uint8Array, timeNs: bigint): Step {
    const packet = this.#packets++;
    const got = this.#runner.run(frame, timeNs);
    const arrival = { frame, tick: Number(timeNs / 1_000_000n), cpu: got.cpu };
    const expected = this.#model.decide(arrival);
    if (agrees(expected, got)) {
      expected.commit();
      return { packet, frame, timeNs, expected, got, isRight: true };
    }
    for (const loss of LOSSES) {
      const other = this.#model.decide(arrival, loss);
      const isAllowed = !(loss.flow && expected.isFlowHeld);
      if (!isAllowed || !agrees(other, got)) continue;
      this.#losses++;
      other.commit();
      return { packet, frame, timeNs, expected: other, got, isRight: true };
    }
    return { packet, frame, timeNs, expected, got, isRight: false };
  }
}

function agrees(expected: Decision, got: Answer): boolean {
  return (
    got.fault === undefined &&
    got.reasons.length === 1 &&
    got.reasons[0] === expected.reason &&
    got.verdict === expected.verdict &&
    equalBytes(got.frame, expected.frame)
  );
}

/** Both answers and the packet, for a person to look at. */
export function formatStep({ packet, frame, timeNs, expected, got }: Step): string {
  const lines = [
    `packet ${packet}, ${frame.length} bytes, at ${timeNs} ns:`,
    hexdump(frame),
    `expected ${expected.verdict} ${expected.reason}${expected.backend === undefined ? "" : ` to ${expected.backend}`}`,
    `got      ${got.verdict} ${got.reasons.join("+")}${got.fault === undefined ? "" : `: ${got.fault}`}`,
  ];
  if (equalBytes(expected.frame, got.frame)) return lines.join("\n");
  const length = Math.max(expected.frame.length, got.frame.length);
  const offset = Array.from({ length }, (_, index) => index).find(
    (index) => expected.frame[index] !== got.frame[index],
  );
  lines.push(
    `frames differ from byte ${offset} on; expected`,
    hexdump(expected.frame),
    "got",
    hexdump(got.frame),
  );
  return lines.join("\n");
}

export function hexdump(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += 16) {
    const row = [...bytes.subarray(offset, offset + 16)].map((byte) => byte.toString(16).padStart(2, "0"));
    rows.push(`  ${offset.toString(16).padStart(4, "0")}  ${row.join(" ")}`);
  }
  return rows.join("\n");
}
