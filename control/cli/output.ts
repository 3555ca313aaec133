/**
 * How text looks on a terminal and elsewhere: colour, and numbers that people read.
 */

/** What the functions below need to know of process.stdout or process.stderr. */
export interface OutputStream {
  readonly isTTY?: boolean;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Wraps a text in a style, or leaves it as it is where there is no colour. */
export type Painter = (style: Style, text: string) => string;

type Environment = { readonly [name: string]: string | undefined };

export function painterFor(stream: OutputStream, environment: Environment = process.env): Painter {
  if (!hasColour(stream, environment)) return (_style, text) => text;
  return (style, text) => `\u001b[${SGR[style].on}m${text}\u001b[${SGR[style].off}m`;
}

/** FORCE_COLOR decides where it is set (0 or false: off), then NO_COLOR (no-color.org), then whether it is a terminal. */
export function hasColour(stream: OutputStream, environment: Environment = process.env): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: refused, TERM: terminal } = environment;
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  if (refused !== undefined && refused !== "") return false;
  return stream.isTTY === true && terminal !== "dumb";
}

/** Select Graphic Rendition parameters (ECMA-48 section 8.3.117). */
const SGR: { readonly [style in Style]: { readonly on: number; readonly off: number } } = {
  bold: { on: 1, off: 22 },
  dim: { on: 2, off: 22 },
  red: { on: 31, off: 39 },
  green: { on: 32, off: 39 },
  yellow: { on: 33, off: 39 },
  cyan: { on: 36, off: 39 },
};

/** 1234567 as "1,234,567", in any locale. */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** Three significant digits in binary units: "17.3 MiB". */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1023.5 && unit < BYTE_UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

const BYTE_UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"] as const;
