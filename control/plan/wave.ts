/** What of a change goes live at once, being collected; and the order in which its steps are safe. */
import type { Action } from "./action.ts";
import type { Forgetting } from "./flow-table.ts";
import type { VipTable } from "./vip-table.ts";

export interface Publication {
  readonly firstBucket: number;
  readonly table: VipTable;
}

export class Wave {
  readonly writes: Action[] = [];
  readonly switches: Action[] = [];

  /** Whether it writes anything over what may have been in use before. */
  get isEmpty(): boolean {
    return this.writes.length === 0 && this.switches.length === 0;
  }

  /** The wave's steps. `forgetting` is what can be cleared once it is live, `isLast` whether nothing is planned behind it. */
  steps(end: {
    readonly publication: Publication | undefined;
    readonly forgetting: Forgetting & { readonly labels: readonly string[] };
    readonly isLast: boolean;
  }): Action[] {
    const { publication, forgetting, isLast } = end;
    const steps: Action[] = [
      ...this.writes.toSorted((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind)),
    ];
    if (publication !== undefined) {
      const { firstBucket, table } = publication;
      const { buckets, rowCount, seed } = table;
      steps.push({ kind: "write-buckets", firstBucket, rowCount, buckets });
      steps.push({ kind: "publish-table", firstBucket, seed });
    }
    steps.push(...this.switches);

    const forgets = forgetting.flows.size > 0 || forgetting.fragmentVips.size > 0;
    if (forgets) {
      steps.push({ kind: "grace-period", why: "none may still add a flow that is to be forgotten" });
      steps.push({ kind: "forget-flows", ...forgetting });
    } else if (!isLast) {
      steps.push({ kind: "grace-period", why: "what this replaced is used again" });
    }
    return steps;
  }
}

const ORDER: readonly Action["kind"][] = ["write-backend", "build-ring", "write-vip"];
