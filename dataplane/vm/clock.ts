/**
 * The machine's time. It stands still until the harness moves it, so that a run depends on nothing but its inputs. Of the kernel's clocks
 * the monotonic one is set; the others follow from it.
 */
export interface ClockOptions {
  /** Jiffies a second, CONFIG_HZ of a kernel. Default 250. */
  readonly ticksPerSecond?: number;
  /** What CLOCK_BOOTTIME is ahead of CLOCK_MONOTONIC: time spent suspended. Default 0. */
  readonly suspendedNs?: bigint;
  /** What CLOCK_TAI is ahead of CLOCK_MONOTONIC. Default 0: a harness that sets the clock to Unix time ignores leap seconds. */
  readonly taiOffsetNs?: bigint;
}

const NS_PER_SECOND = 1_000_000_000n;

export class Clock {
  /** CLOCK_MONOTONIC in nanoseconds; taken modulo 2^64. */
  monotonicNs = 0n;
  readonly ticksPerSecond: number;
  readonly #suspendedNs: bigint;
  readonly #taiOffsetNs: bigint;

  constructor(options: ClockOptions = {}) {
    this.ticksPerSecond = options.ticksPerSecond ?? 250;
    this.#suspendedNs = options.suspendedNs ?? 0n;
    this.#taiOffsetNs = options.taiOffsetNs ?? 0n;
  }

  get bootNs(): bigint {
    return this.monotonicNs + this.#suspendedNs;
  }

  get taiNs(): bigint {
    return this.monotonicNs + this.#taiOffsetNs;
  }

  /** CLOCK_MONOTONIC_COARSE: the monotonic clock as of the last tick. */
  get coarseNs(): bigint {
    return (this.jiffies * NS_PER_SECOND) / BigInt(this.ticksPerSecond);
  }

  /** Ticks since the monotonic clock was 0. (A kernel's jiffies_64 starts five minutes before it wraps 32 bits, to find bugs.) */
  get jiffies(): bigint {
    return (this.monotonicNs * BigInt(this.ticksPerSecond)) / NS_PER_SECOND;
  }
}
