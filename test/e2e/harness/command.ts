/** Runs a command to its end. A failure is an error with the whole command line and what it said. */
import { spawnSync } from "node:child_process";

export function run(command: string, args: readonly string[], input = ""): string {
  const result = spawnSync(command, args, { encoding: "utf8", input, maxBuffer: 64 << 20 });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    const said = `${result.stderr}${result.stdout}`.trim();
    const given = input === "" ? "" : `\nwith\n${input}`;
    throw new Error(`${command} ${args.join(" ")}: exit ${result.status ?? result.signal}: ${said}${given}`);
  }
  return result.stdout;
}
