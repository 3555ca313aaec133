/** Texts from files of strangers, safe to show: what has no glyph, or commands a terminal, is written out. */

/** Control characters, zero-width and direction characters, line separators: nothing to print, or to obey. */
const INVISIBLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]/g;

export function escapeInvisible(text: string): string {
  return text.replace(
    INVISIBLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
