/**
 * Real connections through `lamna attach`. Backends take packets out of their encapsulation with the kernel's own tunnel devices, which know
 * nothing of us: what we put around packets is what others understand by it. Then the same with our own programs.
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { ENCAPSULATIONS, type Encapsulation, edgeConfig } from "../../e2e/harness/edge-config.ts";
import {
  CLIENT,
  type EdgeBackend,
  EdgeNetwork,
  HTTP_PORTS,
  SECOND_VIP4,
  SECOND_VIP6,
  VIP4,
  VIP6,
} from "../../e2e/harness/edge-network.ts";
import { Lamna } from "../../e2e/harness/lamna.ts";
import type { Check } from "./check.ts";

const CONNECTIONS = 4;
const VIPS = [VIP4, VIP6, SECOND_VIP4, SECOND_VIP6];

/** The kernel's tunnel devices that are there as soon as their module is, and take packets from anybody. */
const TUNNELS = {
  ipv4: { ipv4: "tunl0", ipv6: "sit0" },
  ipv6: { ipv4: "ip6tnl0", ipv6: "ip6tnl0" },
} as const;

export function connectionChecks(): Check[] {
  return [
    ...ENCAPSULATIONS.map((encapsulation) => ({
      name: `TCP in ${encapsulation.encapsulation}, to backends with the kernel's own tunnel device ${deviceFor(encapsulation)}`,
      run: () => withTunnels(encapsulation),
    })),
    ...(["xdp", "tc"] as const).map((hook) => ({
      name: `TCP in every encapsulation, to backends with lamna backend attach --hook ${hook}`,
      run: () => withDecapsulation(hook),
    })),
  ];
}

async function withTunnels(encapsulation: Encapsulation): Promise<void> {
  await withNetwork(async (network) => {
    const device = deviceFor(encapsulation);
    for (const { namespace } of network.backends) {
      // By default it takes IPv6 in IPv6 only.
      if (device === "ip6tnl0") {
        namespace.run("ip", ["-6", "tunnel", "change", device, "mode", "any"]);
      }
      namespace.ip(`link set ${device} up`);
      namespace.sysctl({ [`net/ipv4/conf/${device}/rp_filter`]: 0 });
    }
    await transferAll(network, [encapsulation]);
    for (const { name, namespace } of network.backends) {
      ok(namespace.statistics(device).rxBytes > 0, `${name} has received nothing by ${device}`);
    }
  });
}

async function withDecapsulation(hook: "xdp" | "tc"): Promise<void> {
  await withNetwork(async (network) => {
    for (const { namespace } of network.backends)
      new Lamna(namespace, network.undo).attachBackend(VIPS, hook);
    await transferAll(network, ENCAPSULATIONS);
  });
}

async function withNetwork(use: (network: EdgeNetwork) => Promise<void>): Promise<void> {
  const network = await EdgeNetwork.create({ backends: 2 });
  try {
    await use(network);
  } finally {
    network.close();
  }
}

/** Attaches the balancer; each backend serves connections in each encapsulation, and what is sent comes whole. */
async function transferAll(network: EdgeNetwork, encapsulations: readonly Encapsulation[]): Promise<void> {
  const lamna = new Lamna(network.balancer, network.undo);
  lamna.attach(edgeConfig(network.backends));
  for (const { vip, variant } of encapsulations) {
    const served = new Set<string>();
    for (let attempt = 0; attempt < 4 && served.size < network.backends.length; attempt++) {
      const reports = await network.client.transfer({
        host: vip,
        port: HTTP_PORTS[variant],
        count: CONNECTIONS,
        uploadBytes: 100_000,
        downloadBytes: 100_000,
        seed: 1 + attempt,
      });
      for (const { backend, ...report } of reports) {
        deepEqual(report, {
          remoteAddress: vip.includes(":") ? CLIENT.ipv6 : CLIENT.ipv4,
          localAddress: vip,
          isUploadWhole: true,
          isDownloadWhole: true,
          error: null,
        });
        served.add(backend);
      }
    }
    deepEqual(
      [...served].sort(),
      network.backends.map(({ name }: EdgeBackend) => name),
    );
  }
  const { program, reasons } = lamna.status();
  equal(program?.isShippedObject, true);
  ok(reasons.flow_new >= CONNECTIONS * encapsulations.length, `flow_new ${reasons.flow_new}`);
  lamna.detach();
}

function deviceFor({ vip, carrier }: Encapsulation): string {
  return TUNNELS[carrier][vip.includes(":") ? "ipv6" : "ipv4"];
}
