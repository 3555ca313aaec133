/** A program of test/e2e/programs that runs in a namespace, and the conversation with it (programs/requests.ts). */
import type { ChildProcess } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type AnswerLine, READY, type RequestLine } from "../programs/requests.ts";
import { run } from "./command.ts";
import type { Namespace } from "./namespace.ts";
import { ownedName } from "./owned-name.ts";
import { Undo } from "./undo.ts";

const ROOT = join(import.meta.dirname, "../../..");
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");

/** Where they are compiled already: in a virtual machine that has no compiler. */
let folder = process.env.LAMNA_E2E_PROGRAMS;

/** Compiles the programs, once a process and into a folder of its own: Node 20 runs no TypeScript. */
function programsFolder(): string {
  if (folder !== undefined) return folder;
  const made = join(tmpdir(), ownedName());
  mkdirSync(made);
  new Undo().add(made, () => rmSync(made, { recursive: true, force: true }));
  run(process.execPath, [TSC, "-p", join(ROOT, "test/e2e/programs/tsconfig.json"), "--outDir", made]);
  folder = made;
  return made;
}

interface Pending {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Program {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #said = "";
  #requests = 0;
  #end: Error | undefined;

  /** Starts `programs/<name>.ts` and waits until it is ready. */
  static async start(namespace: Namespace, name: "client" | "server", options: unknown): Promise<Program> {
    const script = join(programsFolder(), `${name}.js`);
    const child = namespace.spawn(process.execPath, [script, JSON.stringify(options)]);
    const program = new Program(`${name} in ${namespace.name}`, child);
    await program.#waitUntilReady();
    return program;
  }

  private constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    child.stderr?.on("data", (data) => {
      this.#said += String(data);
    });
    child.once("error", (error) => this.#fail(error.message));
    child.once("exit", (code, signal) => this.#fail(`ended with ${code ?? signal}`));
    // Written to after it ended: "exit" tells.
    child.stdin?.on("error", () => {});
  }

  request(request: unknown): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    this.#requests += 1;
    const id = this.#requests;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ id, request } satisfies RequestLine)}\n`);
    });
  }

  #waitUntilReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#pending.set(0, { resolve: () => resolve(), reject });
      createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#receive(line));
    });
  }

  #receive(line: string): void {
    const { id, answer, error } = line === READY ? { id: 0 } : (JSON.parse(line) as AnswerLine);
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(answer);
    else pending?.reject(new Error(`${this.#name}: ${error}`));
  }

  #fail(what: string): void {
    this.#end ??= new Error(`${this.#name} ${what}: ${this.#said}`);
    for (const { reject } of this.#pending.values()) reject(this.#end);
    this.#pending.clear();
  }
}
