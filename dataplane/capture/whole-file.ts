/**
 * A file that appears under its name only when it is whole. Bytes go to a temporary name in the same directory, and a rename,
 * which is atomic there, puts it in place; a crash leaves at most the temporary file. What exists under the name and is
 * not a regular file (a named pipe, /dev/null) cannot be replaced so, and is written to directly.
 */
import {
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CaptureError } from "./capture-error.ts";

const TEMPORARY_NAMES_MAX = 100;

export class WholeFile {
  readonly path: string;
  /** Where `path` leads when it is a symbolic link, which stays one. */
  readonly #target: string;
  readonly #temporary: string | undefined;
  readonly #descriptor: number;
  #isOpen = true;

  /** Throws CaptureError (code "io"). */
  constructor(path: string) {
    this.path = path;
    try {
      const existing = statSync(path, { throwIfNoEntry: false });
      if (existing?.isDirectory()) throw new Error("is a directory");
      this.#target = existing === undefined ? path : realpathSync(path);
      const opened =
        existing === undefined || existing.isFile() ? openTemporary(dirname(this.#target)) : undefined;
      this.#temporary = opened?.path;
      this.#descriptor = opened?.descriptor ?? openSync(this.#target, "w");
    } catch (cause) {
      throw asCaptureError(path, cause);
    }
  }

  /** Throws CaptureError (code "io"), for example on a full disk. */
  write(bytes: Uint8Array): void {
    try {
      let written = 0;
      while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
    } catch (cause) {
      throw asCaptureError(this.path, cause);
    }
  }

  /** Puts the file under its name. */
  commit(): void {
    try {
      if (this.#temporary !== undefined) fsyncSync(this.#descriptor);
      this.#isOpen = false;
      closeSync(this.#descriptor);
      if (this.#temporary !== undefined) renameSync(this.#temporary, this.#target);
    } catch (cause) {
      if (this.#temporary !== undefined) tryTo(() => unlinkSync(this.#temporary!));
      throw asCaptureError(this.path, cause);
    }
  }

  /** Forgets what was written; what was there before stays. Does nothing after commit. */
  discard(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    tryTo(() => closeSync(this.#descriptor));
    if (this.#temporary !== undefined) tryTo(() => unlinkSync(this.#temporary!));
  }
}

function openTemporary(directory: string): { readonly path: string; readonly descriptor: number } {
  for (let attempt = 0; ; attempt++) {
    const path = join(directory, `.lamna-${process.pid}-${attempt}.partial`);
    try {
      return { path, descriptor: openSync(path, "wx") };
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EEXIST"; // left by a process that was killed
      if (!isTaken || attempt >= TEMPORARY_NAMES_MAX) throw error;
    }
  }
}

function asCaptureError(path: string, cause: unknown): CaptureError {
  return new CaptureError({ code: "io", source: path, what: `cannot be written: ${whyOf(cause)}`, cause });
}

/** Node's message without the error's name before it and the call behind it, which names our temporary file. */
function whyOf(cause: unknown): string {
  const { code, message, syscall } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return "no such directory";
  const end = syscall === undefined ? -1 : message.lastIndexOf(`, ${syscall}`);
  return end < 0 ? message : message.slice(0, end).replace(`${code}: `, "");
}

/** Cleaning up must not hide the error that led to it. */
function tryTo(action: () => void): void {
  try {
    action();
  } catch {}
}
