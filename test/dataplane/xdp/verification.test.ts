/**
 * How many instructions the kernel's verifier walks before it takes the program: what loading costs, and unlike time the same on each run of
 * one kernel. All kernels give up at a million. The limits are a little above what Linux 6.18 walks. Who exceeds one has made
 * ways differ that met before: docs/rationale.md says how to see where, and in what.
 */
import { expect, test } from "vitest";
import { parseConfig } from "../../../control/model/config-file.ts";
import { loadRequest } from "../../../control/plan/load-request.ts";
import { openKernel } from "../../../dataplane/kernel/kernel-dataplane.ts";
import { readInfo } from "../../../dataplane/kernel/program-info.ts";
import { possibleCpuCount } from "../../../dataplane/kernel/raw-map.ts";
import { balancerObject } from "../../model/program.ts";
import { lacks, libbpf, linuxSince, root } from "../../needs.ts";

/** `verified_insns` of struct bpf_prog_info (include/uapi/linux/bpf.h), since Linux 5.16. */
const VERIFIED_INSNS = 216;

const VIP = "backends: [{address: 10.0.0.1}]";
const SMALL = "capacity: {vips: 1, backends: 1, flowsPerCpu: 64}";

test.skipIf(lacks("the cost of verification", root, libbpf, linuxSince(5, 16))).for([
  {
    name: "default features",
    config: `{version: 1, settings: {}, ${SMALL}, vips: [{address: 10.200.1.1, port: 80, protocol: tcp, ${VIP}}]}`,
    limit: 95_000,
  },
  {
    name: "all features",
    config: `{version: 1, ${SMALL},
      settings: {scope: all, fragments: balance, ipOptions: balance, tooBig: icmp, echoReply: any},
      vips: [{address: 10.200.1.1, port: 0, protocol: tcp, ${VIP}}]}`,
    limit: 95_000,
  },
])("with $name the verifier walks at most $limit instructions", async ({ config, limit }) => {
  const request = loadRequest(parseConfig(config, { file: "config.yaml" }), balancerObject(), {
    cpuCount: possibleCpuCount(),
    ticksPerSecond: 250,
    externalClock: false,
    flowSeed: 1n,
  });
  const kernel = await openKernel(request);
  try {
    const walked = readInfo(kernel.program, VERIFIED_INSNS + 4).u32(VERIFIED_INSNS);
    expect(walked).toBeGreaterThan(0);
    expect(walked).toBeLessThanOrEqual(limit);
  } finally {
    await kernel.close();
  }
});
