/** The report for people: what was replayed, how fast, what became of the packets and why, and who got them. */
import { formatMac, type MacAddress } from "../model/mac.ts";
import { REASON_NAMES, REASONS, type VerdictName } from "../model/reasons.ts";
import type { NotComparable, ReplayReport, VipReport } from "../model/replay-report.ts";
import { formatBytes, formatCount, type Style } from "./output.ts";
import { printable } from "./printable.ts";
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
  /** Where forwarded packets were sent, if the config does not say. */
  readonly placeholderMac: MacAddress | undefined;
  readonly outName: string | undefined;
}

const VERDICTS: readonly VerdictName[] = ["pass", "drop", "tx", "redirect", "aborted"];
const VERDICT_COLOURS: { readonly [verdict in VerdictName]: Style } = {
  pass: "cyan",
  drop: "yellow",
  tx: "green",
  redirect: "green",
  aborted: "red",
};
const BAR_WIDTH_MAX = 24;
/** What the widest table has beside its bars, about. */
const TEXT_COLUMNS = 84;
const INDENT = 2;
const GAP = 2;

export function describeRun(facts: RunFacts, report: ReplayReport, style: TextStyle): string[] {
  return [
    ...describeReplay(facts, report, style),
    ...describeVerdicts(report, style),
    ...describeFlowTable(report, style),
    ...describeVips(report, style),
    ...describeBackends(report, style),
  ];
}

function describeReplay(facts: RunFacts, report: ReplayReport, { paint }: TextStyle): string[] {
  const packets = `${formatCount(facts.packets)} ${plural(facts.packets, "packet")}`;
  // One packet, or packets of one moment, say nothing of a time.
  const span =
    facts.spanNs === undefined || facts.spanNs === 0n
      ? ""
      : `, ${formatDuration(facts.spanNs)} of capture time`;
  const cut = facts.cutPackets === 0 ? "" : `, ${formatCount(facts.cutPackets)} cut by the snap length`;
  const interfaces = facts.interfaces > 1 ? `, ${facts.interfaces} interfaces` : "";
  const queues = `${facts.queues} ${plural(facts.queues, "queue")}`;
  const lines = [
    `${paint("bold", printable(facts.captureName))} (${facts.captureFormat}${interfaces}) with ${paint("bold", printable(facts.configName))}`,
    `  ${packets}, ${formatBytes(facts.bytes)}${span}${cut}`,
    `  ${describeSpeed(report)}, ${queues}`,
  ];
  if (facts.placeholderMac !== undefined) {
    lines.push(
      `  forwarded to ${formatMac(facts.placeholderMac)}, a placeholder: the config gives no gatewayMac`,
    );
  }
  lines.push(...describeNotComparable(report.notComparable));
  if (facts.outName !== undefined) lines.push(`  written to ${printable(facts.outName)}`);
  return lines;
}

/** Nothing where every packet ran. */
export function describeNotComparable({ tooShort, tooLong }: NotComparable): string[] {
  const lines: string[] = [];
  if (tooShort > 0) {
    lines.push(
      `  ${formatCount(tooShort)} more not comparable: under 14 bytes, which the interpreter runs and the kernel does not`,
    );
  }
  if (tooLong > 0) {
    lines.push(
      `  ${formatCount(tooLong)} more not comparable: longer than the page that the kernel keeps a frame in`,
    );
  }
  return lines;
}

function describeSpeed({ nsPerPacket, engine }: ReplayReport): string {
  if (nsPerPacket === null) return `${engine}: too few packets to measure its speed`;
  const rate = formatCount(significant(1e9 / nsPerPacket, 3));
  return `${engine}: ${rate} packets/s, ${formatCount(significant(nsPerPacket, 3))} ns a packet, copying included`;
}

/** Every verdict, and below it the reasons that occurred, each with what it means. */
function describeVerdicts({ verdicts, reasons, packets }: ReplayReport, style: TextStyle): string[] {
  const rows: string[][] = [];
  const verdictOfRow: VerdictName[] = [];
  const isReason: boolean[] = [];
  for (const verdict of VERDICTS) {
    const share = ratio(verdicts[verdict], packets);
    const columns = Math.min(BAR_WIDTH_MAX, barWidth(style, TEXT_COLUMNS));
    rows.push([
      verdict,
      formatCount(verdicts[verdict]),
      formatShare(share),
      bar(share, columns, style.hasUnicode),
    ]);
    verdictOfRow.push(verdict);
    isReason.push(false);
    for (const name of REASON_NAMES) {
      if (REASONS[name].verdict !== verdict || reasons[name] === 0) continue;
      rows.push([
        `  ${name}`,
        formatCount(reasons[name]),
        formatShare(ratio(reasons[name], packets)),
        REASONS[name].meaning,
      ]);
      verdictOfRow.push(verdict);
      isReason.push(true);
    }
  }
  const columns = [LEFT, RIGHT, RIGHT, LEFT];
  const textWidth = Math.max(
    ...alignColumns(
      rows.map((cells) => cells.slice(0, 3)),
      columns.slice(0, 3),
    ).map(lengthOf),
  );
  for (const cells of rows)
    cells[3] = cutTo(cells[3]!, style.width - textWidth - INDENT - GAP, style.hasUnicode);
  const paintCell = (cell: string, column: number, row: number): string => {
    const verdict = verdictOfRow[row]!;
    if (verdicts[verdict] === 0) return style.paint("dim", cell);
    if (isReason[row]) return column === 3 ? style.paint("dim", cell) : cell;
    return column === 0 || column === 3 ? style.paint(VERDICT_COLOURS[verdict], cell) : cell;
  };
  return section("Verdicts, and the reasons for them", alignColumns(rows, columns, paintCell), style);
}

function describeFlowTable({ reasons }: ReplayReport, style: TextStyle): string[] {
  const hits = reasons.flow_hit;
  const misses = reasons.flow_new + reasons.flow_table_full + reasons.flow_rate_limited;
  if (hits + misses === 0) return [];
  const forgotten = [
    reasons.flow_table_full > 0 ? `${formatCount(reasons.flow_table_full)} found no place` : "",
    reasons.flow_rate_limited > 0
      ? `${formatCount(reasons.flow_rate_limited)} over newFlowsPerSecondPerCpu`
      : "",
  ].filter((text) => text !== "");
  const rows = [
    ["hits", formatCount(hits), formatShare(ratio(hits, hits + misses)), ""],
    [
      "misses",
      formatCount(misses),
      formatShare(ratio(misses, hits + misses)),
      [`${formatCount(reasons.flow_new)} remembered`, ...forgotten].join(", "),
    ],
  ];
  const title = `Flow table, asked for ${formatCount(hits + misses)} packets`;
  return section(title, alignColumns(rows, [LEFT, RIGHT, RIGHT, LEFT]), style);
}

/** Each VIP with its backends below it: how much each got, and how far that is from what the weights say, in points. */
function describeVips({ vips }: ReplayReport, style: TextStyle): string[] {
  const rows: string[][] = [["", "packets", "bytes", "share", "", "weight", "expected", "off by"]];
  const kinds: { readonly kind: "heading" | "vip" | "warning" | "backend"; readonly points: number }[] = [
    { kind: "heading", points: 0 },
  ];
  const barColumns = barWidth(style, TEXT_COLUMNS);
  for (const vip of vips) {
    rows.push([describeVip(vip), formatCount(vip.packets), formatBytes(vip.bytes)]);
    kinds.push({ kind: "vip", points: 0 });
    if (vip.backends.every(({ expectedShare }) => expectedShare === 0)) {
      rows.push(["  takes no new flows"]);
      kinds.push({ kind: "warning", points: 0 });
    }
    for (const backend of vip.backends) {
      const { share, expectedShare, state, weight } = backend;
      const points = share === null ? 0 : share - expectedShare;
      rows.push([
        `  ${backend.address}${state === "active" ? "" : ` ${state}`}`,
        formatCount(backend.packets),
        formatBytes(backend.bytes),
        share === null ? "" : formatShare(share),
        bar(share ?? 0, barColumns, style.hasUnicode),
        formatCount(weight),
        formatShare(expectedShare),
        share === null ? "" : formatPoints(points),
      ]);
      kinds.push({ kind: "backend", points });
    }
  }
  const paintCell = (cell: string, column: number, row: number): string => {
    const { kind, points } = kinds[row]!;
    if (kind === "heading") return style.paint("dim", cell);
    if (kind === "warning") return style.paint("yellow", cell);
    if (kind === "vip") return column === 0 ? style.paint("bold", cell) : cell;
    if (column === 4) return style.paint("cyan", cell);
    if (column === 7 && Math.abs(points) >= LARGE_DEVIATION) return style.paint("yellow", cell);
    return cell;
  };
  const lines = alignColumns(rows, [LEFT, RIGHT, RIGHT, RIGHT, LEFT, RIGHT, RIGHT, RIGHT], paintCell);
  return section("VIPs and their backends, by packets: a few large flows weigh much", lines, style);
}

/** Beyond this a deviation is worth a look: a few large flows, draining, or something wrong. */
const LARGE_DEVIATION = 0.05;

function describeVip({ name, address, port, protocol }: VipReport): string {
  const place = `${protocol} ${address.includes(":") ? `[${address}]` : address}:${port === 0 ? "*" : port}`;
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
    bar(ratio(backend.packets, packets), barWidth(style, TEXT_COLUMNS), style.hasUnicode),
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

function barWidth({ width }: TextStyle, columnsOfText: number): number {
  return Math.max(4, Math.min(BAR_WIDTH_MAX, width - columnsOfText));
}

function lengthOf(text: string): number {
  return text.length;
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
