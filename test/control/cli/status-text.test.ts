/** The report of `lamna status` as people read it, in cases that no veth gives. */
import { expect, test } from "vitest";
import { NOTHING, ratesBetween } from "../../../control/cli/status-report.ts";
import { describeStatus } from "../../../control/cli/status-text.ts";
import { REASON_NAMES, type ReasonName } from "../../../control/model/reasons.ts";
import { type StatusReport, statusReportSchema } from "../../../control/model/status-report.ts";

const STYLE = { width: 100, hasUnicode: false, paint: (_style: string, text: string) => text };
const LOADED_AT = "2026-01-02T03:04:05.000Z";
const NOW_MS = Date.parse(LOADED_AT) + 3_725_000;

function report(change: Partial<StatusReport> = {}): StatusReport {
  return {
    pinDirectory: "/sys/fs/bpf/lamna",
    program: {
      id: 7,
      name: "balance",
      tag: "0123456789abcdef",
      objectDigest: "f".repeat(64),
      isShippedObject: true,
      loadedAt: LOADED_AT,
    },
    interfaces: [],
    warnings: [],
    ...NOTHING.figures,
    rates: null,
    ...change,
  };
}

const reasons = (counts: Partial<Record<ReasonName, number>>): StatusReport["reasons"] => ({
  ...NOTHING.figures.reasons,
  ...counts,
});

test("nothing attached is one line", () => {
  expect(describeStatus(report({ program: null }), NOW_MS, STYLE)).toEqual([
    "nothing is attached (/sys/fs/bpf/lamna)",
  ]);
});

test("since when, and whether it is another version's", () => {
  const lines = describeStatus(report(), NOW_MS, STYLE);
  expect(lines[0]).toBe(
    '/sys/fs/bpf/lamna: program 7 "balance", tag 0123456789abcdef, object ffffffffffffffff',
  );
  expect(lines[1]).toBe(`  loaded ${LOADED_AT}, 1 h 2 min 05 s ago`);
  const program = { ...report().program!, isShippedObject: false };
  expect(describeStatus(report({ program }), NOW_MS, STYLE)[0]).toMatch(/, not this version's$/);
});

test("CPUs are listed where more than one has had packets", () => {
  const counted = {
    packets: 12,
    reasons: reasons({ flow_hit: 12 }),
    verdicts: { ...NOTHING.figures.verdicts, tx: 12 },
  };
  const both = describeStatus(report({ ...counted, packetsByCpu: [5, 7, 0] }), NOW_MS, STYLE).join("\n");
  expect(both).toContain("Packets: 12, on 2 of 3 CPUs\n  by CPU: 0: 5, 1: 7, 2: 0\n");
  const one = describeStatus(report({ ...counted, packetsByCpu: [12, 0] }), NOW_MS, STYLE).join("\n");
  expect(one).toContain("Packets: 12, on 1 of 2 CPUs\n  pass ");
});

test("an interface that is gone, one that is not seen, and a name that would command the terminal", () => {
  const base = {
    state: "attached",
    ifindex: 3,
    mode: "native",
    programId: 7,
    gatewayMac: null,
    mtu: 1500,
    isUp: true,
  } as const;
  const lines = describeStatus(
    report({
      interfaces: [
        { ...base, name: "e0", isUp: false },
        { ...base, name: "e1", mtu: null, isUp: null, mode: null },
        {
          ...base,
          name: "e\u001b[2J",
          state: "detached",
          ifindex: null,
          mode: null,
          programId: null,
          mtu: null,
          isUp: null,
        },
      ],
      warnings: [{ code: "interface-down", interface: "e0", message: "no packets" }],
    }),
    NOW_MS,
    STYLE,
  );
  expect(lines).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^ {2}e0 .* native +down +3 +7 +1500 {2}unknown$/),
      expect.stringMatching(/^ {2}e1 .* not seen +3 +7 +unknown$/),
      expect.stringMatching(/^ {2}e\\u001b\[2J +detached$/),
      "warning: e0: no packets",
    ]),
  );
});

test("rates are differences over the time between, never less than nothing", () => {
  const before = { ...NOTHING.figures, packets: 100, reasons: reasons({ flow_hit: 90, not_ip: 10 }) };
  const after = { ...NOTHING.figures, packets: 400, reasons: reasons({ flow_hit: 390, not_ip: 4 }) };
  const rates = ratesBetween(before, after, 2);
  expect(rates).toMatchObject({ seconds: 2, packets: 150, reasons: { flow_hit: 150, not_ip: 0 } });
  expect(Object.keys(rates.reasons)).toEqual([...REASON_NAMES]);
  const text = describeStatus(report({ ...after, packetsByCpu: [400], rates }), NOW_MS, STYLE).join("\n");
  expect(text).toMatch(/Packets: 400, 150 a second/);
  expect(text).toMatch(/flow_hit +390 +150 /);
});

test("a VIP without backends, and one that is out of the ring", () => {
  const vip = { name: null, address: "fc00::1", port: 0, protocol: "udp", packets: 0, bytes: 0 } as const;
  const vips = [
    { ...vip, backends: [] },
    { ...vip, name: "web", port: 80, backends: [{ address: "10.0.0.1", ringShare: 0 }] },
  ];
  const text = describeStatus(report({ vips }), NOW_MS, STYLE).join("\n");
  expect(text).toMatch(
    /udp \[fc00::1\]:\* .*\n +no backends\n +web udp \[fc00::1\]:80 .*\n +10\.0\.0\.1 +out of it/,
  );
});

test("a report with more bytes than 2^53 is a report", () => {
  const backends = [{ address: "10.0.0.1", packets: 2 ** 44, bytes: 2 ** 54 }];
  expect(statusReportSchema.parse(report({ backends })).backends).toEqual(backends);
  for (const bytes of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const odd = report({ backends: [{ address: "10.0.0.1", packets: 1, bytes }] });
    expect(statusReportSchema.safeParse(odd).success).toBe(false);
  }
});
