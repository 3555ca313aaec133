/**
 * The one place where errors become exit codes and what is printed.
 *
 * Bad input or usage says what is wrong in one message and ends with 2; the stack is shown only with LAMNA_DEBUG=1.
 * Anything else that is thrown is a bug of ours, is said to be one, and always shows its stack.
 */
import { CaptureError } from "../../dataplane/capture/capture-error.ts";
import { MapError } from "../../dataplane/dataplane.ts";
import { KernelError } from "../../dataplane/kernel/kernel-error.ts";
import { ObjectError } from "../../dataplane/object/object-error.ts";
import { ConfigError } from "../model/config-error.ts";
import { systemErrorWords } from "../model/system-error.ts";
import { ApplyError } from "../plan/apply.ts";
import { printableLines } from "./printable.ts";

/** Exit codes of `lamna`. */
export const EXIT_CODES = {
  fine: 0,
  /** A comparison found differences, or a check failed. */
  different: 1,
  /** Wrong usage, or input that cannot be used. */
  badInput: 2,
  /** A bug in Lamna (EX_SOFTWARE of BSD's sysexits.h). */
  bug: 70,
} as const;

/** An option or argument that cannot be used, found after the command line was parsed. */
export class UsageError extends Error {
  readonly code = "usage" as const;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}

export interface Failure {
  readonly exitCode: number;
  /** For stderr, without a newline at the end. */
  readonly text: string;
}

/** What to print and how to exit when a command threw `error`. */
export function describeFailure(error: unknown, { isDebug }: { readonly isDebug: boolean }): Failure {
  const message = inputErrorMessage(error);
  if (message !== undefined) {
    const text = isDebug ? [message, stackOf(error), ...verifierLogOf(error)].join("\n") : message;
    return { exitCode: EXIT_CODES.badInput, text: printableLines(text) };
  }
  return {
    exitCode: EXIT_CODES.bug,
    text: `lamna: this is a bug in lamna; please report it with these lines\n${stackOf(error)}`,
  };
}

/** The message of an error that the world is to blame for, undefined for any other. */
function inputErrorMessage(error: unknown): string | undefined {
  // Its lines begin with file:line:column, which editors and terminals look for at the start.
  if (error instanceof ConfigError) return error.message;
  if (error instanceof Error && INPUT_ERRORS.some((kind) => error instanceof kind))
    return `lamna: ${error.message}`;
  const kernelError = kernelErrorOf(error);
  if (error instanceof Error && kernelError !== undefined) return withRemedyBelow(error, kernelError);
  const words = systemErrorWords(error);
  if (words === undefined) return undefined;
  const { path } = error as { path?: unknown };
  return typeof path === "string" ? `lamna: ${path}: ${words}` : `lamna: ${words}`;
}

const INPUT_ERRORS: readonly (new (...parameters: never[]) => Error)[] = [
  UsageError,
  CaptureError,
  ObjectError,
];

/** The kernel's failure behind an error, or behind the step of a plan that it ended. */
function kernelErrorOf(error: unknown): KernelError | undefined {
  if (error instanceof KernelError) return error;
  const isStep = error instanceof ApplyError || error instanceof MapError;
  return isStep ? kernelErrorOf(error.cause) : undefined;
}

/** What went wrong in one line, and in another what to do, which the message has at its end. */
function withRemedyBelow({ message }: Error, { remedy }: KernelError): string {
  const end = `; ${remedy}`;
  if (remedy === undefined || !message.endsWith(end)) return `lamna: ${message}`;
  return `lamna: ${message.slice(0, -end.length)}\n  ${remedy}`;
}

/** Whole, as lines; the message has what matters most of it. */
function verifierLogOf(error: unknown): string[] {
  const log = kernelErrorOf(error)?.log;
  return log === undefined || log === "" ? [] : ["the verifier's log:", log.trimEnd()];
}

/** The stack of an error and of its causes. */
function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? own : `${own}\ncaused by: ${stackOf(error.cause)}`;
}
