/** What `lamna attach` did or, with --dry-run, would do: for people and for programs. */
import type { AttachMode } from "../../dataplane/kernel/xdp-state.ts";
import type { VipChange } from "../plan/plan.ts";
import { RING_SLOTS } from "../ring/maglev.ts";
import type { Painter } from "./output.ts";
import { printable } from "./printable.ts";
import { formatShare } from "./replay-text.ts";

export interface AttachReport {
  readonly pinDirectory: string;
  readonly isDryRun: boolean;
  /** new-maps: an instance was there, and its program now has new maps. */
  readonly change: "created" | "changed" | "new-maps";
  /** Those that were named. */
  readonly interfaces: readonly InterfaceReport[];
  /** Every VIP of the config, then those that were removed. */
  readonly vips: readonly VipChange[];
  /** The steps, one line each; none when everything was as the config says. */
  readonly actions: readonly string[];
  readonly isProgramReplaced: boolean;
  readonly warnings: readonly string[];
}

export interface InterfaceReport {
  readonly name: string;
  readonly ifindex: number;
  /** kept: it had the program already. */
  readonly change: "attached" | "kept";
  /** Null when it cannot be told, as in a dry run. */
  readonly mode: AttachMode | null;
  /** Why it is generic, where native was tried. */
  readonly fallback: string | null;
  /** Where it was looked up. */
  readonly nextHop: string | null;
}

export function describeAttach(report: AttachReport, paint: Painter): string[] {
  const { pinDirectory, isDryRun, interfaces, actions, warnings } = report;
  const lines = interfaces.flatMap((each) => describeInterface(each, report, paint));
  lines.push(`  ${describeVips(report)}`);
  if (report.change !== "created" && report.isProgramReplaced)
    lines.push("  the program is replaced, flows stay");
  if (report.change === "new-maps")
    lines.push("  with new maps: known flows are chosen again, counters begin at zero");
  if (report.change === "changed" && actions.length === 0)
    lines.push("  everything is as the config says already");
  if (isDryRun) {
    lines.push(
      "",
      paint("bold", "Steps"),
      ...actions.map((action, index) => `  ${index + 1}. ${printable(action)}`),
    );
    lines.push("", "Nothing was changed (--dry-run).");
  } else {
    lines.push(`  pinned in ${printable(pinDirectory)}; "lamna status" shows it, "lamna detach" ends it`);
  }
  return [...lines, ...warnings.map((warning) => `${paint("yellow", "warning:")} ${printable(warning)}`)];
}

function describeInterface(
  { name, change, mode, fallback, nextHop }: InterfaceReport,
  { isDryRun }: AttachReport,
  paint: Painter,
): string[] {
  const verb = change === "kept" ? "attached already" : isDryRun ? "would be attached" : "attached";
  const how = mode === null ? "" : `, ${mode} mode`;
  const lines = [`${paint("bold", printable(name))}: ${paint("green", verb)}${how}`];
  if (nextHop !== null) lines.push(`  next hop ${printable(nextHop)}`);
  if (fallback !== null) lines.push(`  ${paint("yellow", "not native:")} ${printable(fallback)}`);
  return lines;
}

const CHANGES: readonly (readonly [VipChange["change"], string])[] = [
  ["added", "added"],
  ["removed", "removed"],
  ["replaced", "replaced"],
  ["backends", "with other backends"],
  ["none", "unchanged"],
];

/** "VIPs: 2 added, 1 with other backends (12.5 % of its slots move), 3 unchanged". */
function describeVips({ vips }: AttachReport): string {
  const parts = CHANGES.flatMap(([change, words]) => {
    const some = vips.filter((vip) => vip.change === change);
    if (some.length === 0) return [];
    const moved = some.reduce((sum, { movedSlots }) => sum + movedSlots, 0) / (some.length * RING_SLOTS);
    const slots = change === "backends" ? ` (${formatShare(moved)} of their slots move)` : "";
    return [`${some.length} ${words}${slots}`];
  });
  return `VIPs: ${parts.length === 0 ? "none" : parts.join(", ")}`;
}
