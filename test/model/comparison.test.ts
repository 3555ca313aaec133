import { expect, test } from "vitest";
import { stringify } from "yaml";
import { parseConfig } from "../../control/model/config-file.ts";
import type { ReasonName } from "../../control/model/reasons.ts";
import { ethernet, ipv4, tcp } from "../packets/frame.ts";
import { TCP_ACK, TCP_SYN } from "../packets/tcp.ts";
import { type Answer, Comparison, formatStep, hexdump } from "./comparison.ts";
import { Model } from "./model.ts";

const CONFIG = parseConfig(
  stringify({
    version: 1,
    settings: { gatewayMac: "00:00:de:ad:be:af" },
    vips: [{ address: "10.200.1.1", port: 80, protocol: "tcp", backends: [{ address: "10.0.0.1" }] }],
  }),
  { file: "test.yaml" },
);

function segment(flags: number): Uint8Array {
  return ethernet(
    {},
    ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, tcp({ sourcePort: 1, targetPort: 80, flags })),
  );
}

/** Steps through packets with a program that answers as another model does, but for what `change` makes of it. */
function compare(change: (answer: Answer, packet: number) => Answer) {
  const program = new Model(CONFIG);
  let packet = 0;
  const comparison = new Comparison(new Model(CONFIG), {
    run(frame, timeNs) {
      const { verdict, reason, frame: out } = program.process({ frame, tick: Number(timeNs / 1_000_000n) });
      return change({ cpu: 0, verdict, reasons: [reason], frame: out, fault: undefined }, packet++);
    },
  });
  return { comparison, send: (flags: number) => comparison.step(segment(flags), 0n) };
}

test("equal answers are right", () => {
  const { comparison, send } = compare((answer) => answer);
  expect([send(TCP_SYN), send(TCP_ACK)].map(({ isRight }) => isRight)).toEqual([true, true]);
  expect([comparison.packets, comparison.losses]).toEqual([2, 0]);
});

test.for<{ name: string; change: (answer: Answer) => Answer }>([
  { name: "another byte", change: (answer) => ({ ...answer, frame: answer.frame.with(40, 0xee) }) },
  { name: "a byte more", change: (answer) => ({ ...answer, frame: Uint8Array.of(...answer.frame, 0) }) },
  { name: "another verdict", change: (answer) => ({ ...answer, verdict: "drop" }) },
  { name: "another reason", change: (answer) => ({ ...answer, reasons: ["flow_bypass"] }) },
  { name: "two reasons", change: (answer) => ({ ...answer, reasons: ["flow_new", "flow_hit"] }) },
  { name: "no reason", change: (answer) => ({ ...answer, reasons: [] }) },
  { name: "a fault", change: (answer) => ({ ...answer, fault: "slot 1: out of bounds" }) },
])("$name is wrong", ({ change }) => {
  const { send } = compare(change);
  expect(send(TCP_SYN).isRight).toBe(false);
});

test("a new flow may be forgotten, an established one may not", () => {
  const forgetAt = (forgotten: number) =>
    compare((answer, packet) =>
      packet === forgotten ? { ...answer, reasons: ["flow_new" satisfies ReasonName] } : answer,
    );
  const early = forgetAt(1);
  early.send(TCP_SYN);
  expect(early.send(TCP_ACK).isRight).toBe(true);
  expect(early.comparison.losses).toBe(1);

  const late = forgetAt(2);
  late.send(TCP_SYN);
  late.send(TCP_ACK);
  expect(late.send(TCP_ACK).isRight).toBe(false);
});

test("a difference shows the packet, both answers and where they part", () => {
  const { send } = compare((answer) => ({ ...answer, frame: answer.frame.with(40, 0xee) }));
  const text = formatStep(send(TCP_SYN));
  expect(text).toMatch("packet 0, 54 bytes");
  expect(text).toMatch("expected tx flow_new to 10.0.0.1");
  expect(text).toMatch("frames differ from byte 40 on");
});

test("hexdump", () => {
  expect(hexdump(Uint8Array.from({ length: 17 }, (_, index) => index))).toBe(
    "  0000  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n  0010  10",
  );
});
