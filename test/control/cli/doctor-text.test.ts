import { expect, test } from "vitest";
import { describeReport } from "../../../control/cli/doctor-text.ts";
import type { DoctorFinding, DoctorReport } from "../../../control/model/doctor-report.ts";

const PLAIN = { width: 60, hasUnicode: false, paint: (_style: string, text: string) => text };

const finding = (change: Partial<DoctorFinding>): DoctorFinding => {
  return { check: "JIT", state: "ok", found: "on", remedy: null, ...change };
};

function report(findings: readonly DoctorFinding[]): DoctorReport {
  const count = (wanted: string): number => findings.filter(({ state }) => state === wanted).length;
  return {
    kernel: "6.12.1",
    role: "balancer",
    groups: [{ topic: "Kernel", interface: null, findings }],
    counts: {
      ok: count("ok"),
      warning: count("warning"),
      problem: count("problem"),
      unknown: count("unknown"),
    },
  };
}

test("findings line up, long ones are wrapped, and what to do stands below", () => {
  const lines = describeReport(
    report([
      finding({}),
      finding({
        check: "native XDP",
        state: "problem",
        found: "the driver of this interface has none, and never will",
        remedy: "use another one",
      }),
      finding({ state: "warning", found: "off", remedy: "sysctl -w net.core.bpf_jit_enable=1" }),
    ]),
    { isRoot: true },
    PLAIN,
  );
  expect(lines).toEqual([
    "Linux 6.12.1, as a balancer",
    "",
    "Kernel",
    "  ok       JIT         on",
    "  problem  native XDP  the driver of this interface has",
    "                       none, and never will",
    "                       -> use another one",
    "  warning  JIT         off",
    "                       -> sysctl -w",
    "                          net.core.bpf_jit_enable=1",
    "",
    "1 problem, 1 warning.",
  ]);
});

test.for<{ findings: readonly DoctorFinding[]; isRoot: boolean; last: string }>([
  { findings: [finding({})], isRoot: false, last: "No problems." },
  {
    findings: [finding({ state: "unknown" }), finding({ state: "warning" }), finding({ state: "warning" })],
    isRoot: false,
    last: "No problems; 2 warnings, 1 not seen (root may see more).",
  },
  { findings: [finding({ state: "unknown" })], isRoot: true, last: "No problems; 1 not seen." },
])("the last line: $last", ({ findings, isRoot, last }) => {
  expect(describeReport(report(findings), { isRoot }, PLAIN).at(-1)).toBe(last);
});

test("states have their colours, and a terminal an arrow", () => {
  const lines = describeReport(
    report([finding({ state: "warning", remedy: "do it" })]),
    { isRoot: true },
    { width: 80, hasUnicode: true, paint: (style, text) => `<${style}>${text}</>` },
  );
  expect(lines).toContain("  <yellow>warning</>  JIT  on");
  expect(lines).toContain("                → do it");
});

test("names from outside do not command the terminal", () => {
  const lines = describeReport(
    report([finding({ found: "program \u001b[31mred" })]),
    { isRoot: true },
    PLAIN,
  );
  expect(lines.join("\n")).not.toContain("\u001b");
});
