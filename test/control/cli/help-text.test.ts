import { Command } from "commander";
import { expect, test } from "vitest";
import { helpParagraphs } from "../../../control/cli/help-text.ts";

const TEXT = `
One paragraph, whose lines in the source are longer or shorter than
those of the terminal.

Another one.
`;

test.for([
  {
    width: 40,
    text: "\nOne paragraph, whose lines in the source\nare longer or shorter than those of the\nterminal.\n\nAnother one.\n",
  },
  {
    width: 200,
    text: "\nOne paragraph, whose lines in the source are longer or shorter than those of the terminal.\n\nAnother one.\n",
  },
  {
    width: undefined,
    text: "\nOne paragraph, whose lines in the source are longer or shorter than those of the\nterminal.\n\nAnother one.\n",
  },
])("help text is wrapped at a width of $width", ({ width, text }) => {
  let out = "";
  const command = new Command("command").addHelpText("after", helpParagraphs(TEXT)).configureOutput({
    writeOut: (each) => {
      out += each;
    },
    // As commander's own does where there is no terminal.
    getOutHelpWidth: () => width as number,
  });
  command.outputHelp();
  expect(out.slice(out.indexOf("\nOne"))).toBe(text);
});
