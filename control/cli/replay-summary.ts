/** The report for people: what was replayed, how fast, what became of the packets and why, and who got them. */
import { REASON_NAMES, REASONS, type VerdictName } from "../model/reasons.ts";
import type { ReplayReport, VipReport } from "../model/replay-report.ts";
import { formatBytes, formatCount } from "./output.ts";
import {
  alignColumns,
  bar,
  cutTo,
  formatDuration,
  formatPoints,
  formatShare,
  type TextStyle,
} from "./replay-text.ts";

export interface RunFacts {
  readonly configName: string;
  readonly captureName: string;
  readonly captureFormat: "pcap" | "pcapng";
  readonly interfaces: number;
  readonly queues: number;
  readonly packets: number;
  /** Captured, not original. */
  readonly bytes: number;
  /** Packets of which the snap length kept only a part. */
  readonly cutPackets: number;
  /** Between the earliest and the latest packet; undefined where the capture has no times. */
  readonly spanNs: bigint | undefined;
  readonly outName: string | undefined;
}

const BAR_WIDTH_MAX = 24;
/** So that a row of meanings stays within the width. */
const REASON_BAR_WIDTH_MAX = 12;

export function describeRun(facts: RunFacts, report: ReplayReport, style: TextStyle): string[] {
  return [
    ...describeReplay(facts, report, style),
    ...describeVerdicts(report, style),
    ...describeReasons(report, style),
    ...describeFlowTable(report, style),
    ...describeVips(report, style),
    ...describeBackends(report, style),
  ];
}

function describeReplay(facts: RunFacts, report: ReplayReport, { paint }: TextStyle): string[] {
  const packets = `${formatCount(facts.packets)} ${plural(facts.packets, "packet")}`;
  const span = facts.spanNs === undefined ? "" : `, ${formatDuration(facts.spanNs)} of capture time`;
  const cut = facts.cutPackets === 0 ? "" : `, ${formatCount(facts.cutPackets)} cut by the snap length`;
  const interfaces = facts.interfaces > 1 ? `, ${facts.interfaces} interfaces` : "";
  const queues = `${facts.queues} ${plural(facts.queues, "queue")}`;
  const lines = [
    `${paint("bold", facts.captureName)} (${facts.captureFormat}${interfaces}) with ${paint("bold", facts.configName)}`,
    `  ${packets}, ${formatBytes(facts.bytes)}${span}${cut}`,
    `  ${describeSpeed(report)}, ${queues}`,
  ];
  if (facts.outName !== undefined) lines.push(`  written to ${facts.outName}`);
  return lines;
}

function describeSpeed({ nsPerPacket, engine }: ReplayReport): string {
  if (nsPerPacket === null) return `${engine}: too few packets to measure its speed`;
  const rate = formatCount(significant(1e9 / nsPerPacket, 3));
  return `${engine}: ${rate} packets/s, ${formatCount(significant(nsPerPacket, 3))} ns a packet, copying included`;
}

function describeVerdicts({ verdicts, packets }: ReplayReport, style: TextStyle): string[] {
  const names = Object.keys(verdicts) as VerdictName[];
  const rows = names.map((name) => [
    name,
    formatCount(verdicts[name]),
    formatShare(ratio(verdicts[name], packets)),
    bar(ratio(verdicts[name], packets), barWidth(style, 30), style.hasUnicode),
  ]);
  const paintCell = (cell: string, column: number, row: number) =>
    column === 3
      ? style.paint(verdictColour(names[row]!), cell)
      : verdicts[names[row]!] === 0
        ? style.paint("dim", cell)
        : cell;
  return section("Verdicts", alignColumns(rows, [LEFT, RIGHT, RIGHT, LEFT], paintCell), style);
}

function describeReasons({ reasons, packets }: ReplayReport, style: TextStyle): string[] {
  const names = REASON_NAMES.filter((name) => reasons[name] > 0);
  const barColumns = Math.min(REASON_BAR_WIDTH_MAX, barWidth(style, 60));
  const rows = names.map((name) => [
    name,
    formatCount(reasons[name]),
    formatShare(ratio(reasons[name], packets)),
    bar(ratio(reasons[name], packets), barColumns, style.hasUnicode),
  ]);
  const paintCell = (cell: string, column: number, row: number) =>
    column === 3 ? style.paint(verdictColour(REASONS[names[row]!].verdict), cell) : cell;
  const columns = [LEFT, RIGHT, RIGHT, LEFT];
  const width = Math.max(0, ...alignColumns(rows, columns).map((line) => line.length));
  const meanings = names.map((name) =>
    cutTo(REASONS[name].meaning, style.width - width - 4, style.hasUnicode),
  );
  const padded = rows.map((cells) => [...cells.slice(0, 3), cells[3]!.padEnd(barColumns)]);
  const lines = alignColumns(
    padded.map((cells, row) => [...cells, meanings[row]!]),
    [...columns, LEFT],
    paintCell,
  );
  return section("Reasons", lines, style);
}

function describeFlowTable({ reasons }: ReplayReport, style: TextStyle): string[] {
  const hits = reasons.flow_hit;
  const unremembered = reasons.flow_table_full + reasons.flow_rate_limited;
  const misses = reasons.flow_new + unremembered;
  if (hits + misses === 0) return [];
  const why = [
    reasons.flow_table_full > 0 ? `${formatCount(reasons.flow_table_full)} found no place` : "",
    reasons.flow_rate_limited > 0 ? `${formatCount(reasons.flow_rate_limited)} over the rate limit` : "",
  ].filter((text) => text !== "");
  const rows = [
    ["hits", formatCount(hits), formatShare(ratio(hits, hits + misses)), ""],
    ["chosen from a ring", formatCount(misses), formatShare(ratio(misses, hits + misses)), ""],
    ["of these remembered", formatCount(reasons.flow_new), "", why.join(", ")],
  ];
  return section("Flow table", alignColumns(rows, [LEFT, RIGHT, RIGHT, LEFT]), style);
}

/** Each VIP with its backends below it: how much each got, and how far that is from what the weights say. */
function describeVips({ vips }: ReplayReport, style: TextStyle): string[] {
  const rows: string[][] = [];
  const kinds: { readonly isVip: boolean; readonly points: number }[] = [];
  for (const vip of vips) {
    rows.push([describeVip(vip), formatCount(vip.packets), formatBytes(vip.bytes), "", "", "", ""]);
    kinds.push({ isVip: true, points: 0 });
    for (const backend of vip.backends) {
      const { share, expectedShare } = backend;
      const state = backend.state === "active" ? "" : ` ${backend.state}`;
      const points = share === null ? 0 : share - expectedShare;
      rows.push([
        `  ${backend.address}${state}`,
        formatCount(backend.packets),
        formatBytes(backend.bytes),
        share === null ? "" : formatShare(share),
        bar(share ?? 0, Math.min(BAR_WIDTH_MAX, barWidth(style, 84)), style.hasUnicode),
        `weight ${formatCount(backend.weight)}: ${formatShare(expectedShare)}`,
        share === null ? "" : formatPoints(points),
      ]);
      kinds.push({ isVip: false, points });
    }
  }
  const paintCell = (cell: string, column: number, row: number) => {
    const { isVip, points } = kinds[row]!;
    if (isVip) return column === 0 ? style.paint("bold", cell) : cell;
    if (column === 4) return style.paint("cyan", cell);
    if (column === 6 && Math.abs(points) >= LARGE_DEVIATION) return style.paint("yellow", cell);
    return column >= 5 ? style.paint("dim", cell) : cell;
  };
  const lines = alignColumns(rows, [LEFT, RIGHT, RIGHT, RIGHT, LEFT, LEFT, RIGHT], paintCell);
  return section(
    "VIPs, and the share of their packets that each backend got (in points above what its weight says)",
    lines,
    style,
  );
}

/** Beyond this a deviation is worth a look: a few heavy flows, draining, or something wrong. */
const LARGE_DEVIATION = 0.05;

function describeVip({ name, address, port, protocol }: VipReport): string {
  const place = `${address.includes(":") ? `[${address}]` : address}:${port === 0 ? "*" : port}/${protocol}`;
  return name === null ? place : `${name} ${place}`;
}

function describeBackends({ backends, vips }: ReplayReport, style: TextStyle): string[] {
  // With every backend in one VIP there is nothing to add up.
  const places = vips.reduce((total, vip) => total + vip.backends.length, 0);
  if (places === backends.length) return [];
  const packets = backends.reduce((total, backend) => total + backend.packets, 0);
  const rows = backends.map((backend) => [
    backend.address,
    formatCount(backend.packets),
    formatBytes(backend.bytes),
    formatShare(ratio(backend.packets, packets)),
    bar(ratio(backend.packets, packets), barWidth(style, 60), style.hasUnicode),
  ]);
  const paintCell = (cell: string, column: number) => (column === 4 ? style.paint("cyan", cell) : cell);
  return section(
    "Backends over all VIPs",
    alignColumns(rows, [LEFT, RIGHT, RIGHT, RIGHT, LEFT], paintCell),
    style,
  );
}

const LEFT = { align: "left" } as const;
const RIGHT = { align: "right" } as const;

function section(title: string, lines: readonly string[], { paint, width, hasUnicode }: TextStyle): string[] {
  return ["", paint("bold", cutTo(title, width, hasUnicode)), ...lines.map((line) => `  ${line}`)];
}

function verdictColour(verdict: VerdictName): "green" | "red" | "yellow" | "cyan" {
  if (verdict === "aborted") return "red";
  if (verdict === "drop") return "yellow";
  return verdict === "pass" ? "cyan" : "green";
}

function barWidth({ width }: TextStyle, columnsOfText: number): number {
  return Math.max(4, Math.min(BAR_WIDTH_MAX, width - columnsOfText));
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function significant(value: number, digits: number): number {
  return Number(value.toPrecision(digits));
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
