/**
 * What ought to happen to a packet, worked out from the rules on plain data: no map bytes, no C. The program is compared with
 * this, packet by packet, over a history of packets and of configurations.
 *
 * A decision is made first and committed second, so that a comparison can ask "and if the program had forgotten this flow?": the
 * program's tables are bounded and may, the model's are not and do not.
 */
import type { Config } from "../../control/model/config.ts";
import {
  REASONS,
  type ReasonName as Reason,
  type VerdictName as Verdict,
} from "../../control/model/reasons.ts";
import { equalBytes, ipText } from "../packets/address.ts";
import { ethernetSizeBytes } from "../packets/ethernet.ts";
import { viewOf } from "../packets/frame.ts";
import { ICMP_ECHO_REQUEST, ICMPV6_ECHO_REQUEST } from "../packets/icmp.ts";
import { IPPROTO_TCP, IPPROTO_UDP } from "../packets/ipv4.ts";
import { TCP_FIN, TCP_RST, TCP_SYN } from "../packets/tcp.ts";
import { echoReply, isOneHost, isToOneHost, tooBigReply } from "./answer.ts";
import { dissect, type IpPacket, isIcmp, isTcpOrUdp, transportProblem } from "./dissect.ts";
import {
  ageTicks,
  CpuMemory,
  type Datagram,
  type Flow,
  type FlowState,
  FRAGMENT_TICKS,
  isHeld,
  TICKS_PER_SECOND,
} from "./flow.ts";
import { encapsulate, outerSizeBytes } from "./outer-header.ts";
import { quotedIpv4, quotedIpv6 } from "./quote.ts";
import { type ModelVip, type Tuple, VipSet } from "./vip-set.ts";

export interface Decision {
  readonly verdict: Verdict;
  readonly reason: Reason;
  /** The frame as it leaves; the one that came in unless forwarded or answered. */
  readonly frame: Uint8Array;
  /** Of what is forwarded: whose counters move. */
  readonly vip: string | undefined;
  /** Address text. */
  readonly backend: string | undefined;
  /** Whether the packet's flow is one that the program must not have lost: established, or closed or UDP, and not idle for too long. */
  readonly isFlowHeld: boolean;
  /** Makes the model remember what the program does. */
  commit(): void;
}

/** What the program's bounded tables may have lost, or have no room for. */
export interface Forgotten {
  readonly flow?: boolean;
  readonly datagram?: boolean;
  readonly isLineFull?: boolean;
}

export interface Arrival {
  readonly frame: Uint8Array;
  readonly tick: number;
  readonly cpu?: number;
  /** What the interface it came in by has of its own, instead of the settings'. */
  readonly nextHop?: Pick<Config["settings"], "gatewayMac" | "mtu"> | undefined;
}

export class Model {
  #config: Config;
  #vips: VipSet;
  readonly #cpus = new Map<number, CpuMemory>();
  readonly #isOneLine: boolean;

  /** `isOneLine`: the flow table is so small that it is one line, and the model is to know when it is full. */
  constructor(config: Config, options: { readonly isOneLine?: boolean } = {}) {
    this.#config = config;
    this.#vips = new VipSet(config);
    this.#isOneLine = options.isOneLine ?? false;
  }

  get config(): Config {
    return this.#config;
  }

  /** Another configuration: flows stay, but for those of VIPs that are gone and to backends that were removed or are down. */
  apply(config: Config): void {
    for (const { flows, latestTick } of this.#cpus.values()) {
      for (const table of flows.values()) table.release(latestTick, this.#config.settings);
    }
    this.#config = config;
    this.#vips = new VipSet(config);
    const isForgotten = ({ vip, backend }: { readonly vip: string; readonly backend: string }): boolean =>
      !(this.#vips.byKey(vip)?.keepsFlowsTo(backend) ?? false);
    for (const { flows, datagrams } of this.#cpus.values()) {
      for (const table of flows.values()) table.forget(isForgotten);
      for (const [key, datagram] of datagrams) if (isForgotten(datagram)) datagrams.delete(key);
    }
  }

  /** Decides and commits. */
  process(arrival: Arrival): Decision {
    const decision = this.decide(arrival);
    decision.commit();
    return decision;
  }

  decide({ frame, tick, cpu = 0, nextHop }: Arrival, forgotten: Forgotten = {}): Decision {
    const config = { ...this.#config, settings: { ...this.#config.settings, ...nextHop } };
    const memory = this.#memory(cpu);
    memory.latestTick = Math.max(memory.latestTick, tick);
    return new Case(config, this.#vips, memory, frame, tick, forgotten).decide();
  }

  #memory(cpu: number): CpuMemory {
    const known = this.#cpus.get(cpu);
    if (known !== undefined) return known;
    const memory = new CpuMemory(this.#isOneLine ? { 4: 4, 6: 2 } : undefined);
    this.#cpus.set(cpu, memory);
    return memory;
  }
}

/** What a flow's packet tells: enough to choose a backend. */
interface Choice {
  readonly backend: Uint8Array;
  readonly reason: Reason;
  readonly isFlowHeld: boolean;
  commit(): void;
}

/** One packet's way. */
class Case {
  readonly #config: Config;
  readonly #vips: VipSet;
  readonly #memory: CpuMemory;
  readonly #frame: Uint8Array;
  readonly #tick: number;
  readonly #forgotten: Forgotten;

  constructor(
    config: Config,
    vips: VipSet,
    memory: CpuMemory,
    frame: Uint8Array,
    tick: number,
    forgotten: Forgotten,
  ) {
    this.#config = config;
    this.#vips = vips;
    this.#memory = memory;
    this.#frame = frame;
    this.#tick = tick;
    this.#forgotten = forgotten;
  }

  decide(): Decision {
    const dissection = dissect(this.#frame);
    switch (dissection.kind) {
      case "not-ip":
        return this.#end("not_ip");
      case "malformed":
        return this.#reject(dissection.reason, dissection.destination);
      case "ip":
        return this.#decideIp(dissection.packet);
    }
  }

  #decideIp(packet: IpPacket): Decision {
    const { settings } = this.#config;
    const { fragment } = packet;
    const isAtomic = fragment !== undefined && fragment.offsetBytes === 0 && !fragment.moreFragments;
    if (settings.scope === "all") {
      if (packet.hasIpOptions && settings.ipOptions === "drop") return this.#end("ip_options");
      if (fragment !== undefined && settings.fragments === "drop") return this.#end("fragment");
    }
    if (!isTcpOrUdp(packet.protocol) && !isIcmp(packet)) return this.#end("other_protocol");
    if (fragment !== undefined && !(isAtomic && settings.fragments === "balance")) {
      return this.#decideFragment(packet, fragment.offsetBytes === 0, fragment.id);
    }
    const problem = transportProblem(packet);
    if (problem !== undefined) return this.#reject(problem, packet.destination);
    return isIcmp(packet) ? this.#decideIcmp(packet) : this.#decideWhole(packet);
  }

  /** A packet with ports. `packet` may be a first fragment. */
  #decideWhole(packet: IpPacket): Decision {
    const { protocol, transportOffset } = packet;
    const view = viewOf(this.#frame);
    const tuple = {
      source: packet.source,
      sourcePort: view.getUint16(transportOffset),
      targetPort: view.getUint16(transportOffset + 2),
    };
    const vip = this.#vips.find(packet.destination, tuple.targetPort, protocol);
    if (vip === undefined) return this.#end("not_vip");
    if (this.#dropsOptionsOf(packet)) return this.#end("ip_options");

    const flags = protocol === IPPROTO_TCP ? view.getUint8(transportOffset + 13) : undefined;
    return (
      this.#frameTooBig(packet, true) ?? this.#forward(packet, vip, tuple, this.#choose(vip, tuple, flags))
    );
  }

  #dropsOptionsOf(packet: IpPacket): boolean {
    return packet.hasIpOptions && this.#config.settings.ipOptions === "drop";
  }

  // ------------------------------------------------------------------------------------------- fragments

  #decideFragment(packet: IpPacket, isFirst: boolean, id: number): Decision {
    const problem = isFirst ? transportProblem(packet) : undefined;
    if (problem !== undefined) return this.#reject(problem, packet.destination);
    if (isIcmp(packet)) return this.#end("not_vip_fragment");

    const { destination, protocol } = packet;
    const targetPort = isFirst ? viewOf(this.#frame).getUint16(packet.transportOffset + 2) : undefined;
    const vip =
      targetPort === undefined
        ? this.#vips.findLowestPort(destination, protocol)
        : this.#vips.find(destination, targetPort, protocol);
    if (this.#config.settings.fragments === "drop") {
      if (vip === undefined) return this.#end("not_vip_fragment");
      return this.#end(this.#dropsOptionsOf(packet) ? "ip_options" : "fragment");
    }

    const key = `${ipText(packet.source)} ${ipText(destination)} ${id} ${protocol}`;
    return this.#knownDatagram(packet, key, isFirst) ?? this.#newDatagram(packet, key, isFirst, vip);
  }

  #knownDatagram(packet: IpPacket, key: string, isFirst: boolean): Decision | undefined {
    if (this.#forgotten.datagram) return undefined;
    const datagram = this.#memory.datagrams.get(key);
    if (datagram === undefined || ageTicks(this.#tick, datagram.seen) > FRAGMENT_TICKS) return undefined;
    if (isFirst && this.#isOfAnother(packet, datagram)) return undefined;
    if (this.#dropsOptionsOf(packet)) return this.#end("ip_options");

    const tooBig = this.#frameTooBig(packet, isFirst);
    if (tooBig !== undefined) return tooBig;
    return this.#send(packet, isFirst, {
      reason: "fragment_hit",
      vip: datagram.vip,
      backend: parseText(datagram.backend),
      client: datagram.hashesDestinationPort ? new Uint8Array(packet.source.length) : packet.source,
      clientPort: datagram.sourcePort,
      isFlowHeld: false,
      commit: () => {},
    });
  }

  /** Whether a first fragment is another datagram's than the one whose first fragment is known by the same id. */
  #isOfAnother(packet: IpPacket, datagram: Datagram): boolean {
    const vip = this.#vips.byKey(datagram.vip);
    if (vip === undefined || (datagram.sourcePort === 0 && datagram.targetPort === 0)) return false;
    const { sourcePort, targetPort } = this.#maskedPorts(packet, vip);
    return sourcePort !== datagram.sourcePort || targetPort !== datagram.targetPort;
  }

  #maskedPorts(packet: IpPacket, vip: ModelVip): Tuple {
    const view = viewOf(this.#frame);
    const sourcePort = view.getUint16(packet.transportOffset);
    return vip.masked({
      source: packet.source,
      sourcePort,
      targetPort: view.getUint16(packet.transportOffset + 2),
    });
  }

  #newDatagram(packet: IpPacket, key: string, isFirst: boolean, vip: ModelVip | undefined): Decision {
    if (vip === undefined) return this.#end(isFirst ? "not_vip" : "not_vip_fragment");

    const decision = isFirst ? this.#decideWhole(packet) : this.#guess(packet, vip);
    if (decision.backend === undefined) return decision;
    const { sourcePort, targetPort } = isFirst
      ? this.#maskedPorts(packet, vip)
      : { sourcePort: 0, targetPort: 0 };
    const datagram = {
      vip: vip.key,
      backend: decision.backend,
      hashesDestinationPort: vip.hashesDestinationPort,
      sourcePort,
      targetPort,
      seen: this.#tick,
    };
    return {
      ...decision,
      commit: () => {
        decision.commit();
        this.#memory.datagrams.set(key, datagram);
      },
    };
  }

  /** A fragment without ports, of a datagram not seen before. */
  #guess(packet: IpPacket, vip: ModelVip): Decision {
    if (this.#dropsOptionsOf(packet)) return this.#end("ip_options");
    const tooBig = this.#frameTooBig(packet, false);
    if (tooBig !== undefined) return tooBig;

    const tuple = { source: packet.source, sourcePort: 0, targetPort: 0 };
    const backend = vip.ringBackend(tuple, this.#config.settings.hashSeed);
    if (backend === undefined) return this.#end("no_backend");
    return this.#send(packet, false, {
      reason: "fragment_guessed",
      vip: vip.key,
      backend,
      client: vip.hashesDestinationPort ? new Uint8Array(packet.source.length) : packet.source,
      clientPort: 0,
      isFlowHeld: false,
      commit: () => {},
    });
  }

  // ------------------------------------------------------------------------------------------- ICMP

  #decideIcmp(packet: IpPacket): Decision {
    const type = this.#frame[packet.transportOffset]!;
    if (type === (packet.family === 4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST)) return this.#echo(packet);
    const isError = packet.family === 4 ? [3, 11, 12].includes(type) : [1, 2, 3, 4].includes(type);
    return isError ? this.#decideIcmpError(packet) : this.#end("other_icmp");
  }

  #echo(packet: IpPacket): Decision {
    const { echoReply: mode } = this.#config.settings;
    const isForVip = this.#vips.hasAddress(packet.destination);
    const isWanted = mode === "any" || (mode === "vip" && isForVip);
    const isBetweenHosts =
      isOneHost(packet.source) && isOneHost(packet.destination) && isToOneHost(this.#frame);
    if (!isWanted || !isBetweenHosts) return this.#end("other_icmp");
    if (isForVip && this.#dropsOptionsOf(packet)) return this.#end("ip_options");
    return this.#end("echo_reply", echoReply(this.#frame, packet));
  }

  #decideIcmpError(packet: IpPacket): Decision {
    const quote = this.#quote(packet);
    if (quote === "malformed") return this.#reject("malformed_icmp", packet.destination);
    if (quote === "foreign") return this.#end("other_icmp");

    const vip = this.#vips.find(packet.destination, quote.vipPort, quote.protocol);
    if (vip === undefined) return this.#end("other_icmp");
    if (this.#dropsOptionsOf(packet)) return this.#end("ip_options");
    const tooBig = this.#frameTooBig(packet, false);
    if (tooBig !== undefined) return tooBig;
    const choice = this.#lookUp(vip, quote.tuple, quote.protocol);
    if (choice === undefined) return this.#end("no_backend");
    return this.#forward(packet, vip, quote.tuple, choice);
  }

  /** The flow that the packet quoted in an ICMP error belongs to, seen from its client: the quote came from the backend. */
  #quote(
    packet: IpPacket,
  ):
    | { readonly tuple: Tuple; readonly vipPort: number; readonly protocol: number }
    | "malformed"
    | "foreign" {
    const bytes = this.#frame.subarray(0, packet.end);
    const view = viewOf(bytes);
    const offset = packet.transportOffset + 8;
    const inner = packet.family === 4 ? quotedIpv4(view, offset) : quotedIpv6(bytes, offset);
    if (inner === undefined) return "malformed";
    if (inner.isLaterFragment || !isTcpOrUdp(inner.protocol)) return "foreign";
    if (inner.transportOffset + 8 > bytes.length) return "malformed";
    if (!equalBytes(inner.source, packet.destination)) return "foreign";

    const vipPort = view.getUint16(inner.transportOffset);
    const clientPort = view.getUint16(inner.transportOffset + 2);
    return {
      tuple: { source: inner.destination, sourcePort: clientPort, targetPort: vipPort },
      vipPort,
      protocol: inner.protocol,
    };
  }

  // ------------------------------------------------------------------------------------------- choosing a backend

  /** Where an ICMP error about a flow goes: as the flow's own packets, but nothing is remembered or renewed. */
  #lookUp(vip: ModelVip, tuple: Tuple, protocol: number): Choice | undefined {
    const masked = vip.masked(tuple);
    const flow = vip.bypassesFlowTable ? undefined : this.#flow(vip, masked, protocol);
    const backend =
      flow === undefined ? vip.ringBackend(masked, this.#config.settings.hashSeed) : parseText(flow.backend);
    if (backend === undefined) return undefined;
    return { backend, reason: "icmp_error", isFlowHeld: this.#isHeld(flow), commit: () => {} };
  }

  /** A flow that counts as known: in the table and, if UDP, not idle for too long. */
  #flow(vip: ModelVip, masked: Tuple, protocol: number): Flow | undefined {
    if (this.#forgotten.flow) return undefined;
    const flow = this.#table(masked).get(flowKey(vip, masked));
    if (flow === undefined || protocol !== IPPROTO_UDP) return flow;
    const idleTicks = this.#config.settings.udpIdleSeconds * TICKS_PER_SECOND;
    return ageTicks(this.#tick, flow.seen) > idleTicks ? undefined : flow;
  }

  #isHeld(flow: Flow | undefined): boolean {
    return flow !== undefined && isHeld(flow, this.#memory.latestTick, this.#config.settings);
  }

  /** `tcpFlags` undefined: UDP. */
  #choose(vip: ModelVip, tuple: Tuple, tcpFlags: number | undefined): Choice | undefined {
    const masked = vip.masked(tuple);
    const flags = tcpFlags ?? 0;
    const isSyn = (flags & TCP_SYN) !== 0;
    const protocol = tcpFlags === undefined ? IPPROTO_UDP : IPPROTO_TCP;
    const known = isSyn || vip.bypassesFlowTable ? undefined : this.#flow(vip, masked, protocol);
    if (known !== undefined) {
      const state = stateAfter(known.state, tcpFlags);
      return {
        backend: parseText(known.backend),
        reason: "flow_hit",
        isFlowHeld: this.#isHeld(known),
        commit: () => this.#remember(vip, masked, { ...known, state }),
      };
    }

    const backend = vip.ringBackend(masked, this.#config.settings.hashSeed);
    if (backend === undefined) return undefined;
    if (vip.bypassesFlowTable || (flags & TCP_RST) !== 0) {
      return { backend, reason: "flow_bypass", isFlowHeld: false, commit: () => {} };
    }
    return this.#chooseNew(vip, masked, backend, isSyn);
  }

  #chooseNew(vip: ModelVip, masked: Tuple, backend: Uint8Array, isSyn: boolean): Choice {
    const table = this.#table(masked);
    const old = this.#forgotten.flow ? undefined : table.get(flowKey(vip, masked));
    const isFlowHeld = this.#isHeld(old);
    const backendText = ipText(backend);
    const fresh = { vip: vip.key, backend: backendText, state: "new", seen: this.#tick } as const;
    if (old !== undefined) {
      // A client that opens a connection again, or UDP after a long pause: the entry is used again.
      const keepsState = isSyn && old.backend === backendText && old.state !== "closing";
      const flow = keepsState ? { ...fresh, state: old.state } : fresh;
      return { backend, reason: "flow_new", isFlowHeld, commit: () => this.#remember(vip, masked, flow) };
    }

    const window = this.#window();
    const limit = this.#config.settings.newFlowsPerSecondPerCpu;
    if (limit > 0 && window.flows >= limit) {
      return { backend, reason: "flow_rate_limited", isFlowHeld, commit: () => this.#count(window, 0) };
    }
    const isFull = this.#forgotten.isLineFull || !table.hasRoom(this.#tick, this.#config.settings);
    return {
      backend,
      reason: isFull ? "flow_table_full" : "flow_new",
      isFlowHeld,
      commit: () => {
        if (limit > 0) this.#count(window, 1);
        if (!isFull) this.#remember(vip, masked, fresh);
      },
    };
  }

  /** The second in which new flows are being counted. */
  #window(): { readonly start: number; readonly flows: number } {
    const { windowStart, windowFlows } = this.#memory;
    const age = this.#tick - windowStart;
    return age < 0 || age >= TICKS_PER_SECOND
      ? { start: this.#tick, flows: 0 }
      : { start: windowStart, flows: windowFlows };
  }

  #count(window: { readonly start: number; readonly flows: number }, added: number): void {
    this.#memory.windowStart = window.start;
    this.#memory.windowFlows = window.flows + added;
  }

  #remember(vip: ModelVip, masked: Tuple, flow: Flow): void {
    this.#table(masked).set(
      flowKey(vip, masked),
      { ...flow, seen: this.#tick, isReleased: false },
      this.#config.settings,
    );
  }

  #table(tuple: Tuple): NonNullable<ReturnType<CpuMemory["flows"]["get"]>> {
    return this.#memory.flows.get(tuple.source.length === 4 ? 4 : 6)!;
  }

  // ------------------------------------------------------------------------------------------- sending

  #forward(packet: IpPacket, vip: ModelVip, tuple: Tuple, choice: Choice | undefined): Decision {
    if (choice === undefined) return this.#end("no_backend");
    const masked = vip.masked(tuple);
    return this.#send(packet, choice.reason !== "icmp_error", {
      ...choice,
      vip: vip.key,
      client: vip.hashesDestinationPort ? new Uint8Array(tuple.source.length) : tuple.source,
      clientPort: masked.sourcePort,
    });
  }

  /** `mayAnswer`: whether its sender may be told that it is too big. */
  #send(
    packet: IpPacket,
    mayAnswer: boolean,
    to: Choice & { readonly vip: string; readonly client: Uint8Array; readonly clientPort: number },
  ): Decision {
    const { mtu = 1500, gatewayMac } = this.#config.settings;
    if (gatewayMac === undefined) return this.#end("no_gateway");
    const outerBytes = outerSizeBytes(to.backend);
    const sizeBytes = packet.lengthBytes + outerBytes;
    if (mtu !== 0 && sizeBytes > mtu) return this.#tooBig(packet, mayAnswer, mtu - outerBytes);
    if (sizeBytes > 65535) return this.#end("too_big");

    const { backend, client, clientPort } = to;
    const frame = encapsulate(this.#frame, packet, {
      gatewayMac,
      backend,
      client,
      clientPort,
    });
    return {
      verdict: REASONS[to.reason].verdict,
      reason: to.reason,
      frame,
      vip: to.vip,
      backend: ipText(backend),
      isFlowHeld: to.isFlowHeld,
      commit: to.commit,
    };
  }

  #frameTooBig(packet: IpPacket, mayAnswer: boolean): Decision | undefined {
    const { maxFrameBytes } = this.#config.settings;
    const tagsBytes = ethernetSizeBytes(packet.ethernet) - 14;
    if (this.#frame.length - tagsBytes <= maxFrameBytes) return undefined;
    return this.#tooBig(packet, mayAnswer, maxFrameBytes - 14);
  }

  #tooBig(packet: IpPacket, mayAnswer: boolean, mtu: number): Decision {
    const isTold =
      this.#config.settings.tooBig === "icmp" &&
      mayAnswer &&
      isOneHost(packet.source) &&
      isToOneHost(this.#frame);
    return isTold ? this.#end("too_big_reply", tooBigReply(this.#frame, packet, mtu)) : this.#end("too_big");
  }

  /** Malformed: dropped if it is addressed to a VIP, as far as can be read. */
  #reject(reason: Reason, destination: Uint8Array | undefined): Decision {
    if (this.#config.settings.scope === "all") return this.#end(reason);
    const isForVip = destination !== undefined && this.#vips.hasAddress(destination);
    return this.#end(isForVip ? reason : "not_vip_malformed");
  }

  #end(reason: Reason, frame: Uint8Array = this.#frame): Decision {
    return {
      verdict: REASONS[reason].verdict,
      reason,
      frame,
      vip: undefined,
      backend: undefined,
      isFlowHeld: false,
      commit: () => {},
    };
  }
}

/** The state of a known flow after another packet. */
function stateAfter(state: FlowState, tcpFlags: number | undefined): FlowState {
  if (tcpFlags === undefined) return "datagrams";
  if ((tcpFlags & (TCP_FIN | TCP_RST)) !== 0) return "closing";
  return state === "closing" ? "closing" : "established";
}

function flowKey(vip: ModelVip, masked: Tuple): string {
  return `${ipText(masked.source)} ${masked.sourcePort} ${masked.targetPort} ${vip.key}`;
}

/** Undoes ipText. */
function parseText(text: string): Uint8Array {
  if (!text.includes(":")) return Uint8Array.from(text.split("."), Number);
  return Uint8Array.from(
    text.split(":").flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]),
  );
}
