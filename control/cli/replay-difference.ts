/** How the outcome of `--expect` reads: each difference with its place in words, and both packets side by side around it. */
import { formatCount } from "./output.ts";
import type { ComparisonResult, Difference } from "./replay-comparison.ts";
import { isAsExpected } from "./replay-comparison.ts";
import { type FrameField, frameFieldAt, outerDestination } from "./replay-frame-field.ts";
import { formatDuration, type TextStyle } from "./replay-text.ts";
import { describeVerdict } from "./replay-verdict.ts";

/** Rows of a hexdump before the first difference and after it. */
const ROWS_BEFORE = 1;
const ROWS_AFTER = 2;

export function describeComparison(result: ComparisonResult, style: TextStyle): string[] {
  const { expectedName, foundPackets, expectedPackets, differingPackets, differences } = result;
  const { paint } = style;
  const verdicts = describeCompared(result);
  if (isAsExpected(result)) {
    const what = `${formatCount(foundPackets)} ${plural(foundPackets, "packet")} as in ${expectedName}`;
    return [`${paint("green", what)} (${verdicts})`];
  }

  const lines: string[] = [];
  for (const difference of differences) lines.push(...describeDifference(difference, style), "");
  const compared = Math.min(foundPackets, expectedPackets);
  const shown = differingPackets > differences.length ? `, the first ${differences.length} shown` : "";
  const summary = `${formatCount(differingPackets)} of ${formatCount(compared)} packets differ from ${expectedName}${shown}`;
  lines.push(`${paint("red", summary)} (${verdicts})`);
  if (result.isComplete && foundPackets !== expectedPackets) {
    const counts = `${formatCount(foundPackets)} ${plural(foundPackets, "packet")}, expected ${formatCount(expectedPackets)}`;
    lines.push(paint("red", counts));
  }
  return lines;
}

/** What was compared, in words. */
function describeCompared({ verdictsCompared, skippedPackets, expectedPackets }: ComparisonResult): string {
  const skipped =
    skippedPackets === 0 ? "" : `; ${formatCount(skippedPackets)} not comparable, as they did not run`;
  if (verdictsCompared === 0) return `bytes compared; it has no verdicts${skipped}`;
  if (verdictsCompared < expectedPackets - skippedPackets) {
    return `bytes compared, and ${formatCount(verdictsCompared)} verdicts${skipped}`;
  }
  return `bytes and verdicts compared${skipped}`;
}

function describeDifference(difference: Difference, style: TextStyle): string[] {
  const { number, sinceStartNs, verdict, offset, found, expected } = difference;
  const time = sinceStartNs === undefined ? "" : `, ${formatDuration(sinceStartNs)} into the capture`;
  const lines = [style.paint("bold", `packet ${number} (frame ${number + 1} in Wireshark)${time}`)];
  if (verdict !== undefined) {
    lines.push(`  verdict ${describeVerdict(verdict.found)}, expected ${describeVerdict(verdict.expected)}`);
  }
  lines.push(...describeBytes({ offset, found, expected }, style));
  return lines;
}

/** Both packets around the first byte that differs, and what field it is in. */
export function describeBytes(
  { offset, found, expected }: Pick<Difference, "offset" | "found" | "expected">,
  style: TextStyle,
): string[] {
  const lines: string[] = [];
  if (found.length !== expected.length) lines.push(`  ${found.length} bytes, expected ${expected.length}`);
  if (offset === undefined) return lines;
  const [foundTarget, expectedTarget] = [outerDestination(found), outerDestination(expected)];
  if (foundTarget !== undefined && expectedTarget !== undefined && foundTarget !== expectedTarget) {
    lines.push(`  to ${foundTarget}, expected ${expectedTarget}`);
  }
  const telling = tellingOffset(found, expected, offset);
  const what = telling === offset ? "first different byte" : "first different byte but for checksums";
  lines.push(`  ${what} at offset ${telling}${describeField({ found, expected }, telling)}`);
  lines.push(...hexdumpBeside(found, expected, telling, style).map((line) => `  ${line}`));
  return lines;
}

/** The first different byte that is not merely a checksum of others that differ as well. */
function tellingOffset(found: Uint8Array, expected: Uint8Array, first: number): number {
  const field = fieldAt(found, expected, first);
  if (field?.coveredEnd === undefined) return first;
  const end = Math.min(field.coveredEnd, found.length, expected.length);
  for (let at = field.end; at < end; at++) if (found[at] !== expected[at]) return at;
  return first;
}

/** The header field that a byte is in, by the expected frame where it has one. */
export function fieldAt(found: Uint8Array, expected: Uint8Array, offset: number): FrameField | undefined {
  return frameFieldAt(expected, offset) ?? frameFieldAt(found, offset);
}

function describeField({ found, expected }: Pick<Difference, "found" | "expected">, offset: number): string {
  const field = fieldAt(found, expected, offset);
  if (field === undefined) return "";
  const values = [field.format(found), field.format(expected)] as const;
  if (values[0] === "" || values[1] === "") return `: ${field.name}`;
  return `: ${field.name} ${values[0]}, expected ${values[1]}`;
}

/** Offset, found bytes, expected bytes; rows that differ are marked. As many bytes a row as the width lets stand beside each other. */
export function hexdumpBeside(
  found: Uint8Array,
  expected: Uint8Array,
  offset: number,
  { width, paint, hasUnicode }: TextStyle,
): string[] {
  const rowBytes = width >= 6 + 2 + 2 * 47 + 5 ? 16 : 8;
  const cellWidth = rowBytes * 3 - 1;
  const firstRow = Math.max(0, Math.floor(offset / rowBytes) - ROWS_BEFORE);
  const endByte = Math.max(found.length, expected.length);
  const endRow = Math.min(Math.ceil(endByte / rowBytes), Math.floor(offset / rowBytes) + ROWS_AFTER + 1);
  const divider = hasUnicode ? "│" : "|";
  const lines = [`${"".padEnd(8)}${"found".padEnd(cellWidth)} ${divider} expected`];
  for (let row = firstRow; row < endRow; row++) {
    const start = row * rowBytes;
    const cells = [found, expected].map((bytes) => hexRow(bytes.subarray(start, start + rowBytes)));
    const isSame = cells[0] === cells[1];
    const place = start.toString(16).padStart(4, "0");
    const line =
      `${isSame ? " " : ">"} ${place}  ${cells[0]!.padEnd(cellWidth)} ${divider} ${cells[1]}`.trimEnd();
    lines.push(isSame ? line : paint("yellow", line));
  }
  return lines;
}

function hexRow(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}
