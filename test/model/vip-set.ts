/** The VIPs of one configuration: who is found by what, and which backend the ring gives a flow. */
import { formatIpAddress } from "../../control/model/address.ts";
import { type Backend, type Config, PROTOCOL_NUMBERS, type Vip } from "../../control/model/config.ts";
import { buildRing } from "../../control/ring/maglev.ts";
import { equalBytes, ipText } from "../packets/address.ts";
import { jhash, jhash2Words } from "./jhash.ts";

/** The client's side of a flow, and the port it talks to. */
export interface Tuple {
  readonly source: Uint8Array;
  readonly sourcePort: number;
  readonly targetPort: number;
}

export class ModelVip {
  readonly config: Vip;
  /** What stays the same while a VIP's flags and backends change. */
  readonly key: string;
  readonly bypassesFlowTable: boolean;
  readonly hashesDestinationPort: boolean;
  readonly #owners: Uint16Array | undefined;

  constructor(config: Vip) {
    this.config = config;
    this.key = vipKey(config.address.bytes, config.port, PROTOCOL_NUMBERS[config.protocol]);
    this.bypassesFlowTable = config.flags.includes("bypass-flow-table");
    this.hashesDestinationPort = config.flags.includes("hash-destination-port");
    this.#owners = ringOf(config);
  }

  /** The ports as this VIP looks at them: for hash, flow key and outer source. */
  masked(tuple: Tuple): Tuple {
    const { port, flags } = this.config;
    const keepsTarget =
      port !== 0 || flags.includes("hash-both-ports") || flags.includes("hash-destination-port");
    return {
      source: tuple.source,
      sourcePort: flags.includes("hash-no-source-port") ? 0 : tuple.sourcePort,
      targetPort: keepsTarget ? tuple.targetPort : 0,
    };
  }

  /** The backend of a new flow; undefined when no backend takes any. `masked` as from masked(). */
  ringBackend(masked: Tuple, hashSeed: number): Uint8Array | undefined {
    if (this.#owners === undefined) return undefined;

    const source = this.hashesDestinationPort ? new Uint8Array(masked.source.length) : masked.source;
    const sourcePort = this.hashesDestinationPort ? masked.targetPort : masked.sourcePort;
    const ports = (swap16(sourcePort) | (swap16(masked.targetPort) << 16)) >>> 0;
    const seedIpv6 = hashSeed === DEFAULT_HASH_SEED ? 512 : hashSeed;
    const address = source.length === 4 ? littleEndian(source) : jhash(source, seedIpv6);
    const slot = jhash2Words(address, ports, hashSeed) % this.#owners.length;
    return this.config.backends[this.#owners[slot]!]!.address.bytes;
  }

  /** Whether flows that already know this backend stay with it. */
  keepsFlowsTo(backendText: string): boolean {
    const backend = this.config.backends.find(({ address }) => ipText(address.bytes) === backendText);
    return backend !== undefined && (backend.state !== "down" || backend.katranDown);
  }
}

const DEFAULT_HASH_SEED = 33554944;

export class VipSet {
  readonly vips: readonly ModelVip[];
  readonly #byKey: ReadonlyMap<string, ModelVip>;

  constructor(config: Config) {
    this.vips = config.vips.map((vip) => new ModelVip(vip));
    this.#byKey = new Map(this.vips.map((vip) => [vip.key, vip]));
  }

  byKey(key: string): ModelVip | undefined {
    return this.#byKey.get(key);
  }

  /** By the exact port, or else the VIP of every port. */
  find(address: Uint8Array, port: number, protocol: number): ModelVip | undefined {
    return this.byKey(vipKey(address, port, protocol)) ?? this.byKey(vipKey(address, 0, protocol));
  }

  /** Whose fragments without ports are. */
  findLowestPort(address: Uint8Array, protocol: number): ModelVip | undefined {
    return this.vips
      .filter(({ config }) => equalBytes(config.address.bytes, address))
      .filter(({ config }) => PROTOCOL_NUMBERS[config.protocol] === protocol)
      .sort((a, b) => a.config.port - b.config.port)[0];
  }

  hasAddress(address: Uint8Array): boolean {
    return this.vips.some(({ config }) => equalBytes(config.address.bytes, address));
  }
}

export function vipKey(address: Uint8Array, port: number, protocol: number): string {
  return `${ipText(address)} ${protocol} ${port}`;
}

const rings = new Map<string, Uint16Array | undefined>();

/** Positions in the VIP's backends. Rings are kept by what is in them: random tests build the same ones again and again. */
function ringOf(vip: Vip): Uint16Array | undefined {
  const backends = vip.backends.map(({ address, weight, state, katranDown }) => ({
    address: address.bytes,
    weight: isInRing({ state, katranDown }) ? weight : 0,
  }));
  const key = `${vip.maglev} ${vip.backends.map(({ address }, index) => `${formatIpAddress(address)}*${backends[index]!.weight}`).join(" ")}`;
  if (!rings.has(key)) {
    if (rings.size > 1000) rings.clear();
    rings.set(key, buildRing({ algorithm: vip.maglev, backends }));
  }
  return rings.get(key);
}

function isInRing({ state, katranDown }: Pick<Backend, "state" | "katranDown">): boolean {
  return state === "active" || (state === "down" && katranDown);
}

function swap16(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8);
}

function littleEndian(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}
