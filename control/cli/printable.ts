/** Texts that came from outside, laid out for a terminal that they must not command. */
import { escapeInvisible } from "../model/invisible.ts";

/** For one line. */
export function printable(text: string): string {
  return escapeInvisible(text.replaceAll("\t", "    "));
}

/** For several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** A value as indented JSON. JSON itself escapes only some of them, and never a line's end that is layout. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).split("\n").map(escapeInvisible).join("\n");
}
