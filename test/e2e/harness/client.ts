/** The client of a network: what it can be asked, and the loads that it keeps up. */
import type { ClientRequest } from "../programs/client.ts";
import type { EchoReport, EchoTarget } from "../programs/echo-load.ts";
import type { TransferReport, TransferTarget } from "../programs/transfer.ts";
import type { Namespace } from "./namespace.ts";
import { Program } from "./program.ts";

export class Client {
  readonly #program: Program;
  #loads = 0;

  static async start(namespace: Namespace): Promise<Client> {
    return new Client(await Program.start(namespace, "client", {}));
  }

  private constructor(program: Program) {
    this.#program = program;
  }

  /** HTTP requests, all at the same time, each on a connection of its own. */
  async transfer(target: TransferTarget): Promise<TransferReport[]> {
    return (await this.#ask({ kind: "transfer", target })) as TransferReport[];
  }

  /** Opens connections or flows that go on until the load is closed, and waits until each is answered or has failed. */
  async open(protocol: "tcp" | "udp", target: EchoTarget): Promise<Load> {
    this.#loads += 1;
    const load = `load ${this.#loads}`;
    const opened = (await this.#ask({ kind: "open", load, protocol, target })) as EchoReport[];
    return {
      opened,
      advance: async (echoes) => (await this.#ask({ kind: "advance", load, echoes })) as EchoReport[],
      close: async () => (await this.#ask({ kind: "close", load })) as EchoReport[],
    };
  }

  #ask(request: ClientRequest): Promise<unknown> {
    return this.#program.request(request);
  }
}

/** Connections or flows that are kept up. One call at a time. */
export interface Load {
  /** How each was when all were open. */
  readonly opened: readonly EchoReport[];
  /** Resolves when each has had so many more echoes, or has ended. */
  advance(echoes: number): Promise<EchoReport[]>;
  close(): Promise<EchoReport[]>;
}
