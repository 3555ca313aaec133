/** Something that is checked in a guest. */
export interface Check {
  /** The host's test is called so. */
  readonly name: string;
  /** Throws when something is wrong. */
  readonly run: () => void | Promise<void>;
}

/** A line of the guest's second serial line, as JSON. */
export type ResultLine =
  /** First of all: what runs. */
  | { readonly kind: "start"; readonly release: string; readonly libbpf: string; readonly node: string }
  | {
      readonly kind: "check";
      readonly name: string;
      readonly failure: string | null;
      readonly seconds: number;
    }
  /** Nothing comes after it. */
  | { readonly kind: "end" };
