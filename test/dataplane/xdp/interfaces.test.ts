/**
 * Frames that come in by several interfaces of one NIC, each with a next hop of its own: the program against the model, byte for
 * byte.
 */
import { describe, expect, test } from "vitest";
import type { Config } from "../../../control/model/config.ts";
import { parseConfig } from "../../../control/model/config-file.ts";
import { formatMac } from "../../../control/model/mac.ts";
import { readActual } from "../../../control/plan/actual.ts";
import {
  type InterfaceEntry,
  interfaceSlot,
  liveInterfaceTable,
} from "../../../control/plan/interface-table.ts";
import { Model } from "../../model/model.ts";
import { Program } from "../../model/program.ts";
import { randomConfig } from "../../model/random-config.ts";
import { mutate, randomFrame } from "../../model/random-packet.ts";
import { ethernet, icmp, ipv4, pattern, tcp, udp } from "../../packets/frame.ts";
import { Random } from "../../packets/random.ts";
import { TCP_SYN } from "../../packets/tcp.ts";

const UNKNOWN = new Uint8Array(6);
const mac = (last: number): Uint8Array => Uint8Array.of(0x02, 0, 0, 0, 0, last);
const configOf = (settings: string): Config =>
  parseConfig(
    `{version: 1, settings: {${settings}}, capacity: {vips: 4, backends: 4, flowsPerCpu: 1024}, vips: [
      {address: 10.200.1.1, port: 80, protocol: tcp, backends: [{address: 10.0.0.1}]},
      {address: 10.200.1.1, port: 53, protocol: udp, backends: [{address: "fc00::1"}]}]}`,
    { file: "config.yaml" },
  );
const DEFAULT = configOf('gatewayMac: "02:00:00:00:00:dd", mtu: 1400');
const LEFT_OUT = configOf("");

const INTERFACES: readonly InterfaceEntry[] = [
  { ifindex: 2, gatewayMac: mac(2), mtu: 1500 },
  { ifindex: 7, gatewayMac: mac(7), mtu: 600 },
  { ifindex: 2 ** 31 - 1, gatewayMac: mac(0x31), mtu: 0 },
  { ifindex: 9, gatewayMac: UNKNOWN, mtu: 1500 },
];
/** It has no entry. */
const OTHER = 12;

/** 40 bytes of headers and as much data. */
const segment = (dataBytes: number): Uint8Array =>
  ethernet(
    {},
    ipv4(
      { source: "192.0.2.1", destination: "10.200.1.1" },
      tcp({ sourcePort: 7, targetPort: 80, flags: TCP_SYN }, pattern(dataBytes)),
    ),
  );

async function open(
  config: Config,
  interfaces: readonly InterfaceEntry[] | undefined,
  ifindexes: readonly number[] = [...INTERFACES.map(({ ifindex }) => ifindex), OTHER],
): Promise<Program> {
  const nic = { interfaces: ifindexes.map((ifindex) => ({ ifindex })) };
  const program = await Program.open(config, { nic });
  await program.apply(config, interfaces);
  return program;
}

/** "tx flow_new to 02:00:00:00:00:02". */
function outcome(program: Program, frame: Uint8Array, ifindex: number): string {
  const { verdict, reasons, frame: out } = program.run(frame, 0n, ifindex);
  return `${verdict} ${reasons.join("+")} to ${formatMac(out.subarray(0, 6))}`;
}

describe("the gateway", () => {
  test("is that of the interface, and the settings' where it has none of its own", async () => {
    const program = await open(DEFAULT, INTERFACES);
    expect(outcome(program, segment(0), 2)).toBe("tx flow_new to 02:00:00:00:00:02");
    expect(outcome(program, segment(0), 7)).toBe("tx flow_new to 02:00:00:00:00:07");
    expect(outcome(program, segment(0), 2 ** 31 - 1)).toMatch(/to 02:00:00:00:00:31$/);
    expect(outcome(program, segment(0), OTHER)).toMatch(/to 02:00:00:00:00:dd$/);
  });

  test("of an interface in whose slot there is another is the settings'", async () => {
    const first = await open(DEFAULT, INTERFACES);
    const { multiplier } = liveInterfaceTable(readActual(first.simulator));
    const taken = interfaceSlot(7, multiplier);
    const stranger = Array.from({ length: 5000 }, (_, index) => 100 + index).find(
      (ifindex) => interfaceSlot(ifindex, multiplier) === taken,
    )!;
    const program = await open(DEFAULT, INTERFACES, [7, stranger]);
    expect(outcome(program, segment(0), 7)).toMatch(/to 02:00:00:00:00:07$/);
    expect(outcome(program, segment(0), stranger)).toMatch(/to 02:00:00:00:00:dd$/);
  });

  test("changes between two packets", async () => {
    const program = await open(LEFT_OUT, INTERFACES);
    expect(outcome(program, segment(0), 2)).toMatch(/to 02:00:00:00:00:02$/);
    await program.apply(LEFT_OUT, [{ ...INTERFACES[0]!, gatewayMac: mac(0x22) }, ...INTERFACES.slice(1)]);
    expect(outcome(program, segment(0), 2)).toMatch(/to 02:00:00:00:00:22$/);
    expect(outcome(program, segment(0), 7)).toMatch(/to 02:00:00:00:00:07$/);
  });

  test("follows interfaces that come and go", async () => {
    const program = await open(LEFT_OUT, INTERFACES.slice(0, 1));
    expect(outcome(program, segment(0), 7)).toMatch(/^drop no_gateway /);
    await program.apply(LEFT_OUT, INTERFACES.slice(1));
    expect(outcome(program, segment(0), 7)).toMatch(/to 02:00:00:00:00:07$/);
    expect(outcome(program, segment(0), 2)).toMatch(/^drop no_gateway /);
    await program.apply(DEFAULT, []);
    expect(outcome(program, segment(0), 7)).toMatch(/to 02:00:00:00:00:dd$/);
  });
});

test("the mtu is that of the interface", async () => {
  const program = await open(DEFAULT, INTERFACES);
  const verdicts = (dataBytes: number): string[] =>
    [2, 7, 2 ** 31 - 1, OTHER].map((ifindex) => program.run(segment(dataBytes), 0n, ifindex).reasons.join());
  // 40 bytes of headers inside, 20 outside.
  expect(verdicts(540)).toEqual(["flow_new", "flow_new", "flow_new", "flow_new"]);
  expect(verdicts(541)).toEqual(["flow_new", "too_big_reply", "flow_new", "flow_new"]);
  expect(verdicts(1340)).toEqual(["flow_new", "too_big_reply", "flow_new", "flow_new"]);
  expect(verdicts(1341)).toEqual(["flow_new", "too_big_reply", "flow_new", "too_big_reply"]);
  expect(verdicts(1441)).toEqual(["too_big_reply", "too_big_reply", "flow_new", "too_big_reply"]);
});

describe("without a gateway", () => {
  const echo = ethernet({}, ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, icmp({ type: 8 })));
  const datagram = ethernet(
    {},
    ipv4({ source: "192.0.2.1", destination: "10.200.1.1" }, udp({ sourcePort: 7, targetPort: 53 })),
  );

  test.for([
    { name: "an interface that does not know it yet", config: DEFAULT, ifindex: 9 },
    {
      name: "an interface without an entry and a config without gatewayMac",
      config: LEFT_OUT,
      ifindex: OTHER,
    },
  ])(
    "$name: nothing is forwarded, nothing remembered, and the frame is as it came",
    async ({ config, ifindex }) => {
      const program = await open(config, INTERFACES);
      for (const frame of [segment(0), segment(1400), datagram]) {
        const { verdict, reasons, frame: out } = program.run(frame, 0n, ifindex);
        expect({ verdict, reasons, out }).toEqual({ verdict: "drop", reasons: ["no_gateway"], out: frame });
      }
      // Remembered, it would be a hit.
      expect(program.run(datagram, 0n, 2).reasons).toEqual(["flow_new"]);
    },
  );

  test("what is answered is answered: echo requests, and frames over maxFrameBytes", async () => {
    const program = await open(LEFT_OUT, INTERFACES);
    expect(program.run(echo, 0n, 9)).toMatchObject({ verdict: "tx", reasons: ["echo_reply"] });
    expect(program.run(segment(1461), 0n, 9)).toMatchObject({ verdict: "tx", reasons: ["too_big_reply"] });
  });
});

test.for([1, 2, 3, 4, 5, 6])(
  "packets at random by interfaces at random are as the model says, seed %i",
  async (seed) => {
    const random = new Random(seed);
    const config = parseConfig(randomConfig(random, 16384), { file: "random.yaml" });
    const ifindexes = Array.from({ length: 20 }, (_, index) => index * 3 + 1 + random.integer(0, 2));
    const interfaces = ifindexes.slice(0, 16).map((ifindex) => ({
      ifindex,
      gatewayMac: random.chance(0.1) ? UNKNOWN : mac(ifindex),
      mtu: random.pick([0, 600, 1280, 1500, 9000]),
    }));
    const program = await open(config, interfaces, ifindexes);
    const model = new Model(config);
    for (let count = 0; count < 600; count++) {
      const ifindex = random.pick(ifindexes);
      const own = interfaces.find((candidate) => candidate.ifindex === ifindex);
      const isKnown = own?.gatewayMac !== UNKNOWN;
      const nextHop = own && { gatewayMac: isKnown ? own.gatewayMac : undefined, mtu: own.mtu };
      let frame = randomFrame(random, config.vips);
      if (random.chance(0.2)) frame = mutate(random, frame, randomFrame(random, config.vips));
      frame = frame.subarray(0, 4000);
      const got = program.run(frame, BigInt(count) * 1_000_000n, ifindex);
      const { reason, frame: out } = model.process({ frame, tick: count, nextHop });
      expect({ count, reasons: got.reasons, frame: got.frame }).toEqual({
        count,
        reasons: [reason],
        frame: out,
      });
    }
  },
);
