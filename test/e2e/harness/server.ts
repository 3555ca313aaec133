/** The server of a backend. */
import type { ServerOptions, ServerReport } from "../programs/server.ts";
import type { Namespace } from "./namespace.ts";
import { Program } from "./program.ts";

export class Server {
  readonly name: string;
  readonly #program: Program;

  static async start(namespace: Namespace, options: ServerOptions): Promise<Server> {
    return new Server(options.name, await Program.start(namespace, "server", options));
  }

  private constructor(name: string, program: Program) {
    this.name = name;
    this.#program = program;
  }

  async report(): Promise<ServerReport> {
    return (await this.#program.request({})) as ServerReport;
  }
}
