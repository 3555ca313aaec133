/**
 * What a test made on this machine, undone in reverse: when the test is through, and also when the process exits or is interrupted on the
 * way. So each step is synchronous. What even that cannot catch, a SIGKILL, is swept by the next run (leftovers.ts).
 */
const SIGNALS = ["SIGHUP", "SIGINT", "SIGTERM"] as const;

const pending = new Set<Undo>();
let isWatching = false;

export class Undo {
  readonly #steps: { readonly what: string; readonly step: () => void }[] = [];

  constructor() {
    pending.add(this);
    watchForExit();
  }

  /** Registers how to undo `what`. Register right after it was made. */
  add(what: string, step: () => void): void {
    this.#steps.push({ what, step });
  }

  /** Undoes everything, the last first, also behind a step that fails; throws what failed. A second call has nothing to do. */
  run(): void {
    pending.delete(this);
    const errors: Error[] = [];
    for (let last = this.#steps.pop(); last !== undefined; last = this.#steps.pop()) {
      try {
        last.step();
      } catch (cause) {
        errors.push(new Error(`undo ${last.what}`, { cause }));
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, errors.map((error) => error.message).join("; "));
  }
}

function watchForExit(): void {
  if (isWatching) return;
  isWatching = true;
  process.on("exit", undoAll);
  for (const signal of SIGNALS) {
    process.once(signal, () => {
      undoAll();
      // Now without a handler: ends the process as if there had been none. Vitest does not let tests call process.exit.
      process.kill(process.pid, signal);
    });
  }
}

function undoAll(): void {
  for (const undo of pending) undo.run();
}
