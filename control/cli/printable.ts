/**
 * Texts from files of strangers, safe for a terminal: control characters, line separators and changes of writing direction are
 * written out, so that none of them commands it.
 */
const COMMANDS = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu;

/** For one line. */
export function printable(text: string): string {
  return text.replaceAll("\t", "    ").replace(COMMANDS, written);
}

/** For several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** A value as indented JSON. JSON itself escapes only some of them. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(COMMANDS, (each) =>
    each === "\n" ? each : written(each),
  );
}

function written(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
