/** The report of `lamna status` for people. */
import { REASON_NAMES, REASONS, type VerdictName } from "../model/reasons.ts";
import type { FlowTableStatus, StatusReport, VipStatus } from "../model/status-report.ts";
import { formatBytes, formatCount, type Style } from "./output.ts";
import { printable } from "./printable.ts";
import { alignColumns, cutTo, formatSeconds, formatShare, type TextStyle } from "./replay-text.ts";

const LEFT = { align: "left" } as const;
const RIGHT = { align: "right" } as const;
const VERDICTS: readonly VerdictName[] = ["pass", "drop", "tx", "redirect", "aborted"];
const COLOURS: { readonly [verdict in VerdictName]: Style } = {
  pass: "cyan",
  drop: "yellow",
  tx: "green",
  redirect: "green",
  aborted: "red",
};

/** `nowMs`: as Date.now(). */
export function describeStatus(report: StatusReport, nowMs: number, style: TextStyle): string[] {
  const { program, pinDirectory } = report;
  if (program === null) return [`nothing is attached (${printable(pinDirectory)})`];
  return [
    ...describeProgram(report, nowMs, style),
    ...describeInterfaces(report, style),
    ...describeWarnings(report, style),
    ...describePackets(report, style),
    ...describeVips(report, style),
    ...describeTables(report, style),
  ];
}

function describeProgram(
  { program, pinDirectory }: StatusReport,
  nowMs: number,
  { paint }: TextStyle,
): string[] {
  if (program === null) return [];
  const { id, name, tag, objectDigest, loadedAt, isShippedObject } = program;
  const age = formatSeconds(Math.max(0, nowMs - Date.parse(loadedAt)) / 1000);
  const object = `object ${objectDigest.slice(0, 16)}${isShippedObject ? "" : ", not this version's"}`;
  return [
    `${paint("bold", printable(pinDirectory))}: program ${id} "${printable(name)}", tag ${tag}, ${object}`,
    `  loaded ${loadedAt}, ${age} ago`,
  ];
}

function describeInterfaces({ interfaces }: StatusReport, style: TextStyle): string[] {
  if (interfaces.length === 0) return [];
  const rows = [
    ["", "mode", "state", "ifindex", "program", "mtu", "next hop"],
    ...interfaces.map(({ name, mode, state, isUp, ifindex, programId, mtu, gatewayMac }) => [
      printable(name),
      mode ?? "",
      state === "detached" ? "detached" : isUp === null ? "not seen" : isUp ? "up" : "down",
      ifindex === null ? "" : String(ifindex),
      programId === null ? "" : String(programId),
      mtu === null ? "" : String(mtu),
      gatewayMac ?? (state === "detached" ? "" : "unknown"),
    ]),
  ];
  const paint = (cell: string, column: number, row: number): string => {
    if (row === 0) return style.paint("dim", cell);
    if (column === 0) return style.paint("bold", cell);
    const { isUp, mode } = interfaces[row - 1]!;
    if (column === 2) return style.paint(isUp === true ? "green" : "red", cell);
    return column === 1 && mode === "generic" ? style.paint("yellow", cell) : cell;
  };
  return section(
    "Interfaces",
    alignColumns(rows, [LEFT, LEFT, LEFT, RIGHT, RIGHT, RIGHT, LEFT], paint),
    style,
  );
}

function describeWarnings({ warnings }: StatusReport, { paint }: TextStyle): string[] {
  if (warnings.length === 0) return [];
  return [
    "",
    ...warnings.map(({ interface: name, message }) => {
      const place = name === null ? "" : `${printable(name)}: `;
      return `${paint("yellow", "warning:")} ${place}${printable(message)}`;
    }),
  ];
}

/** Every verdict, and below it the reasons that occurred. */
function describePackets(
  { packets, packetsByCpu, verdicts, reasons, rates }: StatusReport,
  style: TextStyle,
): string[] {
  const heading = rates === null ? [] : [["", "packets", "a second", "", ""]];
  const rows: string[][] = [...heading];
  const verdictOfRow: (VerdictName | undefined)[] = heading.map(() => undefined);
  const add = (
    verdict: VerdictName,
    cells: { name: string; count: number; rate: number; text: string },
  ): void => {
    const { name, count, rate, text } = cells;
    const perSecond = rates === null ? [] : [formatRate(rate)];
    rows.push([
      name,
      formatCount(count),
      ...perSecond,
      formatShare(packets === 0 ? 0 : count / packets),
      text,
    ]);
    verdictOfRow.push(verdict);
  };
  for (const verdict of VERDICTS) {
    add(verdict, { name: verdict, count: verdicts[verdict], rate: rates?.verdicts[verdict] ?? 0, text: "" });
    for (const name of REASON_NAMES) {
      const { verdict: ends, meaning } = REASONS[name];
      if (ends !== verdict || reasons[name] === 0) continue;
      add(verdict, {
        name: `  ${name}`,
        count: reasons[name],
        rate: rates?.reasons[name] ?? 0,
        text: meaning,
      });
    }
  }
  const columns = rates === null ? [LEFT, RIGHT, RIGHT, LEFT] : [LEFT, RIGHT, RIGHT, RIGHT, LEFT];
  const paint = (cell: string, column: number, row: number): string => {
    const verdict = verdictOfRow[row];
    if (verdict === undefined || verdicts[verdict] === 0 || column === columns.length - 1)
      return style.paint("dim", cell);
    return column === 0 && !cell.startsWith(" ") ? style.paint(COLOURS[verdict], cell) : cell;
  };
  const lines = alignColumns(rows, columns, paint);
  const busy = packetsByCpu.filter((count) => count > 0).length;
  const perSecond = rates === null ? "" : `, ${formatRate(rates.packets)} a second`;
  const title = `Packets: ${formatCount(packets)}${perSecond}, on ${busy} of ${packetsByCpu.length} CPUs`;
  const byCpu =
    busy < 2
      ? []
      : [`by CPU: ${packetsByCpu.map((count, cpu) => `${cpu}: ${formatCount(count)}`).join(", ")}`];
  return section(title, [...byCpu, ...lines], style);
}

/** A file can have thousands. */
const VIPS_SHOWN_MAX = 100;

function describeVips({ vips, backends }: StatusReport, style: TextStyle): string[] {
  if (vips.length === 0) return section("VIPs", ["none: every packet passes"], style);
  const rows: string[][] = [["", "packets", "bytes", "of the ring"]];
  const isVip: boolean[] = [false];
  for (const vip of vips.slice(0, VIPS_SHOWN_MAX)) {
    rows.push([describeVip(vip), formatCount(vip.packets), formatBytes(vip.bytes), ""]);
    isVip.push(true);
    for (const { address, ringShare } of vip.backends) {
      rows.push([`  ${address}`, "", "", ringShare === 0 ? "out of it" : formatShare(ringShare)]);
      isVip.push(false);
    }
    if (vip.backends.length === 0) {
      rows.push(["  no backends"]);
      isVip.push(false);
    }
  }
  const paint = (cell: string, column: number, row: number): string => {
    if (row === 0) return style.paint("dim", cell);
    return isVip[row] && column === 0 ? style.paint("bold", cell) : cell;
  };
  const lines = alignColumns(rows, [LEFT, RIGHT, RIGHT, RIGHT], paint);
  if (vips.length > VIPS_SHOWN_MAX) lines.push(`and ${formatCount(vips.length - VIPS_SHOWN_MAX)} more VIPs`);
  const totals = backends.map(({ address, packets, bytes }) => [
    address,
    formatCount(packets),
    formatBytes(bytes),
  ]);
  return [
    ...section("VIPs, and their backends' shares of new flows", lines, style),
    ...section("Backends over all VIPs", alignColumns(totals, [LEFT, RIGHT, RIGHT]), style),
  ];
}

function describeVip({ name, address, port, protocol }: VipStatus): string {
  const place = `${protocol} ${address.includes(":") ? `[${address}]` : address}:${port === 0 ? "*" : port}`;
  return name === null ? place : `${printable(name)} ${place}`;
}

function describeTables({ flows, maps }: StatusReport, style: TextStyle): string[] {
  const flowRow = (name: string, table: FlowTableStatus): string[] => [
    name,
    ...useCells(table),
    `${formatCount(table.new)} new, ${formatCount(table.established)} established, ${formatCount(table.closing)} closing, ${formatCount(table.datagrams)} UDP`,
  ];
  const rows = [
    flowRow("IPv4 flows", flows.ipv4),
    flowRow("IPv6 flows", flows.ipv6),
    ["VIPs", ...useCells(maps.vips), ""],
    ["rings", ...useCells(maps.rings), ""],
    ["backends", ...useCells(maps.backends), ""],
  ];
  return section("Tables", alignColumns(rows, [LEFT, RIGHT, RIGHT, RIGHT, LEFT]), style);
}

function useCells({ used, capacity }: { readonly used: number; readonly capacity: number }): string[] {
  return [
    formatCount(used),
    `of ${formatCount(capacity)}`,
    formatShare(capacity === 0 ? 0 : used / capacity),
  ];
}

function formatRate(rate: number): string {
  return rate >= 100 || rate === 0 ? formatCount(Math.round(rate)) : rate.toFixed(1);
}

function section(title: string, lines: readonly string[], { paint, width, hasUnicode }: TextStyle): string[] {
  return ["", paint("bold", cutTo(title, width, hasUnicode)), ...lines.map((line) => `  ${line}`)];
}
