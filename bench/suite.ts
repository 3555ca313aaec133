/** A benchmark suite: named tasks on fixed inputs, which take turns, so that what slows the machine for a while slows all of them. */
export interface Suite {
  readonly name: string;
  /** What the numbers are held against. */
  readonly goal: string;
  readonly tasks: readonly BenchTask[];
  /** The task that the others are given as multiples of. */
  readonly baseline?: string;
  /** Gives back what the suite took: temporary files, namespaces. */
  readonly close?: () => void | Promise<void>;
}

/** Of the command line, for suites that measure what is not of the repository. */
export interface SuiteOptions {
  readonly object: ForeignObject | undefined;
}

/** An XDP object of somebody else's. */
export interface ForeignObject {
  readonly file: string;
  /** Undefined: its only program. */
  readonly program: string | undefined;
}

export interface BenchTask {
  readonly name: string;
  readonly run: () => unknown;
  /** Before and after the runs of a turn, and each run; not measured. */
  readonly beforeTurn?: () => void | Promise<void>;
  readonly afterTurn?: () => void | Promise<void>;
  readonly afterEach?: () => void | Promise<void>;
  /** How much of what one call of `run` does; undefined: one. The table gives time and rate by it. */
  readonly amount?: { readonly count: number; readonly unit: "byte" | "packet" | "instruction" };
}

/** Thrown by a suite that this machine cannot run; the message says what it needs. */
export class SuiteUnavailable extends Error {}
