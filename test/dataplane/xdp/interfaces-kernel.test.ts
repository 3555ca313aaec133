/** The gateway by interface in the kernel that runs the tests, whose only interface for a single frame is the loopback device. */
import { expect, test } from "vitest";
import { parseConfig } from "../../../control/model/config-file.ts";
import { formatMac } from "../../../control/model/mac.ts";
import { readActual } from "../../../control/plan/actual.ts";
import { applyPlan } from "../../../control/plan/apply.ts";
import type { InterfaceEntry } from "../../../control/plan/interface-table.ts";
import { loadRequest } from "../../../control/plan/load-request.ts";
import { planChange } from "../../../control/plan/plan.ts";
import { openKernel } from "../../../dataplane/kernel/kernel-dataplane.ts";
import { possibleCpuCount } from "../../../dataplane/kernel/raw-map.ts";
import { testRun } from "../../../dataplane/kernel/test-run.ts";
import { balancerObject } from "../../model/program.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { ethernet, ipv4, pattern, tcp } from "../../packets/frame.ts";
import { TCP_SYN } from "../../packets/tcp.ts";

const LOOPBACK = 1;
const XDP_DROP = 1;
const XDP_TX = 3;
const CONFIG = parseConfig(
  `{version: 1, settings: {}, capacity: {vips: 1, backends: 1, flowsPerCpu: 64}, vips: [
    {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}]}]}`,
  { file: "config.yaml" },
);
const segment = (dataBytes: number): Uint8Array =>
  ethernet(
    {},
    ipv4(
      { source: "192.0.2.1", destination: "10.200.1.1" },
      tcp({ sourcePort: 7, targetPort: 80, flags: TCP_SYN }, pattern(dataBytes)),
    ),
  );
const entry = (ifindex: number, last: number, mtu = 1500): InterfaceEntry => ({
  ifindex,
  gatewayMac: Uint8Array.of(2, 0, 0, 0, 0, last),
  mtu,
});

test.skipIf(lacks("gateways by interface in the kernel", root, libbpf))(
  "the kernel sends what came in by an interface to its gateway, and drops what has none",
  async () => {
    const loaded = loadRequest(CONFIG, balancerObject(), {
      cpuCount: possibleCpuCount(),
      ticksPerSecond: 1000,
      externalClock: true,
      flowSeed: 1n,
    });
    const kernel = await openKernel(loaded);
    try {
      const apply = async (interfaces: readonly InterfaceEntry[]): Promise<void> =>
        applyPlan(planChange({ config: CONFIG, actual: readActual(kernel), loaded, interfaces }), kernel);
      const outcome = (dataBytes = 0): string => {
        const { verdict, frame } = testRun(kernel.program, { frame: segment(dataBytes) });
        return `${verdict} ${formatMac(frame.subarray(0, 6))}`;
      };
      const untouched = formatMac(segment(0).subarray(0, 6));

      await apply([entry(77, 7)]);
      expect(outcome()).toBe(`${XDP_DROP} ${untouched}`);
      await apply([entry(77, 7), entry(LOOPBACK, 1, 600)]);
      expect(outcome()).toBe(`${XDP_TX} 02:00:00:00:00:01`);
      await apply([entry(77, 7), entry(LOOPBACK, 2, 600)]);
      expect(outcome(540)).toBe(`${XDP_TX} 02:00:00:00:00:02`);
      // Answered, not forwarded: back to who sent it.
      expect(outcome(541)).toBe(`${XDP_TX} ${formatMac(segment(0).subarray(6, 12))}`);
      await apply([entry(LOOPBACK, 2, 0)]);
      expect(outcome(541)).toBe(`${XDP_TX} 02:00:00:00:00:02`);
      await apply([]);
      expect(outcome()).toBe(`${XDP_DROP} ${untouched}`);
    } finally {
      await kernel.close();
    }
  },
);
