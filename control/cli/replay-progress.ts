/** One line on stderr that says how far a long replay is. Only on a terminal, and only after it has taken a while. */
import { formatCount } from "./output.ts";
import { formatSeconds } from "./replay-text.ts";

const FIRST_AFTER_MS = 500;
const EVERY_MS = 200;

export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export class Progress {
  readonly #stream: ProgressStream;
  readonly #startMs: number;
  #shownMs: number;
  #isShown = false;

  constructor(stream: ProgressStream, nowMs: number) {
    this.#stream = stream;
    this.#startMs = nowMs;
    this.#shownMs = nowMs + FIRST_AFTER_MS - EVERY_MS;
  }

  /** To be called as often as one likes. `sizeBytes` undefined: nobody knows how much is to come. */
  update(at: {
    readonly nowMs: number;
    readonly packets: number;
    readonly positionBytes: number;
    readonly sizeBytes: number | undefined;
  }): void {
    if (this.#stream.isTTY !== true || at.nowMs - this.#shownMs < EVERY_MS) return;
    this.#shownMs = at.nowMs;
    this.#isShown = true;
    this.#stream.write(`${CLEAR_LINE}${describeProgress({ ...at, elapsedMs: at.nowMs - this.#startMs })}`);
  }

  /** Takes the line away. */
  end(): void {
    if (this.#isShown) this.#stream.write(CLEAR_LINE);
    this.#isShown = false;
  }
}

/** Carriage return, and erase to the end of the line (ECMA-48 section 8.3.41). */
const CLEAR_LINE = "\r\u001b[K";

export function describeProgress(at: {
  readonly elapsedMs: number;
  readonly packets: number;
  readonly positionBytes: number;
  readonly sizeBytes: number | undefined;
}): string {
  const { elapsedMs, packets, positionBytes, sizeBytes } = at;
  const rate = `${formatCount(Math.round((packets * 1000) / Math.max(elapsedMs, 1)))} packets/s`;
  const done = `${formatCount(packets)} packets`;
  if (sizeBytes === undefined || sizeBytes === 0 || positionBytes === 0) return `${done}, ${rate}`;
  const fraction = Math.min(positionBytes / sizeBytes, 1);
  const leftMs = (elapsedMs / fraction) * (1 - fraction);
  return `${Math.floor(fraction * 100)} %, ${done}, ${rate}, ${formatSeconds(leftMs / 1000)} left`;
}
