/** Random configurations over few addresses and ports, so that random packets meet them. All of them are valid. */
import { stringify } from "yaml";
import type { Random } from "../packets/random.ts";

/** Few enough that random packets often hit one another's flows, VIPs and fragments. */
export const VIP_ADDRESSES_V4 = ["10.200.1.1", "10.200.1.2", "10.200.2.1"] as const;
export const VIP_ADDRESSES_V6 = ["fc00:1::1", "fc00:1::2", "fc00:1:0:0:1::1"] as const;
export const VIP_PORTS = [80, 443, 53, 0x5000] as const;

/** What fixtures use, so that their packets find VIPs too. */
const USUAL_PORTS = { tcp: 80, udp: 53 } as const;

const BACKENDS = [
  "10.0.0.1",
  "10.0.0.2",
  "10.0.0.3",
  "10.255.255.254",
  "172.31.0.9",
  "fc00::1",
  "fc00::2",
  "fc00::3",
  "2001:db8:b::ffff",
] as const;

const FLAGS = [
  "hash-no-source-port",
  "bypass-flow-table",
  "hash-destination-port",
  "hash-both-ports",
] as const;

/** The text of a config file. Configs of the same `flowsPerCpu` have the same capacity, so that one dataplane can take them in turn. */
export function randomConfig(random: Random, flowsPerCpu: number): string {
  const vips = [...VIP_ADDRESSES_V4, ...VIP_ADDRESSES_V6].flatMap((address) =>
    (["tcp", "udp"] as const).flatMap((protocol) =>
      [0, ...VIP_PORTS]
        .filter((port) => random.chance(port === 0 ? 0.1 : USUAL_PORTS[protocol] === port ? 0.6 : 0.15))
        .map((port) => randomVip(random, { address, port, protocol })),
    ),
  );
  return stringify(
    {
      version: 1,
      capacity: { vips: 40, backends: 16, flowsPerCpu },
      settings: randomSettings(random, flowsPerCpu),
      vips: vips.slice(0, 40),
    },
    { aliasDuplicateObjects: false },
  );
}

function randomSettings(random: Random, flowsPerCpu: number): Record<string, unknown> {
  return {
    ...(random.chance(0.05) ? {} : { gatewayMac: random.pick(["00:00:de:ad:be:af", "02:ff:ff:ff:ff:ff"]) }),
    scope: random.pick(["vip", "vip", "all"]),
    maxFrameBytes: random.pick([1514, 1514, 600, 1000, 9014]),
    mtu: random.pick([1500, undefined, 0, 576, 1400, 9000]),
    tooBig: random.pick(["icmp", "icmp", "drop"]),
    fragments: random.pick(["balance", "balance", "drop"]),
    ipOptions: random.pick(["balance", "drop"]),
    echoReply: random.pick(["vip", "any", "off"]),
    hashSeed: random.pick([33554944, 33554944, 0, 0xffffffff, 12345]),
    maglev: random.pick(["v1", "v2"]),
    udpIdleSeconds: random.pick([1, 30]),
    // In a table that loses flows the program counts some twice that the model counts once: there the limit is out of reach.
    newFlowsPerSecondPerCpu: random.pick([125000, 0, flowsPerCpu < 1000 ? 125000 : 5]),
  };
}

function randomVip(
  random: Random,
  key: { address: string; port: number; protocol: string },
): Record<string, unknown> {
  const backends = BACKENDS.filter(() => random.chance(0.4)).map((address) => {
    const state = random.pick(["active", "active", "active", "draining", "down"]);
    const isKatranDown = state === "down" && random.chance(0.3);
    return {
      address,
      weight: random.pick([0, 1, 1, 2, 50]),
      state,
      ...(isKatranDown && { katranDown: true }),
    };
  });
  return { ...key, flags: FLAGS.filter(() => random.chance(0.15)), backends };
}
