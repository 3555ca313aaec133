/** What a configuration asks of the maps, VIP by VIP, before anything has an id. */
import { formatIpAddress, type IpAddress } from "../model/address.ts";
import type { Backend, Config, Vip } from "../model/config.ts";
import type { MaglevAlgorithm } from "../ring/maglev.ts";
import { formatVipKey, type VipKey, vipFlags, vipKey } from "./vip-entry.ts";

export interface DesiredVip {
  readonly vip: Vip;
  readonly key: VipKey;
  /** Of the key; equal for equal keys. */
  readonly keyText: string;
  /** What plans and errors call it: its name, where it has one. */
  readonly label: string;
  readonly flags: number;
  readonly algorithm: MaglevAlgorithm;
  readonly members: readonly Member[];
}

export interface Member {
  readonly address: IpAddress;
  /** Canonical; equal for equal addresses. */
  readonly addressText: string;
  /** Takes new flows. */
  readonly inRing: boolean;
  /** Its flows stay with it. What is in the ring keeps its flows. */
  readonly keepsFlows: boolean;
  readonly weight: number;
}

/** In the configuration's order. */
export function desiredVips(config: Config): DesiredVip[] {
  return config.vips.map((vip) => {
    const key = vipKey(vip);
    const keyText = formatVipKey(key);
    return {
      vip,
      key,
      keyText,
      label: vip.name === undefined ? keyText : `${vip.name} (${keyText})`,
      flags: vipFlags(vip.flags),
      algorithm: vip.maglev,
      members: vip.backends.map(memberOf),
    };
  });
}

function memberOf(backend: Backend): Member {
  const isUp = backend.state === "active" || (backend.state === "down" && backend.katranDown);
  return {
    address: backend.address,
    addressText: formatIpAddress(backend.address),
    inRing: isUp && backend.weight > 0,
    keepsFlows: isUp || backend.state === "draining",
    weight: backend.weight,
  };
}
