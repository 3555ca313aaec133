/** The findings of doctor for people: grouped, a line each, and below it what to do. */
import type { DoctorFinding, DoctorReport, DoctorState } from "../model/doctor-report.ts";
import type { Style } from "./output.ts";
import { printable } from "./printable.ts";
import type { TextStyle } from "./replay-text.ts";

const STATE_COLOURS: { readonly [state in DoctorState]: Style } = {
  ok: "green",
  warning: "yellow",
  problem: "red",
  unknown: "cyan",
};
const STATE_WIDTH = "warning".length;
const INDENT = "  ";
const GAP = "  ";
/** Narrower than this, wrapping makes nothing easier to read. */
const TEXT_WIDTH_MIN = 30;

export interface DoctorTextFacts {
  /** Whether more could be seen as another user. */
  readonly isRoot: boolean;
}

export function describeReport(
  { kernel, role, groups, counts }: DoctorReport,
  { isRoot }: DoctorTextFacts,
  style: TextStyle,
): string[] {
  const { paint } = style;
  const checkWidth = Math.max(
    0,
    ...groups.flatMap(({ findings }) => findings.map(({ check }) => check.length)),
  );
  return [
    `Linux ${printable(kernel)}, as a ${role}`,
    ...groups.flatMap(({ topic, findings }) => [
      "",
      paint("bold", printable(topic)),
      ...findings.flatMap((finding) => describeFinding(finding, checkWidth, style)),
    ]),
    "",
    summary(counts, isRoot, style),
  ];
}

function describeFinding(
  { check, state, found, remedy }: DoctorFinding,
  checkWidth: number,
  { width, hasUnicode, paint }: TextStyle,
): string[] {
  const head = `${INDENT}${paint(STATE_COLOURS[state], state.padEnd(STATE_WIDTH))}${GAP}${printable(check).padEnd(checkWidth)}${GAP}`;
  const margin = INDENT.length + STATE_WIDTH + GAP.length + checkWidth + GAP.length;
  const textWidth = Math.max(width - margin, TEXT_WIDTH_MIN);
  const arrow = hasUnicode ? "→ " : "-> ";
  const [first = "", ...rest] = wrap(printable(found), textWidth);
  const advice = remedy === null ? [] : wrap(printable(remedy), textWidth - arrow.length);
  const blank = " ".repeat(margin);
  return [
    `${head}${first}`,
    ...rest.map((line) => `${blank}${line}`),
    ...advice.map((line, index) => `${blank}${index === 0 ? arrow : " ".repeat(arrow.length)}${line}`),
  ];
}

function summary(counts: DoctorReport["counts"], isRoot: boolean, { paint }: TextStyle): string {
  const parts = [
    ...(counts.problem > 0 ? [paint("red", plural(counts.problem, "problem"))] : []),
    ...(counts.warning > 0 ? [paint("yellow", plural(counts.warning, "warning"))] : []),
    ...(counts.unknown > 0 ? [paint("cyan", `${counts.unknown} not seen`)] : []),
  ];
  if (parts.length === 0) return paint("green", "No problems.");
  const start = counts.problem > 0 ? "" : "No problems; ";
  return `${start}${parts.join(", ")}${counts.unknown > 0 && !isRoot ? " (root may see more)" : ""}.`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** At spaces; a word that is longer than a line stands on its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
