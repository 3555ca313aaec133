#!/usr/bin/env node
/** The `lamna` command: which subcommands there are, and how the process ends. What they do is in their own files. */
import { Command, CommanderError } from "commander";
import { systemErrorWords } from "../model/system-error.ts";
import { packageVersion } from "../package-root.ts";
import { attachCommand } from "./attach.ts";
import { backendCommand } from "./backend.ts";
import { checkCommand } from "./check.ts";
import { detachCommand } from "./detach.ts";
import { doctorCommand } from "./doctor.ts";
import { describeFailure, EXIT_CODES, UsageError } from "./exit.ts";
import { objectCommand } from "./object.ts";
import { painterFor } from "./output.ts";
import { printableLines } from "./printable.ts";
import { replayCommand } from "./replay.ts";
import { statusCommand } from "./status.ts";
import { verifyCommand } from "./verify.ts";

const AFTER_HELP = `
Examples:
  lamna check config.yaml                 is the config good?
  lamna replay --config config.yaml --in edge.pcapng
                                          what would happen to these packets?
  lamna replay --config config.yaml --in edge.pcapng --expect before.pcapng
                                          is it still what happened before?
  lamna verify edge.pcapng --config config.yaml
                                          does the kernel make the same of it?
  lamna doctor eth0 --config config.yaml  is this host fit for it?
  lamna attach eth0 --config config.yaml  forward packets of this interface
  lamna status --watch                    what does it do?
  lamna detach                            end it

Exit codes:
  0   fine
  1   differences, failed checks, or nothing attached
  2   wrong usage, or input that cannot be used
  70  a bug in lamna

Environment:
  NO_COLOR, FORCE_COLOR   turn colours off or on; unset: on in a terminal
  LAMNA_DEBUG=1           show where an error comes from, with whole logs
`;

function lamna(): Command {
  const program = new Command("lamna")
    .description(
      "A layer-4 load balancer: an XDP program, its control plane, and a simulator that runs the same bytecode.",
    )
    .version(packageVersion(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", AFTER_HELP)
    .configureHelp({ styleTitle: (text) => painterFor(process.stdout)("bold", text) })
    .configureOutput({
      outputError: (text, write) => write(printableLines(text.replace(/^error: /, "lamna: "))),
    })
    .exitOverride();

  for (const command of [
    attachCommand(),
    statusCommand(),
    detachCommand(),
    doctorCommand(),
    checkCommand(),
    objectCommand(),
    replayCommand(),
    verifyCommand(),
    backendCommand(),
  ]) {
    program.addCommand(command);
    inherit(command, program, "lamna");
  }
  return program.showHelpAfterError('"lamna --help" lists the commands');
}

/** A command made on its own does not inherit; without this its errors would end the process themselves. */
function inherit(command: Command, parent: Command, path: string): void {
  const name = `${path} ${command.name()}`;
  command.copyInheritedSettings(parent).showHelpAfterError(`"${name} --help" says what it takes`);
  for (const child of command.commands) inherit(child, command, name);
}

/** Prints what went wrong and chooses the exit code. */
function fail(error: unknown): void {
  // Commander has printed its message by now: help and version, or what is wrong with the usage.
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT_CODES.fine : EXIT_CODES.badInput;
    return;
  }
  const failure = describeFailure(error, { isDebug: process.env.LAMNA_DEBUG === "1" });
  process.stderr.write(`${failure.text}\n`);
  process.exitCode = failure.exitCode;
}

/** `lamna ... | head` closes our output early: nothing is wrong, and nobody is left to write to. */
function endQuietlyOnClosedPipe(stream: NodeJS.WriteStream, name: string): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit();
    throw new UsageError(`${name}: ${systemErrorWords(error) ?? error.message}`, { cause: error });
  });
}

endQuietlyOnClosedPipe(process.stdout, "standard output");
endQuietlyOnClosedPipe(process.stderr, "standard error");
process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});

try {
  await lamna().parseAsync();
} catch (error) {
  fail(error);
}
