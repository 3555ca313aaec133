/** From what a verification found to the report that `--json` prints and people read (model/verify-report.ts says what is in it). */
import type { VerifyDifference, VerifyReport, VerifyTraceStep } from "../model/verify-report.ts";
import { fieldAt } from "./replay-difference.ts";
import type { Result } from "./verification.ts";
import { describeElement, type Naming } from "./verify-elements.ts";
import type { TraceStep } from "./verify-reference.ts";
import type { Finding, VerifyRun } from "./verify-run.ts";

export function buildVerifyReport(
  run: Pick<VerifyRun, "totals" | "findings" | "isComplete">,
  { engines, naming }: { readonly engines: readonly string[]; readonly naming: Naming },
): VerifyReport {
  const { packets, notComparable } = run.totals;
  return {
    packets,
    notComparable: { tooShort: notComparable["too-short"], tooLong: notComparable["too-long"] },
    engines,
    isAlike: run.findings.length === 0,
    isComplete: run.isComplete,
    differences: run.findings.map((finding) => differenceOf(finding, naming)),
  };
}

function differenceOf(finding: Finding, naming: Naming): VerifyDifference {
  const { when, difference } = finding;
  const { engine, elements } = difference;
  const maps = elements.flatMap((element) => describeElement(element, naming));
  if (finding.when !== "packet") {
    return {
      when,
      packet: null,
      sinceStartNs: null,
      engine,
      verdict: null,
      bytes: null,
      fault: null,
      maps,
      trace: [],
    };
  }
  const { packet, sinceStartNs } = finding;
  const { expected, found, trace } = finding.difference;
  return {
    when,
    packet,
    sinceStartNs: sinceStartNs === undefined ? null : Number(sinceStartNs),
    engine,
    verdict: expected.code === found.code ? null : { expected: expected.code, found: found.code },
    bytes: bytesOf(expected, found),
    fault: expected.fault ?? null,
    maps,
    trace: trace.map(traceStepOf),
  };
}

function bytesOf(expected: Result, found: Result): VerifyDifference["bytes"] {
  const common = Math.min(expected.frame.length, found.frame.length);
  let offset = 0;
  while (offset < common && expected.frame[offset] === found.frame[offset]) offset++;
  if (offset === common && expected.frame.length === found.frame.length) return null;
  return {
    offset,
    field: fieldAt(found.frame, expected.frame, offset)?.name ?? null,
    expected: Buffer.from(expected.frame).toString("hex"),
    found: Buffer.from(found.frame).toString("hex"),
  };
}

function traceStepOf({ file, line, text, registers, stores }: TraceStep): VerifyTraceStep {
  const changed = registers.map(({ name, value }) => ({ name, value: `0x${value.toString(16)}` }));
  return { file, line, text, registers: changed, stores };
}
