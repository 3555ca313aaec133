/** The report of `lamna verify` for people: what was compared, and each difference with what the reference did. */
import type { VerifyDifference, VerifyReport } from "../model/verify-report.ts";
import { formatBytes, formatCount } from "./output.ts";
import { printable } from "./printable.ts";
import { describeBytes } from "./replay-difference.ts";
import { describeNotComparable } from "./replay-summary.ts";
import { cutTo, formatDuration, type TextStyle } from "./replay-text.ts";
import { describeVerdict } from "./replay-verdict.ts";

export interface VerifyFacts {
  readonly configName: string;
  readonly captureName: string;
  readonly captureFormat: string;
  readonly bytes: number;
}

export function describeVerification(facts: VerifyFacts, report: VerifyReport, style: TextStyle): string[] {
  const { paint } = style;
  const { packets, engines, differences, isComplete } = report;
  const [reference, ...others] = engines;
  const lines = [
    `${paint("bold", printable(facts.captureName))} (${facts.captureFormat}) with ${paint("bold", printable(facts.configName))}`,
    `  ${formatCount(packets)} ${plural(packets, "packet")}, ${formatBytes(facts.bytes)}`,
    ...describeNotComparable(report.notComparable),
    "",
  ];
  for (const difference of differences) lines.push(...describeDifference(difference, reference!, style), "");
  const who = `${reference} and ${others.join(" and ")}`;
  if (report.isAlike) {
    const what = "verdict, bytes, counters and flow tables after every packet";
    lines.push(paint("green", `${who} are alike: ${what}`));
  } else {
    const count = `${formatCount(differences.length)} ${plural(differences.length, "difference")}`;
    const rest = isComplete ? "" : "; the rest of the capture was not compared (--keep-going looks for more)";
    lines.push(paint("red", `${who} are not alike: ${count}${rest}`));
  }
  return lines;
}

function describeDifference(difference: VerifyDifference, reference: string, style: TextStyle): string[] {
  const { when, packet, sinceStartNs, engine, verdict, bytes, fault, maps } = difference;
  const { paint } = style;
  const time = sinceStartNs === null ? "" : `, ${formatDuration(BigInt(sinceStartNs))} into the capture`;
  const heading =
    when === "packet"
      ? `packet ${packet} (frame ${packet! + 1} in Wireshark)${time}`
      : when === "before"
        ? "before the first packet: the config did not give the same maps"
        : "after the last packet: maps that no packet may change";
  const lines = [paint("bold", heading), `  found: ${engine}; expected: ${reference}`];
  if (fault !== null) lines.push(paint("red", `  the ${reference} stopped the program: ${printable(fault)}`));
  if (verdict !== null) {
    lines.push(`  verdict ${describeVerdict(verdict.found)}, expected ${describeVerdict(verdict.expected)}`);
  }
  if (bytes !== null) {
    const [found, expected] = [bytes.found, bytes.expected].map((hex) => Buffer.from(hex, "hex"));
    lines.push(...describeBytes({ offset: bytes.offset, found: found!, expected: expected! }, style));
  }
  for (const value of maps) {
    lines.push(`  ${value.map} element ${formatCount(value.index)}: ${printable(value.what)}`);
    lines.push(paint("yellow", `    found     ${printable(value.found)}`));
    lines.push(paint("yellow", `    expected  ${printable(value.expected)}`));
  }
  if (fault === null && verdict === null && bytes === null && maps.length === 0) {
    lines.push(
      "  it did not come again when these packets were run again: is something else at work on the CPU?",
    );
  }
  lines.push(...describeTrace(difference, reference, style));
  return lines;
}

/** A line of source each, with the registers that it changed and what it stored to. */
function describeTrace({ trace }: VerifyDifference, reference: string, style: TextStyle): string[] {
  if (trace.length === 0) return [];
  const { paint, width, hasUnicode } = style;
  const places = trace.map(({ file, line }) => `${file}:${line}`);
  const placeWidth = Math.max(...places.map(({ length }) => length));
  const lines = ["", paint("bold", `  what the ${reference} did`)];
  for (const [i, { text, registers, stores }] of trace.entries()) {
    const source = `    ${places[i]!.padEnd(placeWidth)}  ${printable(text)}`;
    lines.push(cutTo(source, width, hasUnicode));
    const changed = registers.map(({ name, value }) => `${name}=${value}`);
    if (stores.length > 0) changed.push(`stores to ${stores.join(", ")}`);
    if (changed.length === 0) continue;
    const values = `    ${"".padEnd(placeWidth)}    ${changed.join(" ")}`;
    lines.push(paint("dim", cutTo(values, width, hasUnicode)));
  }
  return lines;
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
