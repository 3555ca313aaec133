/** A network whose balancer and backends run Lamna. */
import type { StatusReport } from "../../../control/model/status-report.ts";
import { type EdgeConfig, edgeConfig } from "./edge-config.ts";
import { EdgeNetwork, type EdgeOptions, SECOND_VIP4, SECOND_VIP6, VIP4, VIP6 } from "./edge-network.ts";
import { type AttachOptions, Lamna } from "./lamna.ts";

export interface BalancedOptions extends EdgeOptions, AttachOptions {
  /** Where backends take packets out of their encapsulation. */
  readonly hook?: "xdp" | "tc";
  /** Of the network's backends; all of them, and active, if absent. */
  readonly config?: (network: EdgeNetwork) => EdgeConfig;
}

export class BalancedNetwork {
  readonly network: EdgeNetwork;
  readonly lamna: Lamna;
  #last: StatusReport | undefined;

  /** Builds the network, and attaches Lamna on its balancer and backends. */
  static async create(options: BalancedOptions): Promise<BalancedNetwork> {
    const network = await EdgeNetwork.create(options);
    try {
      for (const { namespace } of network.backends) {
        new Lamna(namespace, network.undo).attachBackend(
          [VIP4, VIP6, SECOND_VIP4, SECOND_VIP6],
          options.hook ?? "xdp",
        );
      }
      const lamna = new Lamna(network.balancer, network.undo);
      lamna.attach(options.config?.(network) ?? edgeConfig(network.backends), options);
      return new BalancedNetwork(network, lamna);
    } catch (error) {
      network.close();
      throw error;
    }
  }

  private constructor(network: EdgeNetwork, lamna: Lamna) {
    this.network = network;
    this.lamna = lamna;
  }

  /** How much the counters of reasons grew since the last call, or since the start: those that did. */
  reasonsSinceLast(): Partial<StatusReport["reasons"]> {
    const before = this.#last;
    this.#last = this.lamna.status();
    return before === undefined ? withoutZeros(this.#last.reasons) : reasonsSince(before, this.#last);
  }

  close(): void {
    this.network.close();
  }
}

/** How much the counters of reasons grew: those that did. */
export function reasonsSince(before: StatusReport, now: StatusReport): Partial<StatusReport["reasons"]> {
  const grown = Object.entries(now.reasons).map(
    ([reason, count]) => [reason, count - before.reasons[reason as keyof StatusReport["reasons"]]] as const,
  );
  return withoutZeros(Object.fromEntries(grown));
}

function withoutZeros(counts: Readonly<Record<string, number>>): Partial<StatusReport["reasons"]> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
}
