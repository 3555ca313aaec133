/** A VIP of the configuration as the program's `vips` map knows it. */
import { VipFlag as FlagBit, vip as vipCodec } from "../../dataplane/xdp/generated/balancer.ts";
import { formatIpAddress, type IpAddress } from "../model/address.ts";
import { PROTOCOL_NUMBERS, type Vip, type VipFlag } from "../model/config.ts";

/** What tells VIPs apart. */
export interface VipKey {
  readonly address: IpAddress;
  /** 0: every port. */
  readonly port: number;
  /** Of the IP header. */
  readonly protocol: number;
}

const FLAG_BITS: { readonly [flag in VipFlag]: number } = {
  "hash-no-source-port": FlagBit.VIP_NO_SOURCE_PORT,
  "bypass-flow-table": FlagBit.VIP_BYPASS_FLOW_TABLE,
  "hash-destination-port": FlagBit.VIP_HASH_DESTINATION_PORT,
  "hash-both-ports": FlagBit.VIP_HASH_BOTH_PORTS,
};

export function vipKey(vip: Vip): VipKey {
  return { address: vip.address, port: vip.port, protocol: PROTOCOL_NUMBERS[vip.protocol] };
}

/** "tcp 10.200.1.1:80"; port 0 is written as "*". Equal texts are equal keys. */
export function formatVipKey({ address, port, protocol }: VipKey): string {
  const host = address.family === 4 ? formatIpAddress(address) : `[${formatIpAddress(address)}]`;
  return `${protocolName(protocol)} ${host}:${port === 0 ? "*" : port}`;
}

export function vipFlags(flags: readonly VipFlag[]): number {
  return flags.reduce((bits, flag) => bits | FLAG_BITS[flag], 0);
}

/**
 * Which bits of the packet's ports count, the source port in the low half. A VIP of every port leaves the destination port out,
 * so that a client keeps its backend from port to port, unless a flag asks for it.
 */
export function portsMask({ port, flags }: { readonly port: number; readonly flags: number }): number {
  const countsSource = (flags & FlagBit.VIP_NO_SOURCE_PORT) === 0;
  const countsDestination =
    port !== 0 || (flags & (FlagBit.VIP_HASH_BOTH_PORTS | FlagBit.VIP_HASH_DESTINATION_PORT)) !== 0;
  return ((countsSource ? 0xffff : 0) | (countsDestination ? 0xffff0000 : 0)) >>> 0;
}

export function encodeVip(entry: {
  readonly key: VipKey;
  readonly flags: number;
  readonly ring: number;
  readonly flowVip: number;
}): Uint8Array {
  const { key, flags, ring, flowVip } = entry;
  const address = new Uint8Array(16);
  address.set(key.address.bytes);
  const bytes = new Uint8Array(vipCodec.sizeBytes);
  vipCodec.write(bytes, {
    address,
    port: key.port,
    protocol: key.protocol,
    family: key.address.family,
    flags,
    portsMask: portsMask({ port: key.port, flags }),
    ring,
    flowVip,
  });
  return bytes;
}

/** A value of the `vips` map. */
export interface DecodedVip {
  readonly key: VipKey;
  readonly flags: number;
  readonly ring: number;
  readonly flowVip: number;
  /** Every byte is what encodeVip would write. */
  readonly isIntact: boolean;
}

/** Undefined when the value is no VIP: an entry never written, or not by us. */
export function decodeVip(bytes: Uint8Array): DecodedVip | undefined {
  const { address, family, port, protocol, flags, ring, flowVip } = vipCodec.read(bytes);
  if (family !== 4 && family !== 6) return undefined;

  const key: VipKey = {
    address: { family, bytes: family === 4 ? address.slice(0, 4) : address },
    port,
    protocol,
  };
  const ours = encodeVip({ key, flags, ring, flowVip });
  const isIntact = flowVip !== 0 && ours.every((byte, index) => byte === bytes[index]);
  return { key, flags, ring, flowVip, isIntact };
}

function protocolName(protocol: number): string {
  const name = Object.entries(PROTOCOL_NUMBERS).find(([, number]) => number === protocol)?.[0];
  return name ?? `protocol ${protocol}`;
}
