/**
 * How a test and the programs that it starts in namespaces talk: one JSON value a line, requests on standard input, answers on standard
 * output. The first line out says that the program is ready. Standard input's end ends the program, so that none outlives its test,
 * however that ends.
 */
import { createInterface } from "node:readline";

export interface RequestLine {
  readonly id: number;
  readonly request: unknown;
}

export interface AnswerLine {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** The line that says that a program is ready. */
export const READY = "ready";

/** Answers requests until standard input ends. */
export function serveRequests(answer: (request: unknown) => unknown): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const { id, request } = JSON.parse(line) as RequestLine;
    // A handler that throws at once answers like one whose promise is rejected.
    Promise.resolve()
      .then(() => answer(request))
      .then(
        (result) => write({ id, answer: result }),
        (error: unknown) =>
          write({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
      );
  });
  lines.on("close", () => process.exit(0));
  process.stdout.write(`${READY}\n`);
}

function write(line: AnswerLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
