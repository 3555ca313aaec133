/** `lamna backend detach`: ends the decapsulation on some interfaces, or all of it. */
import { Command } from "commander";
import { DecapInstance } from "../../dataplane/decap/instance.ts";
import { backendPinDirectoryOption } from "./backend-options.ts";
import { helpParagraphs } from "./help-text.ts";
import { LOCK_WAIT_MS } from "./pin-directory.ts";
import { printableJson, printableLines } from "./printable.ts";

interface Options {
  readonly pinDir: string;
  readonly json?: true;
}

interface Report {
  readonly pinDirectory: string;
  readonly detached: readonly string[];
  /** Those where it goes on; none: programs and maps are gone. */
  readonly remaining: readonly string[];
}

const DETAILS = `
Without names it ends on every interface, and programs, maps and pins are removed. With names the others go on; with the last of
them everything is removed as well. What is not there is no error.
`;

export function backendDetachCommand(): Command {
  return new Command("detach")
    .description("end it on interfaces, and remove what nothing uses any more")
    .argument("[interface...]", "network interfaces; none: all of them")
    .addOption(backendPinDirectoryOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (names: readonly string[], options: Options) => {
      const report = await detach(names, options.pinDir);
      const text = options.json ? printableJson(report) : printableLines(describe(report));
      process.stdout.write(`${text}\n`);
    });
}

async function detach(names: readonly string[], pinDirectory: string): Promise<Report> {
  const instance = await DecapInstance.open(pinDirectory, { mode: "exclusive", waitMs: LOCK_WAIT_MS });
  if (instance === undefined) return { pinDirectory, detached: [], remaining: [] };
  try {
    const attached = [...new Set(instance.interfaces().map(({ name }) => name))];
    const detached = names.length === 0 ? attached : attached.filter((name) => names.includes(name));
    const remaining = attached.filter((name) => !detached.includes(name));
    for (const name of detached) instance.detach(name);
    if (remaining.length === 0) instance.remove();
    return { pinDirectory: instance.directory, detached, remaining };
  } finally {
    instance.close();
  }
}

function describe({ pinDirectory, detached, remaining }: Report): string {
  if (remaining.length > 0) {
    const what = detached.length === 0 ? "nothing to detach" : `detached ${detached.join(", ")}`;
    return `${what}; it goes on at ${remaining.join(", ")} (${pinDirectory})`;
  }
  if (detached.length === 0) return `nothing is attached (${pinDirectory})`;
  return `detached ${detached.join(", ")}, and removed programs and maps (${pinDirectory})`;
}
