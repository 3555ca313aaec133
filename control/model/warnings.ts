/**
 * What a config file may say and hardly anybody wants: a service that drops everything, a setting without effect. Nothing
 * here is refused, since each has its use in a test or for an hour; `lamna check` shows it.
 */
import { Layout } from "../../dataplane/xdp/generated/balancer.ts";
import { formatIpAddress } from "./address.ts";
import { type Config, takesNewFlows, type Vip } from "./config.ts";
import type { ConfigPath } from "./config-error.ts";
import { ETHERNET_HEADER_BYTES } from "./limits.ts";

export interface Warning {
  readonly path: ConfigPath;
  readonly message: string;
}

export function findWarnings(config: Config): Warning[] {
  return [...sizeWarnings(config), ...config.vips.flatMap((vip, index) => vipWarnings(vip, ["vips", index]))];
}

/** Every IPv6 link carries 1280 bytes (RFC 8200 section 5), and no IPv6 host sends less because of a packet-too-big. */
const IPV6_MTU_MIN = 1280;
const OUTER_HEADER_BYTES = { 4: 20, 6: 40 } as const;

function sizeWarnings({ settings, vips }: Config): Warning[] {
  const warnings: Warning[] = [];
  const ipv6Vips = vips.filter(({ address }) => address.family === 6);
  if (ipv6Vips.length === 0) return warnings;

  const hasIpv6Backend = ipv6Vips.some(({ backends }) =>
    backends.some(({ address }) => address.family === 6),
  );
  const mtuNeeded = IPV6_MTU_MIN + OUTER_HEADER_BYTES[hasIpv6Backend ? 6 : 4];
  if (settings.mtu !== undefined && settings.mtu !== 0 && settings.mtu < mtuNeeded) {
    const message = `${settings.mtu} is too little for IPv6 clients, whose packets are as long as 1280 bytes whatever they are told; at least ${mtuNeeded} lets those through`;
    warnings.push({ path: ["settings", "mtu"], message });
  }
  if (settings.maxFrameBytes < IPV6_MTU_MIN + ETHERNET_HEADER_BYTES) {
    const message = `${settings.maxFrameBytes} is too little for IPv6 clients, whose packets are as long as 1280 bytes whatever they are told; at least ${IPV6_MTU_MIN + ETHERNET_HEADER_BYTES} lets those through`;
    warnings.push({ path: ["settings", "maxFrameBytes"], message });
  }
  return warnings;
}

function vipWarnings(vip: Vip, path: ConfigPath): Warning[] {
  const warnings: Warning[] = [];
  const { backends, flags, port } = vip;
  const taking = backends.filter(takesNewFlows);

  if (backends.length === 0) {
    warnings.push({ path, message: "no backends: every packet to this VIP is dropped" });
  } else if (taking.length === 0) {
    const message =
      "no backend takes new flows, as all are draining, down or of weight 0: every new flow is dropped";
    warnings.push({ path: [...path, "backends"], message });
  }

  const weights = taking.map(({ weight }) => weight);
  const [least, most] = [Math.min(...weights), Math.max(...weights)];
  if (vip.maglev === "v1" && least < most) {
    warnings.push({ path, message: "maglev v1 keeps unequal weights badly; v2 keeps them" });
  }
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, backend] of backends.entries()) {
    if (!takesNewFlows(backend) || backend.weight * Layout.RING_SLOTS >= total) continue;
    const message = `${backend.weight} of ${total} is less than one slot of the ring's ${Layout.RING_SLOTS}: ${formatIpAddress(backend.address)} may get no new flows`;
    warnings.push({ path: [...path, "backends", index, "weight"], message });
  }

  if (port !== 0 && flags.includes("hash-destination-port") && taking.length > 1) {
    const message = `hash-destination-port with the one port ${port}: all flows go to the same backend`;
    warnings.push({ path: [...path, "flags"], message });
  }
  if (port !== 0 && flags.includes("hash-both-ports")) {
    const message =
      "hash-both-ports has no effect: with a port of its own, a VIP hashes on both ports anyway";
    warnings.push({ path: [...path, "flags"], message });
  }
  if (flags.includes("bypass-flow-table")) {
    for (const [index, { state }] of backends.entries()) {
      if (state !== "draining") continue;
      const message =
        "draining keeps no flows of a VIP with bypass-flow-table: they move to other backends at once";
      warnings.push({ path: [...path, "backends", index, "state"], message });
    }
  }
  return warnings;
}
