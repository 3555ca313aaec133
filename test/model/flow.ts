/**
 * The memory of the model: flows and fragmented datagrams, as plain maps without bounds. Where the program's tables are full
 * it may forget what the model remembers; whoever compares says so (see `Forgotten` in model.ts).
 */
import type { Config } from "../../control/model/config.ts";

/** One tick is a millisecond: what replay and tests run the program with. */
export const TICKS_PER_SECOND = 1000;
const CLOSING_IDLE_TICKS = 60 * TICKS_PER_SECOND;
const ESTABLISHED_IDLE_TICKS = 3600 * TICKS_PER_SECOND;
export const FRAGMENT_TICKS: number = 2 * TICKS_PER_SECOND;

export type FlowState = "new" | "established" | "closing" | "datagrams";

export interface Flow {
  /** Identity of the VIP, see vipKey. */
  readonly vip: string;
  /** Address text. */
  readonly backend: string;
  readonly state: FlowState;
  /** Tick of the last packet. */
  readonly seen: number;
  /** Since then it was idle for too long at some time, by limits that have changed. */
  readonly isReleased?: boolean;
}

export interface Datagram {
  readonly vip: string;
  readonly backend: string;
  /** Of the VIP when the datagram was first seen. */
  readonly hashesDestinationPort: boolean;
  /** Masked by the VIP; 0 when the first fragment seen carried none. */
  readonly sourcePort: number;
  readonly targetPort: number;
  /** Tick of the fragment that decided. */
  readonly seen: number;
}

/** What one CPU remembers. */
export class CpuMemory {
  readonly flows: ReadonlyMap<4 | 6, FlowTable>;
  readonly datagrams: Map<string, Datagram> = new Map();
  /** The latest there was: when the clock stepped back since, flows may have been given up as too old before it did. */
  latestTick = 0;
  windowStart = 0;
  windowFlows = 0;

  /** `flowsMax` by family: how many flows the one line of a table of one line holds; unbounded if left out. */
  constructor(flowsMax?: { readonly 4: number; readonly 6: number }) {
    this.flows = new Map([
      [4, new FlowTable(flowsMax?.[4] ?? Number.POSITIVE_INFINITY)],
      [6, new FlowTable(flowsMax?.[6] ?? Number.POSITIVE_INFINITY)],
    ]);
  }
}

export class FlowTable {
  readonly #flows = new Map<string, Flow>();
  readonly #flowsMax: number;

  constructor(flowsMax: number) {
    this.#flowsMax = flowsMax;
  }

  get(key: string): Flow | undefined {
    return this.#flows.get(key);
  }

  /** Whether a flow that is not in the table would find a place. */
  hasRoom(tick: number, settings: Config["settings"]): boolean {
    return this.#flows.size < this.#flowsMax || this.#victim(tick, settings) !== undefined;
  }

  set(key: string, flow: Flow, settings: Config["settings"]): void {
    if (!this.#flows.has(key) && this.#flows.size >= this.#flowsMax) {
      const victim = this.#victim(flow.seen, settings);
      if (victim !== undefined) this.#flows.delete(victim);
    }
    this.#flows.set(key, flow);
  }

  delete(key: string): void {
    this.#flows.delete(key);
  }

  forget(isForgotten: (flow: Flow) => boolean): void {
    for (const [key, flow] of this.#flows) if (isForgotten(flow)) this.#flows.delete(key);
  }

  /** Takes flows that are held no longer as ones that need not be there. To be called before the limits change. */
  release(tick: number, settings: Config["settings"]): void {
    for (const [key, flow] of this.#flows) {
      if (!isHeld(flow, tick, settings)) this.#flows.set(key, { ...flow, isReleased: true });
    }
  }

  /** One that has been idle for longer than its state allows, or else the oldest of which only one packet was seen. */
  #victim(tick: number, settings: Config["settings"]): string | undefined {
    let oldestNew: { readonly key: string; readonly age: number } | undefined;
    for (const [key, flow] of this.#flows) {
      const age = ageTicks(tick, flow.seen);
      if (flow.state === "new") {
        if (oldestNew === undefined || age > oldestNew.age) oldestNew = { key, age };
      } else if (!isHeld(flow, tick, settings)) return key;
    }
    return oldestNew?.key;
  }
}

/** Whether a flow's place is its own: a new flow can be pushed out at any time, others once they have been idle for too long. */
export function isHeld(flow: Flow, tick: number, settings: Config["settings"]): boolean {
  const { state, seen, isReleased = false } = flow;
  if (isReleased) return false;
  const age = ageTicks(tick, seen);
  switch (state) {
    case "new":
      return false;
    case "established":
      return age <= ESTABLISHED_IDLE_TICKS;
    case "closing":
      return age <= CLOSING_IDLE_TICKS;
    case "datagrams":
      return age <= settings.udpIdleSeconds * TICKS_PER_SECOND;
  }
}

/** Ticks are kept modulo 2^30; a clock that steps back, as captures do, makes no age. */
export function ageTicks(tick: number, seen: number): number {
  const range = 2 ** 30;
  const age = (((tick - seen) % range) + range) % range;
  return age > range / 2 ? 0 : age;
}
