/** How lines of a report are put together: columns that line up, bars, and a width that is kept. */
import { type OutputStream, type Painter, painterFor } from "./output.ts";

export interface TextStyle {
  /** Columns of the terminal. */
  readonly width: number;
  /** Bars from block characters, as a terminal shows them; otherwise plain ASCII, which survives any log. */
  readonly hasUnicode: boolean;
  readonly paint: Painter;
}

/** Where the output is no terminal and so has no width. */
const DEFAULT_WIDTH = 110;

export function textStyleOf(stream: OutputStream & { readonly columns?: number }): TextStyle {
  return {
    // A serial console has 0 of them.
    width: stream.columns || DEFAULT_WIDTH,
    hasUnicode: stream.isTTY === true,
    paint: painterFor(stream),
  };
}

export interface Column {
  readonly align: "left" | "right";
}

/**
 * Rows of cells with every column as wide as its widest cell, two spaces between them. Cells hold no colour yet: `paint` gets a
 * padded cell and may colour it.
 */
export function alignColumns(
  rows: readonly (readonly string[])[],
  columns: readonly Column[],
  paint: (cell: string, column: number, row: number) => string = (cell) => cell,
): string[] {
  const widths = columns.map((_, column) => Math.max(0, ...rows.map((cells) => cells[column]?.length ?? 0)));
  return rows.map((cells, row) =>
    columns
      .map(({ align }, column) => {
        const cell = cells[column] ?? "";
        if (align === "right") return paint(cell.padStart(widths[column]!), column, row);
        // Nothing is to the right of the last column, so nothing needs to fill it.
        return paint(column === columns.length - 1 ? cell : cell.padEnd(widths[column]!), column, row);
      })
      .join("  ")
      .trimEnd(),
  );
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of `fraction` (0 to 1) of `width` columns. What is there shows: more than nothing is at least the smallest mark. */
export function bar(fraction: number, width: number, hasUnicode: boolean): string {
  const clamped = Math.min(Math.max(fraction, 0), 1);
  if (!hasUnicode) {
    const marks = Math.round(clamped * width);
    return "#".repeat(clamped > 0 ? Math.max(marks, 1) : 0);
  }
  const eighths = clamped > 0 ? Math.max(Math.round(clamped * width * 8), 1) : 0;
  return "█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]!;
}

/** Cut to `width` columns, the cut shown. */
export function cutTo(text: string, width: number, hasUnicode: boolean): string {
  if (text.length <= width) return text;
  const mark = hasUnicode ? "…" : "...";
  return width <= mark.length ? "" : text.slice(0, width - mark.length).trimEnd() + mark;
}

/** "12.3 %", and "<0.1 %" for what is not nothing. */
export function formatShare(fraction: number): string {
  if (fraction > 0 && fraction < 0.0005) return "<0.1 %";
  return `${(fraction * 100).toFixed(1)} %`;
}

/** Signed percentage points: "+1.2", "-0.4", "0.0". */
export function formatPoints(fraction: number): string {
  const text = (fraction * 100).toFixed(1);
  if (text === "-0.0" || text === "0.0") return "0.0";
  return fraction > 0 ? `+${text}` : text;
}

/** A length of time in the unit that fits it. */
export function formatDuration(ns: bigint): string {
  const seconds = Number(ns) / 1e9;
  if (seconds >= 120) return formatSeconds(seconds);
  if (seconds >= 1) return `${seconds.toFixed(2)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toFixed(2)} ms`;
  return `${(seconds * 1e6).toFixed(2)} us`;
}

/** To the second: "3 s", "2 min 05 s", "1 h 2 min 05 s". */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const tail = `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return hours > 0 ? `${hours} h ${tail}` : tail;
}
