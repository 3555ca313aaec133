/**
 * The files of a fixture: config.yaml, in.pcapng, out.pcapng and expect.json, built from the case's source and the model. Building
 * twice gives the same bytes: times are fixed, and nothing else varies.
 */
import { stringify } from "yaml";
import { formatIpAddress, parseIpAddress } from "../control/model/address.ts";
import { type Config, PROTOCOL_NUMBERS } from "../control/model/config.ts";
import { parseConfig } from "../control/model/config-file.ts";
import type { ReasonName, VerdictName } from "../control/model/reasons.ts";
import { encodePcapng, type PacketToEncode } from "../dataplane/capture/capture-contents.ts";
import { type Decision, Model } from "../test/model/model.ts";
import { vipKey } from "../test/model/vip-set.ts";
import { equalBytes, ip, ipText } from "../test/packets/address.ts";
import type { FixtureCase, FixturePacket } from "./case.ts";

/** 2026-01-01T00:00:00Z. */
export const START_NS = 1_767_225_600_000_000_000n;

const XDP_RETURN_CODES: { readonly [verdict in VerdictName]: number } = {
  aborted: 0,
  drop: 1,
  pass: 2,
  tx: 3,
  redirect: 4,
};

export interface Expectation {
  readonly description: string;
  readonly packets: number;
  /** Those that occur. */
  readonly verdicts: { readonly [verdict in VerdictName]?: number };
  readonly reasons: { readonly [reason in ReasonName]?: number };
  /** All, in the config's order. */
  readonly vips: readonly {
    readonly address: string;
    readonly port: number;
    readonly protocol: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
  /** Each address once, in the config's order of first appearance. */
  readonly backends: readonly {
    readonly address: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
}

export interface TimedFrame {
  readonly timeNs: bigint;
  readonly frame: Uint8Array;
  /** On the wire, where the capture holds less. */
  readonly originalBytes?: number;
}

/** What a capture must come out as. */
export interface Outcome {
  readonly decisions: readonly Decision[];
  readonly expectation: Expectation;
}

/** Name in the fixture's folder to contents. Throws when author and model disagree about a packet. */
export function buildFiles(fixture: FixtureCase): ReadonlyMap<string, Uint8Array> {
  const configText = writeConfig(fixture);
  const config = parseConfig(configText, { file: `${fixture.name}/config.yaml` });
  const times = packetTimes(fixture.packets);
  const frames = fixture.packets.map(({ frame }, index) => ({ frame, timeNs: times[index]! }));
  const isOneLine = fixture.isOneLine ?? false;
  const { decisions, expectation } = runModel({
    config,
    frames,
    isOneLine,
    description: fixture.description,
  });
  const problems = decisions.flatMap((decision, index) => {
    const problem = disagreement(fixture.packets[index]!, decision);
    return problem === undefined ? [] : [`packet ${index}: ${problem}`];
  });
  if (problems.length > 0) throw new Error(`fixture ${fixture.name}:\n${problems.join("\n")}`);
  return new Map([
    ["config.yaml", encodeText(configText)],
    ["in.pcapng", encodePcapng({ packets: frames.map(({ frame, timeNs }) => ({ timeNs, bytes: frame })) })],
    [
      "out.pcapng",
      encodePcapng({ packets: decisions.map((one, index) => outPacket(frames[index]!, one, index)) }),
    ],
    ["expect.json", encodeText(`${JSON.stringify(expectation, undefined, 2)}\n`)],
  ]);
}

export function runModel(input: {
  readonly config: Config;
  readonly frames: readonly TimedFrame[];
  readonly isOneLine?: boolean;
  readonly description: string;
}): Outcome {
  const model = new Model(input.config, { isOneLine: input.isOneLine ?? false });
  const decisions = input.frames.map(({ frame, timeNs }) =>
    model.process({ frame, tick: Number(timeNs / 1_000_000n) }),
  );
  const sizes = input.frames.map(({ frame }) => frame.length);
  return { decisions, expectation: summarize(input.config, input.description, decisions, sizes) };
}

/** As replay writes it: numbered, with the program's verdict, and as much longer or shorter on the wire as in the capture. */
export function outPacket(from: TimedFrame, decision: Decision, index: number): PacketToEncode {
  const grownBytes = decision.frame.length - from.frame.length;
  return {
    timeNs: from.timeNs,
    bytes: decision.frame,
    originalBytes: (from.originalBytes ?? from.frame.length) + grownBytes,
    id: index,
    verdict: XDP_RETURN_CODES[decision.verdict],
  };
}

function disagreement(packet: FixturePacket, decision: Decision): string | undefined {
  if (decision.reason !== packet.reason) return `author says ${packet.reason}, model ${decision.reason}`;
  if (packet.backend !== undefined && decision.backend !== ipText(ip(packet.backend))) {
    return `author says backend ${packet.backend}, model ${decision.backend}`;
  }
  if (packet.out !== undefined && !equalBytes(packet.out, decision.frame)) {
    return `author says\n${hex(packet.out)}\nmodel\n${hex(decision.frame)}`;
  }
  return undefined;
}

function packetTimes(packets: readonly FixturePacket[]): bigint[] {
  let nextMs = 0;
  return packets.map(({ atMs }) => {
    const timeMs = atMs ?? nextMs;
    nextMs = timeMs + 1;
    return START_NS + BigInt(timeMs) * 1_000_000n;
  });
}

function writeConfig({ config, description }: FixtureCase): string {
  const text = stringify(
    {
      version: 1,
      // Room for what the cases have, rather than the default's: each case is a dataplane of its own.
      capacity: { vips: 8, backends: 16, flowsPerCpu: 65536, ...config.capacity },
      settings: { gatewayMac: "00:00:de:ad:be:af", ...config.settings },
      vips: config.vips,
    },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
  return `# ${description}\n${text}`;
}

function summarize(
  config: Config,
  description: string,
  decisions: readonly Decision[],
  sizes: readonly number[],
): Expectation {
  const verdicts = new Map<VerdictName, number>();
  const reasons = new Map<ReasonName, number>();
  const vips = new Map<string, Traffic>();
  const backends = new Map<string, Traffic>();
  for (const [index, { verdict, reason, vip, backend }] of decisions.entries()) {
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    if (vip === undefined || backend === undefined) continue;
    count(vips, vip, sizes[index]!);
    count(backends, backend, sizes[index]!);
  }
  const addresses = new Set(
    config.vips.flatMap((vip) => vip.backends.map(({ address }) => formatIpAddress(address))),
  );
  return {
    description,
    packets: decisions.length,
    verdicts: inOrder(verdicts),
    reasons: inOrder(reasons),
    vips: config.vips.map(({ address, port, protocol }) => ({
      address: formatIpAddress(address),
      port,
      protocol,
      ...(vips.get(vipKey(address.bytes, port, PROTOCOL_NUMBERS[protocol])) ?? NO_TRAFFIC),
    })),
    backends: [...addresses].map((address) => ({
      address,
      ...(backends.get(ipText(parseIpAddress(address).bytes)) ?? NO_TRAFFIC),
    })),
  };
}

interface Traffic {
  readonly packets: number;
  readonly bytes: number;
}

const NO_TRAFFIC: Traffic = { packets: 0, bytes: 0 };

function count(traffic: Map<string, Traffic>, key: string, sizeBytes: number): void {
  const { packets, bytes } = traffic.get(key) ?? NO_TRAFFIC;
  traffic.set(key, { packets: packets + 1, bytes: bytes + sizeBytes });
}

function inOrder<Key extends string>(counts: ReadonlyMap<Key, number>): { readonly [key in Key]?: number } {
  const sorted = [...counts].sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(sorted) as { [key in Key]?: number };
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
