/**
 * The steps that a change is made of. A step is data: it can be printed, compared and tested, and says all that is needed to
 * carry it out on a dataplane (apply.ts).
 */
import type { LoadRequest } from "../../dataplane/dataplane.ts";
import { RING_SLOTS } from "../ring/maglev.ts";
import type { Forgetting } from "./flow-table.ts";
import { describeInterface, type InterfaceEntry } from "./interface-table.ts";
import type { RingSlots } from "./ring-slots.ts";

export type Action =
  /** Loads the program with other options, over the same maps. */
  | { readonly kind: "replace-program"; readonly request: LoadRequest; readonly changes: readonly string[] }
  /** 64-bit words of the settings that change, each by one store and in this order: offset in bytes to value. */
  | {
      readonly kind: "write-settings";
      readonly words: ReadonlyMap<number, bigint>;
      readonly changes: readonly string[];
    }
  /** Fills the copy of the table of interfaces that is not live. */
  | {
      readonly kind: "write-interfaces";
      readonly firstEntry: number;
      readonly interfaces: readonly InterfaceEntry[];
      readonly entries: Uint8Array;
    }
  /** Makes that copy the live one, by one store. */
  | { readonly kind: "publish-interfaces"; readonly firstEntry: number; readonly multiplier: number }
  /** Words of a live entry that change, each by one store and in this order: offset in bytes to value. */
  | {
      readonly kind: "change-interface";
      readonly ifindex: number;
      readonly index: number;
      readonly words: ReadonlyMap<number, bigint>;
      readonly changes: readonly string[];
    }
  /** Frees a live entry, by one store. */
  | { readonly kind: "forget-interface"; readonly ifindex: number; readonly index: number }
  /** Waits until no packet uses what nothing refers to any more. */
  | { readonly kind: "grace-period"; readonly why: string }
  /** Fills an entry that no ring and no flow names. `isReused`: another backend had it, and its counters are zeroed. */
  | {
      readonly kind: "write-backend";
      readonly id: number;
      readonly address: string;
      readonly value: Uint8Array;
      readonly isReused: boolean;
    }
  /** Fills a ring that no VIP names. `moved` slots change hands, in each of the VIPs that it is for. */
  | {
      readonly kind: "build-ring";
      readonly id: number;
      readonly label: string;
      readonly backendCount: number;
      readonly moved: number;
      readonly slots: RingSlots;
    }
  /** Fills an entry that no bucket names. `isReused`: another VIP had it, and its counters are zeroed. */
  | {
      readonly kind: "write-vip";
      readonly id: number;
      readonly label: string;
      readonly ring: number;
      readonly flowVip: number;
      readonly value: Uint8Array;
      readonly isReused: boolean;
    }
  /** Fills the copy of the VIP table that is not live. */
  | {
      readonly kind: "write-buckets";
      readonly firstBucket: number;
      readonly rowCount: number;
      readonly buckets: Uint8Array;
    }
  /** Makes that copy the live one, by one store. */
  | { readonly kind: "publish-table"; readonly firstBucket: number; readonly seed: number }
  /** Gives a live VIP another ring, by one store. */
  | {
      readonly kind: "switch-ring";
      readonly vip: number;
      readonly label: string;
      readonly from: number;
      readonly to: number;
    }
  /** Clears flow and fragment entries, so that their flows are chosen again. */
  | ({ readonly kind: "forget-flows"; readonly labels: readonly string[] } & Forgetting);

/** One line. */
export function formatAction(action: Action): string {
  switch (action.kind) {
    case "replace-program":
      return `replace the program: ${action.changes.join(", ")}`;
    case "write-settings":
      return `change settings: ${action.changes.join(", ")}`;
    case "write-interfaces":
      return `write ${counted(action.interfaces.length, "interface")} into the table at entry ${action.firstEntry}: ${action.interfaces.map(describeInterface).join("; ")}`;
    case "publish-interfaces":
      return `publish the table of interfaces at entry ${action.firstEntry}, multiplier 0x${action.multiplier.toString(16).padStart(8, "0")}`;
    case "change-interface":
      return `change interface ${action.ifindex}: ${action.changes.join(", ")}`;
    case "forget-interface":
      return `forget interface ${action.ifindex}`;
    case "grace-period":
      return `wait for packets in flight: ${action.why}`;
    case "write-backend":
      return `write backend ${action.id}: ${action.address}`;
    case "build-ring":
      return `build ring ${action.id} for ${action.label}: ${counted(action.backendCount, "backend")}, ${percent(action.moved)} of the slots move`;
    case "write-vip":
      return `write vip ${action.id}: ${action.label}, ring ${action.ring}, flows as ${action.flowVip}`;
    case "write-buckets":
      return `write ${counted(action.rowCount, "key")} into the VIP table at bucket ${action.firstBucket}`;
    case "publish-table":
      return `publish the VIP table at bucket ${action.firstBucket}, seed 0x${action.seed.toString(16).padStart(8, "0")}`;
    case "switch-ring":
      return `switch vip ${action.vip}, ${action.label}, from ring ${action.from} to ring ${action.to}`;
    case "forget-flows":
      return `forget flows: ${action.labels.join(", ")}`;
  }
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** A thousandth of a percent is less than one slot. */
function percent(slots: number): string {
  return `${Number(((100 * slots) / RING_SLOTS).toFixed(3))} %`;
}
