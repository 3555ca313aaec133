/** `lamna detach`: takes the program off interfaces, or removes all of an instance. */
import { Command } from "commander";
import { InstanceDirectory } from "../../dataplane/kernel/instance.ts";
import { EXIT_CODES } from "./exit.ts";
import { helpParagraphs } from "./help-text.ts";
import { LOCK_WAIT_MS, pinDirectoryOption } from "./pin-directory.ts";
import { printable, printableJson } from "./printable.ts";
import { followRenames } from "./renamed-interfaces.ts";

export interface DetachOptions {
  readonly pinDir: string;
  readonly json?: true;
}

export interface DetachReport {
  readonly pinDirectory: string;
  readonly detached: readonly string[];
  /** Those that have the program still; none: the instance is gone, with its maps and flows. */
  readonly remaining: readonly string[];
}

const DETAILS = `
Without names, the program is taken off every interface, and program, maps and pins are removed. With names, the others go on;
with the last of them everything is removed as well. What is not there is no error.
`;

export function detachCommand(): Command {
  return new Command("detach")
    .description("take the program off interfaces, and remove what nothing uses any more")
    .argument("[interface...]", "network interfaces; none: all of them")
    .addOption(pinDirectoryOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", helpParagraphs(DETAILS))
    .action(async (interfaces: readonly string[], options: DetachOptions) => {
      process.exitCode = await detach(interfaces, options);
    });
}

async function detach(names: readonly string[], options: DetachOptions): Promise<number> {
  const place = await InstanceDirectory.lockForRemoval(options.pinDir, { waitMs: LOCK_WAIT_MS });
  const report = removeFrom(place, names, options);
  if (options.json) process.stdout.write(`${printableJson(report)}\n`);
  else process.stdout.write(`${describe(report)}\n`);
  return EXIT_CODES.fine;
}

function removeFrom(
  place: InstanceDirectory | undefined,
  names: readonly string[],
  { pinDir: pinDirectory }: DetachOptions,
): DetachReport {
  if (place === undefined) return { pinDirectory, detached: [], remaining: [] };
  try {
    const { layout } = place;
    // Names are those of today, unless a change that was cut off has links elsewhere. To remove everything takes none, and so nothing readable.
    if (names.length > 0 && place.hasInstance && !layout.isInterrupted) followRenames(layout);
    const linked = layout.listLinks();
    const gone = names.length === 0 ? linked : linked.filter((name) => names.includes(name));
    const remaining = linked.filter((name) => !gone.includes(name));
    if (remaining.length === 0) {
      place.remove();
    } else {
      // In this order: what is in the way of a change that was cut off may be on an interface that is to go.
      for (const name of gone) layout.removeLink(name);
      layout.settle();
    }
    return { pinDirectory, detached: gone, remaining };
  } finally {
    place.close();
  }
}

function describe({ pinDirectory, detached, remaining }: DetachReport): string {
  const list = (names: readonly string[]): string => names.map(printable).join(", ");
  const place = printable(pinDirectory);
  if (remaining.length > 0) {
    const what = detached.length === 0 ? "nothing to detach" : `detached ${list(detached)}`;
    return `${what}; the program goes on at ${list(remaining)} (${place})`;
  }
  if (detached.length === 0) return `nothing is attached (${place})`;
  return `detached ${list(detached)}, and removed program and maps (${place})`;
}
