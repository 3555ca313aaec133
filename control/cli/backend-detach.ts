/** `lamna backend detach`: ends the decapsulation on some interfaces, or all of it. */
import { Command } from "commander";
import { DecapInstance } from "../../dataplane/decap/instance.ts";
import { LOCK_WAIT_MS, noInstance, pinDirectoryOption } from "./backend-options.ts";
import { UsageError } from "./exit.ts";
import { printableJson, printableLines } from "./printable.ts";

export function backendDetachCommand(): Command {
  return new Command("detach")
    .description("end it, and remove everything that is pinned when no interface is left")
    .argument("[interface...]", "only on these; all of them if left out")
    .addOption(pinDirectoryOption())
    .option("--json", "print one JSON object")
    .action(detach);
}

async function detach(
  names: readonly string[],
  { pinDir, json }: { readonly pinDir: string; readonly json?: true },
): Promise<void> {
  const instance = await DecapInstance.open(pinDir, { mode: "exclusive", waitMs: LOCK_WAIT_MS });
  if (instance === undefined) throw noInstance(pinDir);
  try {
    const attached = [...new Set(instance.interfaces().map(({ name }) => name))];
    const wanted = names.length === 0 ? attached : [...new Set(names)];
    const unknown = wanted.filter((name) => !attached.includes(name));
    if (unknown.length > 0) {
      const known = attached.length === 0 ? "none" : attached.join(", ");
      throw new UsageError(`not attached to ${unknown.join(", ")}, expected some of: ${known}`);
    }
    for (const name of wanted) instance.detach(name);
    const remaining = attached.filter((name) => !wanted.includes(name));
    if (remaining.length === 0) instance.remove();
    if (json) process.stdout.write(`${printableJson({ detached: wanted, remaining })}\n`);
    else process.stdout.write(`${printableLines(wanted.map((name) => `${name}: detached`).join("\n"))}\n`);
  } finally {
    instance.close();
  }
}
