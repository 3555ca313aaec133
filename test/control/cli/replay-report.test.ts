/** The report and its text, from counts made up here; replay.test.ts has those of real runs. */
import { describe, expect, test } from "vitest";
import { describeFaults } from "../../../control/cli/replay-faults.ts";
import { buildReport, type ReplayCounts } from "../../../control/cli/replay-report.ts";
import { describeRun, type RunFacts } from "../../../control/cli/replay-summary.ts";
import { describeVerdict, verdictName } from "../../../control/cli/replay-verdict.ts";
import type { Config } from "../../../control/model/config.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { REASON_NAMES, type ReasonName } from "../../../control/model/reasons.ts";
import { replayReportSchema } from "../../../control/model/replay-report.ts";
import type { Counters } from "../../../control/plan/counters.ts";
import { VmFault } from "../../../dataplane/vm/engine.ts";

const CONFIG = parseConfig(
  `
version: 1
settings: {gatewayMac: "00:00:de:ad:be:af"}
vips:
  - name: web
    address: 10.200.1.1
    port: 80
    protocol: tcp
    backends:
      - {address: 10.0.0.1, weight: 3}
      - {address: 10.0.0.2, weight: 1}
      - {address: 10.0.0.3, weight: 5, state: draining}
      - {address: 10.0.0.4, weight: 5, state: down}
      - {address: 10.0.0.5, weight: 4, state: down, katranDown: true}
      - {address: 10.0.0.6, weight: 0}
  - address: "fc00:1::1"
    port: 0
    protocol: udp
    backends: [{address: 10.0.0.1}]
`,
  { file: "config.yaml" },
);

/** Traffic of each VIP by its backends; 100 bytes a packet. */
function counts(
  packets: readonly (readonly number[])[],
  reasons: { [reason in ReasonName]?: number },
): ReplayCounts {
  const traffic = packets.map((row) => row.map((count) => ({ packets: count, bytes: count * 100 })));
  const total = (row: readonly number[]): { packets: bigint; bytes: bigint } => {
    const sum = row.reduce((a, b) => a + b, 0);
    return { packets: BigInt(sum), bytes: BigInt(sum * 100) };
  };
  const addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.5", "10.0.0.6"]; // one that is down has no id
  const counters: Counters = {
    reasons: Object.fromEntries(
      REASON_NAMES.map((name) => [name, BigInt(reasons[name] ?? 0)]),
    ) as Counters["reasons"],
    vips: CONFIG.vips.map((vip, v) => ({ vip, ...total(packets[v]!) })),
    backends: addresses.map((address) => ({
      address,
      ...total(address === "10.0.0.1" ? [packets[0]![0]!, packets[1]![0]!] : []),
    })),
  };
  return { verdicts: { pass: 100, drop: 0, tx: 1900, redirect: 0, aborted: 0 }, counters, traffic };
}

const COUNTS = counts([[800, 400, 100, 0, 500, 0], [0]], {
  not_ip: 100,
  flow_hit: 1000,
  flow_new: 700,
  flow_table_full: 200,
});
const RUN = {
  engine: "interpreter",
  packets: 2000,
  notComparable: { tooShort: 0, tooLong: 0 },
  simulationNs: 25_000_000,
} as const;

describe("the report", () => {
  const report = buildReport(CONFIG, COUNTS, RUN);

  test("is what the schema says", () => {
    expect(replayReportSchema.parse(report)).toEqual(report);
  });

  test("expects shares by weight of the backends that take new flows", () => {
    expect(report.vips[0]!.backends.map(({ expectedShare }) => expectedShare)).toEqual([
      3 / 8,
      1 / 8,
      0,
      0,
      4 / 8,
      0,
    ]);
  });

  test("has each backend's share of its VIP, and none where the VIP had no packets", () => {
    expect(report.vips[0]!.backends.map(({ share }) => share)).toEqual(
      [800, 400, 100, 0, 500, 0].map((n) => n / 1800),
    );
    expect(report.vips[1]!.backends.map(({ share }) => share)).toEqual([null]);
  });

  test("has every backend address once, also of those that are down", () => {
    expect(report.backends.map(({ address }) => address)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `10.0.0.${n}`),
    );
    expect(report.backends[0]).toEqual({ address: "10.0.0.1", packets: 800, bytes: 80_000 });
  });

  test("measures from a thousand packets on", () => {
    expect(report.nsPerPacket).toBe(12_500);
    expect(buildReport(CONFIG, COUNTS, { ...RUN, packets: 999 }).nsPerPacket).toBeNull();
    expect(buildReport(CONFIG, COUNTS, { ...RUN, packets: 0 }).nsPerPacket).toBeNull();
  });

  test("expects nothing where no backend takes new flows", () => {
    const [vip] = CONFIG.vips;
    const draining = vip!.backends.map((backend) => ({ ...backend, state: "draining" as const }));
    const config: Config = { ...CONFIG, vips: [{ ...vip!, backends: draining }] };
    expect(
      buildReport(config, COUNTS, RUN).vips[0]!.backends.map(({ expectedShare }) => expectedShare),
    ).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe("its text", () => {
  const facts: RunFacts = {
    configName: "config.yaml",
    captureName: "in.pcapng",
    captureFormat: "pcapng",
    interfaces: 2,
    queues: 4,
    packets: 2000,
    bytes: 200_000,
    cutPackets: 3,
    spanNs: 20_500_000_000n,
    placeholderMac: undefined,
    outName: "out.pcapng",
  };
  const report = buildReport(CONFIG, COUNTS, RUN);
  const paint = (_style: string, text: string): string => text;

  test("says of a VIP that none of its backends takes new flows", () => {
    const drained = report.vips.map((vip) => ({
      ...vip,
      backends: vip.backends.map((backend) => ({ ...backend, expectedShare: 0 })),
    }));
    const style = { width: 100, hasUnicode: false, paint: (_: string, text: string) => text };
    expect(describeRun(facts, report, style).join("\n")).not.toContain("takes no new flows");
    expect(describeRun(facts, { ...report, vips: drained }, style).join("\n")).toContain(
      "takes no new flows",
    );
  });

  test("lines up, in plain ASCII where there is no terminal", () => {
    expect(describeRun(facts, report, { width: 100, hasUnicode: false, paint }).join("\n")).toBe(`\
in.pcapng (pcapng, 2 interfaces) with config.yaml
  2,000 packets, 195 KiB, 20.50 s of capture time, 3 cut by the snap length
  interpreter: 80,000 packets/s, 12,500 ns a packet, copying included, 4 queues
  written to out.pcapng

Verdicts, and the reasons for them
  pass                 100   5.0 %  #
    not_ip             100   5.0 %  neither IPv4 nor IPv6, or more than two VLAN tags
  drop                   0   0.0 %
  tx                 1,900  95.0 %  ###############
    flow_hit         1,000  50.0 %  to the backend that the flow table remembers
    flow_new           700  35.0 %  to a backend from the ring, and remembered
    flow_table_full    200  10.0 %  from the ring, not remembered: live flows hold every place
  redirect               0   0.0 %
  aborted                0   0.0 %

Flow table, asked for 1,900 packets
  hits    1,000  52.6 %
  misses    900  47.4 %  700 remembered, 200 found no place

VIPs and their backends, by packets: a few large flows weigh much
                         packets     bytes   share           weight  expected  off by
  web tcp 10.200.1.1:80    1,800   176 KiB
    10.0.0.1                 800  78.1 KiB  44.4 %  #######       3    37.5 %    +6.9
    10.0.0.2                 400  39.1 KiB  22.2 %  ####          1    12.5 %    +9.7
    10.0.0.3 draining        100  9.77 KiB   5.6 %  #             5     0.0 %    +5.6
    10.0.0.4 down              0   0 bytes   0.0 %                5     0.0 %     0.0
    10.0.0.5 down            500  48.8 KiB  27.8 %  ####          4    50.0 %   -22.2
    10.0.0.6                   0   0 bytes   0.0 %                0     0.0 %     0.0
  udp [fc00:1::1]:*            0   0 bytes
    10.0.0.1                   0   0 bytes                        1   100.0 %

Backends over all VIPs
  10.0.0.1  800  78.1 KiB  100.0 %  ################
  10.0.0.2    0   0 bytes    0.0 %
  10.0.0.3    0   0 bytes    0.0 %
  10.0.0.4    0   0 bytes    0.0 %
  10.0.0.5    0   0 bytes    0.0 %
  10.0.0.6    0   0 bytes    0.0 %`);
  });

  test("has bars of blocks on a terminal", () => {
    const lines = describeRun(facts, report, { width: 100, hasUnicode: true, paint });
    expect(lines).toContain("  tx                 1,900  95.0 %  ███████████████▎");
  });

  test.for([60, 80, 100, 200])("keeps to a width of %i where words can be cut", (width) => {
    const lines = describeRun(facts, report, { width, hasUnicode: true, paint });
    const reasons = lines.filter((line) => REASON_NAMES.some((name) => line.startsWith(`    ${name} `)));
    expect(reasons).toHaveLength(4);
    for (const line of reasons) expect(line.length).toBeLessThanOrEqual(width);
  });

  test.for([
    { name: "one moment", spanNs: 0n, line: "  1 packet, 60 bytes" },
    { name: "a microsecond", spanNs: 1000n, line: "  1 packet, 60 bytes, 1.00 us of capture time" },
  ])("says how long a capture of $name took", ({ spanNs, line }) => {
    const one: RunFacts = { ...facts, packets: 1, bytes: 60, cutPackets: 0, spanNs };
    expect(describeRun(one, report, { width: 100, hasUnicode: false, paint })[1]).toBe(line);
  });

  test("says what there is of an empty run", () => {
    const empty = buildReport(
      { ...CONFIG, vips: [] },
      {
        ...counts([[0, 0, 0, 0, 0, 0], [0]], {}),
        verdicts: { pass: 0, drop: 0, tx: 0, redirect: 0, aborted: 0 },
      },
      { ...RUN, packets: 0 },
    );
    const none: RunFacts = {
      ...facts,
      interfaces: 1,
      queues: 1,
      packets: 0,
      bytes: 0,
      cutPackets: 0,
      spanNs: undefined,
      placeholderMac: undefined,
      outName: undefined,
    };
    expect(describeRun(none, empty, { width: 100, hasUnicode: false, paint }).slice(0, 3)).toEqual([
      "in.pcapng (pcapng) with config.yaml",
      "  0 packets, 0 bytes",
      "  interpreter: too few packets to measure its speed, 1 queue",
    ]);
  });
});

test("a fault is told with packet, source line and how many there were", () => {
  const fault = new VmFault({
    code: "out-of-bounds",
    slot: 17,
    instruction: "r0 = *(u8 *)(r1 + 0)",
    source: "balancer.bpf.c:12: x = *p;",
    why: "address 0x10 is in no region",
  });
  const nic = {
    counters: () => ({ xdp_faults: 30 }),
    faults: [{ frameIndex: 4, queue: 1, timestampNs: 0n, fault }],
  };
  expect(describeFaults(nic, { width: 80, hasUnicode: false, paint: (_style, text) => text })).toEqual([
    "",
    "The program was stopped on 30 packets, the first 1 shown",
    "  packet 4 (frame 5 in Wireshark), queue 1: out-of-bounds: slot 17: r0 = *(u8 *)(r1 + 0) (balancer.bpf.c:12: x = *p;): address 0x10 is in no region",
  ]);
});

test.for([
  [0, "aborted", "aborted (0)"],
  [1, "drop", "drop (1)"],
  [2, "pass", "pass (2)"],
  [3, "tx", "tx (3)"],
  [4, "redirect", "redirect (4)"],
  [5, "aborted", "no such verdict (5)"],
  [0xffffffff, "aborted", "no such verdict (4294967295)"],
] as const)("return code %i is %s", ([code, name, text]) => {
  expect(verdictName(code)).toBe(name);
  expect(describeVerdict(code)).toBe(text);
});
