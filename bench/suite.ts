/** A benchmark suite: named tasks on fixed inputs, measured in turn. */
export interface Suite {
  readonly name: string;
  /** What the numbers are held against. */
  readonly goal: string;
  readonly tasks: readonly BenchTask[];
  /** Gives back what the suite took: temporary files. */
  readonly close?: () => void;
}

export interface BenchTask {
  readonly name: string;
  readonly run: () => unknown;
  /** How much of what one call of `run` does; undefined: one. The table gives time and rate by it. */
  readonly amount?: { readonly count: number; readonly unit: "byte" | "packet" | "instruction" };
}
