/**
 * Every fixture through the real thing, as `lamna replay` runs it: the committed object in the interpreter, its maps programmed from the
 * config through the plan. Bytes, verdicts, reasons and counters must be what the fixture says.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConfig } from "../control/model/config-file.ts";
import { REASON_NAMES } from "../control/model/reasons.ts";
import { readCounters } from "../control/plan/counters.ts";
import { decodeCapture } from "../dataplane/capture/capture-contents.ts";
import { FIXTURE_CASES } from "../pcap-fixtures/all-cases.ts";
import { buildAll, staleFiles } from "../pcap-fixtures/build.ts";
import type { Expectation } from "../pcap-fixtures/files.ts";
import { hexdump } from "./model/comparison.ts";
import { Program } from "./model/program.ts";
import { equalBytes } from "./packets/address.ts";

const FOLDER = join(import.meta.dirname, "../pcap-fixtures");
const CASES = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, "out.pcapng")));
const XDP_CODES = { aborted: 0, drop: 1, pass: 2, tx: 3, redirect: 4 } as const;

test("there are as many fixtures as cases", () => {
  expect(CASES.sort()).toEqual(FIXTURE_CASES.map(({ name }) => name).sort());
});

test("fixtures are what their sources build (npm run gen:fixtures)", () => {
  expect(staleFiles(FOLDER, buildAll(FOLDER))).toEqual([]);
});

test.for(CASES)("%s", async (name) => {
  const expected = readExpectation(name);
  const program = await Program.open(readConfig(join(FOLDER, name, "config.yaml")));
  const before = await decodeCapture(join(FOLDER, name, "in.pcapng"));
  const after = await decodeCapture(join(FOLDER, name, "out.pcapng"));
  expect(after.packets.length).toBe(before.packets.length);

  for (const [index, { bytes, timeNs }] of before.packets.entries()) {
    const wanted = after.packets[index]!;
    const { verdict, reasons, frame, fault } = program.run(bytes, timeNs!);
    const isRight =
      fault === undefined &&
      reasons.length === 1 &&
      BigInt(XDP_CODES[verdict]) === wanted.verdict &&
      equalBytes(frame, wanted.bytes);
    if (isRight) continue;
    const got = [`${verdict} ${reasons.join("+")} ${fault ?? ""}`, hexdump(frame)].join("\n");
    const right = [`code ${wanted.verdict}`, hexdump(wanted.bytes)].join("\n");
    expect.fail(`packet ${index}\n${hexdump(bytes)}\ngot ${got}\nexpected ${right}`);
  }
  expect(summaryOf(program, expected)).toEqual(summaryFrom(expected));
});

test("the edge mix comes out as the model says", async () => {
  const expected = readExpectation("edge-mix");
  const program = await Program.open(readConfig(join(FOLDER, "edge-mix", "config.yaml")));
  const { packets } = await decodeCapture(join(FOLDER, "edge-mix", "in.pcapng"));
  for (const { bytes, timeNs } of packets) program.nic.process(bytes, timeNs!);
  expect(program.nic.faults).toEqual([]);
  expect(summaryOf(program, expected)).toEqual(summaryFrom(expected));
}, 60_000);

function readExpectation(name: string): Expectation {
  return JSON.parse(readFileSync(join(FOLDER, name, "expect.json"), "utf8")) as Expectation;
}

interface Summary {
  readonly verdicts: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  readonly vips: readonly { readonly packets: number; readonly bytes: number }[];
  readonly backends: readonly {
    readonly address: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
}

function summaryFrom({ verdicts, reasons, vips, backends }: Expectation): Summary {
  return {
    verdicts: { aborted: 0, drop: 0, pass: 0, tx: 0, redirect: 0, ...verdicts },
    reasons: { ...Object.fromEntries(REASON_NAMES.map((name) => [name, 0])), ...reasons },
    vips: vips.map(({ packets, bytes }) => ({ packets, bytes })),
    backends,
  };
}

/** Verdicts as the NIC counted them, the rest as the program did. */
function summaryOf(program: Program, expected: Expectation): Summary {
  const { xdp_aborted, xdp_drop, xdp_pass, xdp_tx, xdp_redirect } = program.nic.counters();
  const { reasons, vips, backends } = readCounters(program.simulator, program.names);
  return {
    verdicts: { aborted: xdp_aborted, drop: xdp_drop, pass: xdp_pass, tx: xdp_tx, redirect: xdp_redirect },
    reasons: Object.fromEntries(REASON_NAMES.map((name) => [name, Number(reasons[name])])),
    vips: vips.map(({ packets, bytes }) => ({ packets: Number(packets), bytes: Number(bytes) })),
    // A backend that never was in a ring has no id, and so no counter.
    backends: expected.backends.map(({ address }) => {
      const counted = backends.find((backend) => backend.address === address);
      return { address, packets: Number(counted?.packets ?? 0), bytes: Number(counted?.bytes ?? 0) };
    }),
  };
}
