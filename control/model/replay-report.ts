/**
 * What `lamna replay --json` prints: one object. schemas/replay-report.schema.json is made from this schema. Counts are
 * exact up to 2^53. Addresses are canonical text (RFC 5952).
 */
import { z } from "zod";
import type { VipProtocol } from "./config.ts";
import { REASON_NAMES, REASONS, type ReasonName, type VerdictName } from "./reasons.ts";

export interface ReplayReport {
  /** Packets of the capture that ran; the sum of `verdicts`, and of `reasons` where Lamna's own program ran. */
  readonly packets: number;
  /** Packets of the capture that did not run, since the engine has no such frames; the interpreter has all. */
  readonly notComparable: NotComparable;
  readonly verdicts: { readonly [verdict in VerdictName]: number };
  /** Every reason of the closed list, also those that did not occur. */
  readonly reasons: { readonly [reason in ReasonName]: number };
  /** In the config's order. */
  readonly vips: readonly VipReport[];
  /** One for each different address, in the config's order of first appearance, over all VIPs. */
  readonly backends: readonly BackendReport[];
  /** Wall-clock time of the simulation, copying included; null when not measured. */
  readonly nsPerPacket: number | null;
  readonly engine: "jit" | "interpreter" | "kernel";
}

export interface NotComparable {
  /** Shorter than an Ethernet header. */
  readonly tooShort: number;
  /** Longer than the kernel's page holds. */
  readonly tooLong: number;
}

export interface VipReport {
  readonly name: string | null;
  readonly address: string;
  /** 0: every port. */
  readonly port: number;
  readonly protocol: VipProtocol;
  /** Forwarded to a backend. */
  readonly packets: number;
  /** Of the frames as they came in. */
  readonly bytes: number;
  /** In the config's order. */
  readonly backends: readonly VipBackendReport[];
}

export interface VipBackendReport {
  readonly address: string;
  readonly weight: number;
  readonly state: "active" | "draining" | "down";
  readonly packets: number;
  readonly bytes: number;
  /** Fraction of the VIP's forwarded packets, 0 to 1; null when there were none. */
  readonly share: number | null;
  /** Fraction of new flows by weight, among the backends that take new flows; 0 for the others. */
  readonly expectedShare: number;
}

export interface BackendReport {
  readonly address: string;
  readonly packets: number;
  readonly bytes: number;
}

const count = (description: string) => z.int().min(0).meta({ description });

const vipBackend = z.strictObject({
  address: z.string().meta({ description: "Canonical text of the backend's address." }),
  weight: count("As configured."),
  state: z.enum(["active", "draining", "down"]).meta({ description: "As configured." }),
  packets: count("Packets of this VIP that were forwarded to this backend."),
  bytes: count("Bytes of those packets' frames as they came in."),
  share: z.number().min(0).max(1).nullable().meta({
    description: "Fraction of the VIP's forwarded packets; null when there were none.",
  }),
  expectedShare: z.number().min(0).max(1).meta({
    description: "Fraction of new flows by weight, among the backends that take new flows; 0 for the others.",
  }),
});

const vip = z.strictObject({
  name: z.string().nullable().meta({ description: "As configured; null for a VIP without a name." }),
  address: z.string().meta({ description: "Canonical text of the VIP's address." }),
  port: z.int().min(0).max(65535).meta({ description: "0 stands for every port." }),
  protocol: z.enum(["tcp", "udp"]),
  packets: count("Packets forwarded to a backend."),
  bytes: count("Bytes of those packets' frames as they came in."),
  backends: z.array(vipBackend).meta({ description: "In the order of the config." }),
});

const backend = z.strictObject({
  address: z.string().meta({ description: "Canonical text." }),
  packets: count("Packets forwarded to this address, over all VIPs."),
  bytes: count("Bytes of those packets' frames as they came in."),
});

const verdicts = z.strictObject({
  pass: count("XDP_PASS: handed to the host's own network stack."),
  drop: count("XDP_DROP."),
  tx: count("XDP_TX: sent out of the interface it came in by: forwarded or answered."),
  redirect: count("XDP_REDIRECT: sent out of another interface."),
  aborted: count("XDP_ABORTED, a verdict that does not exist, or a program that was stopped."),
} satisfies { [verdict in VerdictName]: z.ZodType<number> });

const reasons = z.strictObject(
  Object.fromEntries(
    REASON_NAMES.map((name) => [name, count(`${REASONS[name].verdict}: ${REASONS[name].meaning}.`)]),
  ) as { [reason in ReasonName]: ReturnType<typeof count> },
);

export const notComparableSchema: z.ZodType<NotComparable> = z
  .strictObject({
    tooShort: count("Frames under 14 bytes, which the kernel takes from nobody."),
    tooLong: count("Frames longer than the page that the kernel keeps one in holds."),
  })
  .meta({
    description:
      "Packets of the capture that did not run, since the kernel has no such frames; they are in no other number. All 0 for the interpreter.",
  });

export const replayReportSchema: z.ZodType<ReplayReport> = z
  .strictObject({
    packets: count("Packets of the capture that ran."),
    notComparable: notComparableSchema,
    verdicts: verdicts.meta({ description: "How many packets ended with each verdict; sums to `packets`." }),
    reasons: reasons.meta({ description: "How many packets ended for each reason; sums to `packets`." }),
    vips: z.array(vip).meta({ description: "In the order of the config." }),
    backends: z.array(backend).meta({
      description: "One for each different address, in the order of first appearance in the config.",
    }),
    nsPerPacket: z.number().min(0).nullable().meta({
      description: "Nanoseconds of wall-clock time a packet, copying included; null when not measured.",
    }),
    engine: z.enum(["jit", "interpreter", "kernel"]).meta({ description: "What ran the program." }),
  })
  .meta({ title: "Lamna replay report", description: "What `lamna replay --json` prints." });
