/** What stands below a command's options in its help. */
import type { AddHelpTextContext } from "commander";

/** Where there is no terminal; commander wraps the options at it too. */
const DEFAULT_WIDTH = 80;

/** For `addHelpText("after", ...)`: paragraphs, with empty lines between them, wrapped at the width that the options are wrapped at. */
export function helpParagraphs(text: string): (context: AddHelpTextContext) => string {
  const paragraphs = text
    .trim()
    .split("\n\n")
    .map((paragraph) => paragraph.replaceAll("\n", " "));
  return ({ error, command }) => {
    const { getOutHelpWidth, getErrHelpWidth } = command.configureOutput();
    const width = (error ? getErrHelpWidth : getOutHelpWidth)?.() ?? DEFAULT_WIDTH;
    const help = command.createHelp();
    return `\n${paragraphs.map((paragraph) => help.boxWrap(paragraph, width)).join("\n\n")}`;
  };
}
