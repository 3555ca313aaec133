/**
 * A text from a file of strangers, safe for a terminal: control characters, line separators and changes of writing direction are
 * written out, so that none of them commands it.
 */
export function printable(text: string): string {
  return text
    .replaceAll("\t", "    ")
    .replace(
      /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu,
      (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}
