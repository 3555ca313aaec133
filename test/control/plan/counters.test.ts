import { expect, test } from "vitest";
import { REASON_NAMES } from "../../../control/model/reasons.ts";
import { readCounters } from "../../../control/plan/counters.ts";
import { Reason, reasonBlock, traffic } from "../../../dataplane/xdp/generated/balancer.ts";
import { change, configOf, openControlled } from "./harness.ts";

test("counters are summed over CPUs and named", async () => {
  const config = configOf(
    "capacity: {vips: 3, backends: 9, flowsPerCpu: 64}\nvips:\n  - {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}, {address: 10.0.0.2}]}\n",
  );
  const controlled = await openControlled(config);
  const { names } = await change(controlled, config);
  const put = (map: string, index: number, packets: bigint): void => {
    const bytes = new Uint8Array(traffic.sizeBytes);
    traffic.write(bytes, { packets, bytes: packets * 100n });
    controlled.dataplane.map(map).write(index, bytes);
  };
  // Strides of 8 VIP ids and of 12 backend ids: whole lines of four counters.
  put("vip_counters", 1, 3n);
  put("vip_counters", 8 + 1, 4n);
  put("vip_counters", 2, 99n);
  put("backend_counters", 2, 5n);
  put("backend_counters", 12 + 2, 2n ** 50n);
  for (const cpu of [0, 1]) {
    const bytes = new Uint8Array(reasonBlock.sizeBytes);
    const packets = new Array<bigint>(64).fill(0n);
    packets[Reason.REASON_FLOW_NEW] = BigInt(cpu + 1);
    reasonBlock.write(bytes, { packets });
    controlled.dataplane.map("reason_counters").write(cpu, bytes);
  }

  const counters = readCounters(controlled.dataplane, names);
  expect(counters.vips).toEqual([{ vip: config.vips[0], packets: 7n, bytes: 700n }]);
  expect(counters.backends).toEqual([
    { address: "10.0.0.1", packets: 0n, bytes: 0n },
    { address: "10.0.0.2", packets: 5n + 2n ** 50n, bytes: 500n + 100n * 2n ** 50n },
  ]);
  expect(Object.keys(counters.reasons)).toEqual([...REASON_NAMES]);
  expect(counters.reasons.flow_new).toBe(3n);
  expect(counters.reasons.flow_hit).toBe(0n);
});

test("an id that goes to another VIP or backend begins counting at zero", async () => {
  const text = (port: number, backend: number): string =>
    `capacity: {vips: 1, backends: 2, flowsPerCpu: 64}\nvips:\n  - {address: 10.200.1.1, port: ${port}, protocol: tcp, backends: [{address: 10.0.0.${backend}}]}\n`;
  const controlled = await openControlled(configOf(text(1, 1)));
  const seen = new Set<string>();
  const ones = new Uint8Array(traffic.sizeBytes).fill(1);
  // Five VIP ids and two backend ids: the later rounds use them again.
  for (let round = 1; round <= 12; round++) {
    const config = configOf(text(round, round));
    const { names } = await change(controlled, config);
    const counters = readCounters(controlled.dataplane, names);
    expect(counters.vips[0]?.packets, `round ${round}`).toBe(0n);
    expect(counters.backends[0]?.packets, `round ${round}`).toBe(0n);
    const stride = (map: string): number => controlled.dataplane.map(map).maxEntries / 2;
    controlled.dataplane.map("vip_counters").write(stride("vip_counters") + names.vips[0]!.id, ones);
    controlled.dataplane
      .map("backend_counters")
      .write(stride("backend_counters") + names.backends[0]!.id, ones);
    seen.add(`vip ${names.vips[0]!.id}`).add(`backend ${names.backends[0]!.id}`);
  }
  expect(seen.size).toBe(5 + 2);
});
