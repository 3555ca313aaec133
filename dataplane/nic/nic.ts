/**
 * A NIC with an XDP program on it, simulated: it chooses a receive queue for each frame, runs the program on that queue's CPU, and
 * does with the frame what the program says. It knows nothing of what the program is for.
 *
 *   frame -> RSS -> queue (a CPU each) -> program -> XDP_PASS      the host
 *                                                    XDP_TX        the wire it came from
 *                                                    XDP_REDIRECT  another wire, a CPU, a socket
 *                                                    XDP_DROP      nowhere
 *                                                    else          nowhere, counted as aborted
 *
 * There are two ways in. `process` handles a frame at once, so that outcomes come in the order of the input for any number of
 * queues: this is what a replay wants. `enqueue` puts it in its queue's descriptor ring, where it waits for `poll`, and is lost when
 * the ring is full: this is how a NIC under load behaves.
 *
 * Time and chance come from outside: a frame's timestamp is told to `setTime` before the program runs.
 */

import type { Cpu } from "../vm/cpu.ts";
import { type PreparedProgram, VmFault } from "../vm/engine.ts";
import type { Machine } from "../vm/machine.ts";
import type { VmMap } from "../vm/maps/map.ts";
import {
  XDP_ABORTED,
  XDP_DROP,
  XDP_MD_SIZE_BYTES,
  XDP_PASS,
  XDP_REDIRECT,
  XDP_TX,
} from "../vm/xdp-buffer.ts";
import {
  type QueueCounters,
  sumQueueCounters,
  type TransmitCounters,
  zeroQueueCounters,
} from "./counters.ts";
import { devmapTargets, hasOwnProgram } from "./devmap-targets.ts";
import { Rss, type RssOptions } from "./rss.ts";
import { RxRing } from "./rx-ring.ts";
import type { Wire } from "./wire.ts";

export interface InterfaceOptions {
  /** From 1. */
  readonly ifindex: number;
  /** Takes what is transmitted. Default: nobody. */
  readonly wire?: Wire;
  /** Largest IP packet; a frame longer by more than its Ethernet header and a VLAN tag is not redirected here. Default: no limit. */
  readonly mtu?: number;
}

/** Takes frames that were passed. `cpu` differs from the queue's when the program redirected the frame to another CPU. */
export type HostSink = (
  frame: Uint8Array,
  timestampNs: bigint,
  from: { ifindex: number; cpu: number },
) => void;

export interface NicOptions {
  /** Default: one, of ifindex 1. */
  readonly interfaces?: readonly InterfaceOptions[];
  /** At most the machine's CPUs, which is the default. */
  readonly queueCount?: number;
  readonly rss?: Omit<RssOptions, "queueCount">;
  /** Descriptors of a queue's ring. Default 512. */
  readonly ringSize?: number;
  readonly host?: HostSink;
  /** Takes frames redirected to AF_XDP sockets; without it they count as errors. */
  readonly socket?: (frame: Uint8Array, timestampNs: bigint, socketId: number) => void;
  /** Sets the clocks that the program can see. */
  readonly setTime?: (timestampNs: bigint) => void;
}

/**
 * - pass, drop, tx, redirect: as the program returned
 * - aborted: XDP_ABORTED, a code nobody knows, or a program that was stopped
 * - over-length: longer than a buffer holds, so that no program saw it
 */
export type FrameAction = "pass" | "drop" | "tx" | "redirect" | "aborted" | "over-length";

/** What became of a frame. There is one such object in a NIC, filled anew for every frame: copy what is to be kept. */
export interface FrameOutcome {
  /** Counts frames from 0 since the NIC was made. */
  readonly index: number;
  readonly ifindex: number;
  readonly queue: number;
  readonly timestampNs: bigint;
  readonly action: FrameAction;
  /** What the program returned, the low 32 bits as the kernel takes them; 0 when it was stopped or did not run. */
  readonly code: number;
  /** The interface it was transmitted on, 0 for none. A broadcast says its first. */
  readonly egressIfindex: number;
  /** Why the program was stopped. */
  readonly fault: VmFault | undefined;
  /** The bytes as they left the program: live memory, good until the next frame. Taken only when asked for. */
  readonly frame: Uint8Array;
}

/** A program that was stopped, kept for a report. */
export interface KeptFault {
  readonly frameIndex: number;
  readonly queue: number;
  readonly timestampNs: bigint;
  readonly fault: VmFault;
}

const FAULTS_KEPT_MAX = 16;
const DEFAULT_RING_SIZE = 512;
const ETH_HEADER_BYTES = 14;
const VLAN_TAG_BYTES = 4;

interface Interface {
  readonly ifindex: number;
  readonly wire: Wire | undefined;
  readonly frameBytesMax: number;
  readonly queues: readonly QueueCounters[];
  readonly transmitted: TransmitCounters;
}

export class Nic {
  readonly queueCount: number;
  readonly rss: Rss;
  readonly #machine: Machine;
  readonly #interfaces = new Map<number, Interface>();
  readonly #rings: readonly RxRing[];
  readonly #options: NicOptions;
  readonly #frameBytesMax: number;
  readonly #outcome: Outcome = new Outcome();
  readonly #source = { ingressIfindex: 0, rxQueueIndex: 0 };
  readonly #faults: KeptFault[] = [];
  #program: PreparedProgram | undefined;
  #frameCount = 0;

  /** Throws RangeError for options that contradict each other or the machine. */
  constructor(machine: Machine, options: NicOptions = {}) {
    this.#machine = machine;
    this.#options = options;
    this.queueCount = options.queueCount ?? machine.cpuCount;
    if (this.queueCount > machine.cpuCount) {
      throw new RangeError(
        `${this.queueCount} queues, expected at most one for each of ${machine.cpuCount} CPUs`,
      );
    }
    this.rss = new Rss({ ...options.rss, queueCount: this.queueCount });
    this.#frameBytesMax = machine.cpu(0).xdp.frameBytesMax;
    const ringSize = options.ringSize ?? DEFAULT_RING_SIZE;
    this.#rings = Array.from({ length: this.queueCount }, () => new RxRing(ringSize, this.#frameBytesMax));
    for (const { ifindex, wire, mtu } of options.interfaces ?? [{ ifindex: 1 }]) {
      if (
        !Number.isInteger(ifindex) ||
        ifindex < 1 ||
        ifindex > 0x7fff_ffff ||
        this.#interfaces.has(ifindex)
      ) {
        throw new RangeError(`ifindex ${ifindex}, expected a number from 1 that no other interface has`);
      }
      this.#interfaces.set(ifindex, {
        ifindex,
        wire,
        frameBytesMax: mtu === undefined ? Number.POSITIVE_INFINITY : mtu + ETH_HEADER_BYTES + VLAN_TAG_BYTES,
        queues: Array.from({ length: this.queueCount }, zeroQueueCounters),
        transmitted: { tx_packets: 0, tx_bytes: 0 },
      });
    }
  }

  /** From the next frame on this program runs; undefined: none, and every frame is the host's. */
  attach(program: PreparedProgram | undefined): void {
    this.#program = program;
  }

  /** Handles one frame at once. The result is good until the next one. Throws RangeError for an interface that is not there. */
  process(frame: Uint8Array, timestampNs: bigint, ifindex = 1): FrameOutcome {
    return this.#handle(frame, timestampNs, this.#interface(ifindex), this.rss.queueOf(frame));
  }

  /** The same, of a frame that comes in by this queue, whatever RSS would say. Throws RangeError for a queue that is not there, too. */
  processOn(queue: number, frame: Uint8Array, timestampNs: bigint, ifindex = 1): FrameOutcome {
    if (this.#rings[queue] === undefined)
      throw new RangeError(`queue ${queue}, expected one of ${this.queueCount}`);
    return this.#handle(frame, timestampNs, this.#interface(ifindex), queue);
  }

  /** Puts a frame into its queue's ring. False when it was dropped, for want of a descriptor or for its length. */
  enqueue(frame: Uint8Array, timestampNs: bigint, ifindex = 1): boolean {
    const source = this.#interface(ifindex);
    const queue = this.rss.queueOf(frame);
    const counters = source.queues[queue]!;
    if (frame.length > this.#frameBytesMax) {
      counters.rx_over_length++;
      return false;
    }
    if (this.#rings[queue]!.push(frame, timestampNs, ifindex)) return true;
    counters.rx_no_descriptor++;
    return false;
  }

  /** Handles at most `budget` frames of a queue's ring, oldest first, and returns how many. Default budget: NAPI's 64. */
  poll(
    queue: number,
    options: { budget?: number; onOutcome?: (outcome: FrameOutcome) => void } = {},
  ): number {
    const ring = this.#rings[queue];
    if (ring === undefined) throw new RangeError(`queue ${queue}, expected one of ${this.queueCount}`);
    const budget = options.budget ?? 64;
    let count = 0;
    for (; count < budget; count++) {
      const next = ring.peek();
      if (next === undefined) break;
      const outcome = this.#handle(next.bytes, next.timestampNs, this.#interface(next.ifindex), queue);
      options.onOutcome?.(outcome);
      ring.shift();
    }
    return count;
  }

  /** Frames that wait in a queue's ring. */
  backlog(queue: number): number {
    return this.#rings[queue]?.count ?? 0;
  }

  /** Counters of one queue of one interface, as they are now. */
  queueCounters(queue: number, ifindex = 1): Readonly<QueueCounters> {
    const counters = this.#interface(ifindex).queues[queue];
    if (counters === undefined) throw new RangeError(`queue ${queue}, expected one of ${this.queueCount}`);
    return { ...counters };
  }

  /** The same, of all queues of all interfaces. */
  counters(): Readonly<QueueCounters> {
    return sumQueueCounters([...this.#interfaces.values()].flatMap(({ queues }) => queues));
  }

  transmitCounters(ifindex = 1): Readonly<TransmitCounters> {
    return { ...this.#interface(ifindex).transmitted };
  }

  /** The first few programs that were stopped; `counters().xdp_faults` says how many there were. */
  get faults(): readonly KeptFault[] {
    return this.#faults;
  }

  #handle(bytes: Uint8Array, timestampNs: bigint, source: Interface, queue: number): FrameOutcome {
    const counters = source.queues[queue]!;
    const outcome = this.#outcome;
    outcome.begin(this.#frameCount++, timestampNs, source.ifindex, queue, bytes);
    if (bytes.length > this.#frameBytesMax) {
      counters.rx_over_length++;
      outcome.action = "over-length";
      return outcome;
    }
    counters.rx_packets++;
    counters.rx_bytes += bytes.length;
    this.#options.setTime?.(timestampNs);

    const cpu = this.#machine.cpu(queue);
    this.#source.ingressIfindex = source.ifindex;
    this.#source.rxQueueIndex = queue;
    cpu.xdp.load(bytes, this.#source);
    outcome.cpu = cpu;
    outcome.code = this.#run(cpu, outcome, counters);
    this.#obey(outcome, source, cpu, counters);
    return outcome;
  }

  /** The program's code; XDP_ABORTED when it was stopped. */
  #run(cpu: Cpu, outcome: Outcome, counters: QueueCounters): number {
    if (this.#program === undefined) return XDP_PASS;
    try {
      const result = this.#program.run(cpu.xdp.contextAddress, XDP_MD_SIZE_BYTES, cpu.index);
      return Number(BigInt.asUintN(32, result));
    } catch (error) {
      if (!(error instanceof VmFault)) throw error;
      outcome.fault = error;
      counters.xdp_faults++;
      if (this.#faults.length < FAULTS_KEPT_MAX) {
        const { index, queue, timestampNs } = outcome;
        this.#faults.push({ frameIndex: index, queue, timestampNs, fault: error });
      }
      return XDP_ABORTED;
    }
  }

  #obey(outcome: Outcome, source: Interface, cpu: Cpu, counters: QueueCounters): void {
    switch (outcome.code) {
      case XDP_PASS:
        counters.xdp_pass++;
        outcome.action = "pass";
        this.#toHost(outcome, cpu.index);
        return;
      case XDP_DROP:
        counters.xdp_drop++;
        outcome.action = "drop";
        return;
      case XDP_TX:
        counters.xdp_tx++;
        outcome.action = "tx";
        transmit(source, outcome);
        return;
      case XDP_REDIRECT:
        counters.xdp_redirect++;
        outcome.action = "redirect";
        if (!this.#redirect(outcome, cpu)) counters.xdp_redirect_errors++;
        return;
      case XDP_ABORTED:
        counters.xdp_aborted++;
        outcome.action = "aborted";
        return;
      default:
        counters.xdp_aborted++;
        counters.xdp_invalid_action++;
        outcome.action = "aborted";
    }
  }

  /** False when the frame has nowhere to go, and so is dropped. */
  #redirect(outcome: Outcome, cpu: Cpu): boolean {
    const { kind, target, map, key } = cpu.redirect;
    switch (kind) {
      case "none":
        return false;
      case "interface":
        if (map !== undefined && hasOwnProgram(map, key)) return false;
        return this.#toInterface(target, outcome);
      case "broadcast":
        return map !== undefined && this.#broadcast(map, outcome, cpu.redirect.isIngressExcluded);
      case "cpu":
        // The entry's key is the CPU that goes on with the frame, in its network stack.
        this.#toHost(outcome, target);
        return true;
      case "socket":
        if (this.#options.socket === undefined) return false;
        this.#options.socket(outcome.frame, outcome.timestampNs, target);
        return true;
    }
  }

  #broadcast(map: VmMap, outcome: Outcome, isIngressExcluded: boolean): boolean {
    let isSent = false;
    for (const ifindex of devmapTargets(map)) {
      if (isIngressExcluded && ifindex === outcome.ifindex) continue;
      isSent = this.#toInterface(ifindex, outcome) || isSent;
    }
    return isSent;
  }

  #toInterface(ifindex: number, outcome: Outcome): boolean {
    const target = this.#interfaces.get(ifindex);
    if (target === undefined || outcome.lengthBytes > target.frameBytesMax) return false;
    transmit(target, outcome);
    return true;
  }

  #toHost(outcome: Outcome, cpu: number): void {
    this.#options.host?.(outcome.frame, outcome.timestampNs, { ifindex: outcome.ifindex, cpu });
  }

  #interface(ifindex: number): Interface {
    const found = this.#interfaces.get(ifindex);
    if (found === undefined) {
      const known = [...this.#interfaces.keys()].join(", ");
      throw new RangeError(`ifindex ${ifindex}, expected one of ${known}`);
    }
    return found;
  }
}

function transmit(target: Interface, outcome: Outcome): void {
  target.transmitted.tx_packets++;
  target.transmitted.tx_bytes += outcome.lengthBytes;
  if (outcome.egressIfindex === 0) outcome.egressIfindex = target.ifindex;
  target.wire?.transmit(outcome.frame, outcome.timestampNs);
}

class Outcome implements FrameOutcome {
  index = 0;
  ifindex = 0;
  queue = 0;
  timestampNs = 0n;
  action: FrameAction = "drop";
  code = 0;
  egressIfindex = 0;
  fault: VmFault | undefined = undefined;
  /** Undefined when no program saw the frame. */
  cpu: Cpu | undefined = undefined;
  #input: Uint8Array = new Uint8Array(0);

  begin(index: number, timestampNs: bigint, ifindex: number, queue: number, input: Uint8Array): void {
    this.index = index;
    this.timestampNs = timestampNs;
    this.ifindex = ifindex;
    this.queue = queue;
    this.code = 0;
    this.egressIfindex = 0;
    this.fault = undefined;
    this.cpu = undefined;
    this.#input = input;
  }

  get frame(): Uint8Array {
    return this.cpu?.xdp.frame ?? this.#input;
  }

  get lengthBytes(): number {
    return this.cpu?.xdp.lengthBytes ?? this.#input.length;
  }
}
