/** A change that cannot be planned: nothing has been done. The message says what is exceeded, by how many, and how to raise it. */
export class PlanError extends Error {
  readonly code:
    | "over-capacity"
    | "capacity-changed"
    | "no-free-id"
    | "no-vip-table-seed"
    | "no-interface-table";
  /** What ran out: "vips", "backends", "rings", "interfaces", ... */
  readonly resource: string;
  readonly wanted: number;
  readonly available: number;

  constructor(
    code: PlanError["code"],
    facts: { readonly resource: string; readonly wanted: number; readonly available: number },
    message: string,
  ) {
    super(message);
    this.name = "PlanError";
    this.code = code;
    this.resource = facts.resource;
    this.wanted = facts.wanted;
    this.available = facts.available;
  }
}
