/** `lamna check`: is a config file good, and what will it take? */
import { Command } from "commander";
import type { Config } from "../model/config.ts";
import { ConfigError, type ConfigProblem } from "../model/config-error.ts";
import { readConfig } from "../model/config-file.ts";
import { EXIT_CODES } from "./exit.ts";
import { painterFor } from "./output.ts";

export function checkCommand(): Command {
  return new Command("check")
    .description("validate config files, and say what they will take")
    .argument("<config...>", 'config files in YAML; "-" reads standard input')
    .option("--json", "print one JSON object")
    .action((files: readonly string[], options: { readonly json?: true }) => {
      const results = files.map(checkFile);
      if (options.json) printJson(results);
      else for (const result of results) printText(result);
      if (results.some(({ problems }) => problems.length > 0)) process.exitCode = EXIT_CODES.badInput;
    });
}

interface Result {
  readonly file: string;
  readonly config: Config | undefined;
  readonly problems: readonly ConfigProblem[];
  readonly message: string;
}

function checkFile(file: string): Result {
  try {
    return { file, config: readConfig(file), problems: [], message: "" };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { file, config: undefined, problems: error.problems, message: error.message };
  }
}

function printText({ file, config, message }: Result): void {
  if (config === undefined) {
    process.stderr.write(`${message}\n`);
    return;
  }
  const paint = painterFor(process.stdout);
  const backends = config.vips.reduce((sum, vip) => sum + vip.backends.length, 0);
  process.stdout.write(`${file}: ${paint("green", "fine")}\n`);
  process.stdout.write(`  ${config.vips.length} VIPs, ${backends} backends\n`);
}

function printJson(results: readonly Result[]): void {
  const configs = results.map(({ file, config, problems }) => ({
    file,
    isValid: config !== undefined,
    problems,
  }));
  process.stdout.write(`${JSON.stringify({ configs }, undefined, 2)}\n`);
}
