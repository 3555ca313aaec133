import { expect, test } from "vitest";
import { readActual } from "../../../control/plan/actual.ts";
import { readFlowUse } from "../../../control/plan/flow-use.ts";
import { installedBackends, installedVips, mapUse } from "../../../control/plan/installed.ts";
import { formatVipKey } from "../../../control/plan/vip-entry.ts";
import { FlowState, flowIpv4, flowIpv6, Layout } from "../../../dataplane/xdp/generated/balancer.ts";
import { type Controlled, change, configOf, openControlled } from "./harness.ts";

const CAPACITY = "capacity: {vips: 3, backends: 9, flowsPerCpu: 64}\n";

test("VIPs are found with their backends and shares of the ring, without a configuration", async () => {
  const config = configOf(`${CAPACITY}vips:
  - {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.2, weight: 3}, {address: 10.0.0.1}]}
  - {address: "fc00::1", port: 0, protocol: udp, backends: [{address: "fd00::1"}]}
  - {address: 10.200.1.2, port: 1, protocol: tcp, backends: []}
`);
  const controlled = await openControlled(config);
  await change(controlled, config);
  const actual = readActual(controlled.dataplane);
  const found = installedVips(actual).map(({ key, backends }) => ({
    key: formatVipKey(key),
    backends: backends.map(({ address, ringShare }) => `${address} ${ringShare.toFixed(2)}`),
  }));
  expect(found).toEqual([
    { key: "tcp 10.200.1.1:80", backends: ["10.0.0.1 0.25", "10.0.0.2 0.75"] },
    { key: "udp [fc00::1]:*", backends: ["fd00::1 1.00"] },
    { key: "tcp 10.200.1.2:1", backends: [] },
  ]);
  expect(mapUse(actual)).toEqual({
    vips: { used: 3, capacity: 3 },
    rings: { used: 2, capacity: 3 },
    backends: { used: 3, capacity: 9 },
  });
});

test("a backend that is out of the ring is there while it has flows", async () => {
  const text = (state: string): string =>
    `${CAPACITY}vips: [{address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}, {address: 10.0.0.2, state: ${state}}]}]\n`;
  const controlled = await openControlled(configOf(text("active")));
  await change(controlled, configOf(text("active")));
  await change(controlled, configOf(text("draining")));
  expect(installedVips(readActual(controlled.dataplane))[0]?.backends).toMatchObject([
    { address: "10.0.0.1", ringShare: 1 },
  ]);

  const { id } = installedBackends(readActual(controlled.dataplane)).find(
    ({ address }) => address === "10.0.0.2",
  )!;
  putFlow(controlled, { table: "flows_ipv4", cpu: 1, at: 2, backend: id, state: FlowState.FLOW_ESTABLISHED });
  expect(installedVips(readActual(controlled.dataplane))[0]?.backends).toMatchObject([
    { address: "10.0.0.1", ringShare: 1 },
    { address: "10.0.0.2", ringShare: 0 },
  ]);
});

test("entries of the flow tables are counted by state, over all CPUs", async () => {
  const config = configOf(`${CAPACITY}vips: []\n`);
  const controlled = await openControlled(config);
  expect(readFlowUse(controlled.dataplane).ipv4).toMatchObject({ used: 0, capacity: 2 * 64 });
  for (const [at, state] of [
    FlowState.FLOW_NEW,
    FlowState.FLOW_ESTABLISHED,
    FlowState.FLOW_ESTABLISHED,
    FlowState.FLOW_CLOSING,
  ].entries()) {
    putFlow(controlled, { table: "flows_ipv4", cpu: at % 2, at, backend: 1, state });
  }
  putFlow(controlled, { table: "flows_ipv6", cpu: 0, at: 63, backend: 1, state: FlowState.FLOW_DATAGRAMS });
  expect(readFlowUse(controlled.dataplane)).toEqual({
    ipv4: {
      used: 4,
      capacity: 128,
      states: { new: 1, established: 2, closing: 1, datagrams: 0 },
    },
    ipv6: {
      used: 1,
      capacity: 128,
      states: { new: 0, established: 0, closing: 0, datagrams: 1 },
    },
  });
});

function putFlow(
  { dataplane }: Controlled,
  flow: {
    readonly table: "flows_ipv4" | "flows_ipv6";
    readonly cpu: number;
    /** Entry, not line. */
    readonly at: number;
    readonly backend: number;
    readonly state: FlowState;
  },
): void {
  const { table, cpu, at, backend, state } = flow;
  const seen = (7 << Layout.FLOW_STATE_BITS) | state;
  const map = dataplane.map(table).inner(cpu);
  map.withView(0, map.maxEntries, (bytes) => {
    if (table === "flows_ipv4") {
      flowIpv4.write(bytes, { source: 1, ports: 2, flowVip: 1, backend, seen }, at * flowIpv4.sizeBytes);
    } else {
      const source = new Uint8Array(16);
      flowIpv6.write(bytes, { source, ports: 2, flowVip: 1, backend, seen }, at * flowIpv6.sizeBytes);
    }
  });
}
