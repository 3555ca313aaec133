/**
 * What `lamna status --json` prints: one object. schemas/status-report.schema.json is made from this schema. Counts are exact up
 * to 2^53. Addresses are canonical text (RFC 5952), MAC addresses six pairs of lower-case hexadecimal digits.
 */
import { z } from "zod";
import type { VipProtocol } from "./config.ts";
import { REASON_NAMES, REASONS, type ReasonName, type VerdictName } from "./reasons.ts";

export interface StatusReport {
  readonly pinDirectory: string;
  /** Null where nothing is pinned: then every list is empty and every count 0. */
  readonly program: ProgramStatus | null;
  /** By name. */
  readonly interfaces: readonly InterfaceStatus[];
  readonly warnings: readonly StatusWarning[];
  /** Since the maps were made; replacing the program keeps counters. */
  readonly packets: number;
  /** By CPU number; every possible CPU. */
  readonly packetsByCpu: readonly number[];
  readonly verdicts: { readonly [verdict in VerdictName]: number };
  readonly reasons: { readonly [reason in ReasonName]: number };
  /** In the config's order where one is given, those it does not have last; else in the order of their ids. */
  readonly vips: readonly VipStatus[];
  /** Every address that a VIP has, in order of first appearance. */
  readonly backends: readonly {
    readonly address: string;
    readonly packets: number;
    readonly bytes: number;
  }[];
  readonly flows: { readonly ipv4: FlowTableStatus; readonly ipv6: FlowTableStatus };
  readonly maps: {
    readonly vips: MapUseStatus;
    readonly rings: MapUseStatus;
    readonly backends: MapUseStatus;
  };
  /** Since the report before this one; null in the first. */
  readonly rates: StatusRates | null;
}

/** A second. */
export interface StatusRates {
  /** How long the reports are apart. */
  readonly seconds: number;
  readonly packets: number;
  readonly verdicts: { readonly [verdict in VerdictName]: number };
  readonly reasons: { readonly [reason in ReasonName]: number };
}

export interface ProgramStatus {
  readonly id: number;
  readonly name: string;
  /** The kernel's digest of the instructions, 16 hexadecimal digits. */
  readonly tag: string;
  /** SHA-256 of the object file that it was loaded from. */
  readonly objectDigest: string;
  /** Whether that is the object that this version of lamna comes with. */
  readonly isShippedObject: boolean;
  /** ISO 8601, in UTC. */
  readonly loadedAt: string;
}

export type InterfaceMode = "native" | "generic" | "offload";
/** detached: the interface was deleted, or its link taken away by force. */
export type InterfaceState = "attached" | "detached";

export interface InterfaceStatus {
  readonly name: string;
  readonly state: InterfaceState;
  /** Null when detached. */
  readonly ifindex: number | null;
  readonly mode: InterfaceMode | null;
  /** Of the program that runs there. */
  readonly programId: number | null;
  readonly gatewayMac: string | null;
  /** Of the interface; null when it cannot be seen. */
  readonly mtu: number | null;
  readonly isUp: boolean | null;
}

export type StatusWarningCode =
  | "link-detached"
  | "interface-down"
  | "generic-mode"
  | "other-program"
  | "other-object"
  | "gateway-mac"
  | "next-hop"
  | "mtu"
  | "config"
  | "interrupted"
  | "no-interfaces";

export interface StatusWarning {
  readonly code: StatusWarningCode;
  /** Null where it is about the whole instance. */
  readonly interface: string | null;
  readonly message: string;
}

export interface VipStatus {
  /** As configured; null for a VIP without a name, and where no config is given. */
  readonly name: string | null;
  readonly address: string;
  /** 0: every port. */
  readonly port: number;
  readonly protocol: VipProtocol;
  /** Forwarded to a backend, since the VIP has its entry. */
  readonly packets: number;
  readonly bytes: number;
  readonly backends: readonly VipBackendStatus[];
}

export interface VipBackendStatus {
  readonly address: string;
  /** Fraction of the ring's slots, 0 to 1; 0: it has flows and takes no new ones. */
  readonly ringShare: number;
}

export interface FlowTableStatus {
  readonly used: number;
  readonly capacity: number;
  readonly new: number;
  readonly established: number;
  readonly closing: number;
  readonly datagrams: number;
}

export interface MapUseStatus {
  readonly used: number;
  readonly capacity: number;
}

/** z.int() refuses what is over 2^53, which a VIP's bytes are after eight days at 100 Gbit/s. */
const count = (description: string) =>
  z.number().min(0).refine(Number.isInteger).meta({ type: "integer", description });

const WARNING_CODES = {
  "link-detached": "The interface was deleted, or its link detached by force.",
  "interface-down": "The interface is down.",
  "generic-mode": "The program runs in generic mode, which is slow.",
  "other-program": "An interface runs another program than the pinned one.",
  "other-object": "The running program is of another object than this version of lamna has.",
  "gateway-mac": "The neighbour table has another MAC address for the next hop than the maps.",
  "next-hop": "The next hop cannot be reached, or cannot be told.",
  mtu: "The interface's MTU is less than what the program may send.",
  config: "The config has a VIP that the maps do not have, or the other way round.",
  interrupted: "A change was interrupted; the next attach or detach completes it.",
  "no-interfaces": "The program is attached to no interface.",
} as const satisfies { readonly [code in StatusWarningCode]: string };

const program = z.strictObject({
  id: count("The kernel's id of the pinned program."),
  name: z.string(),
  tag: z.string().meta({ description: "The kernel's digest of its instructions." }),
  objectDigest: z.string().meta({ description: "SHA-256 of the object file that it was loaded from." }),
  isShippedObject: z.boolean().meta({ description: "Whether this version of lamna comes with that object." }),
  loadedAt: z
    .string()
    .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    .meta({ description: "When it was loaded into the kernel, in UTC." }),
});

const networkInterface = z.strictObject({
  name: z.string(),
  state: z.enum(["attached", "detached"]).meta({
    description: "detached: the interface was deleted, or its link detached by force.",
  }),
  ifindex: z.int().min(1).nullable().meta({ description: "Null when detached." }),
  mode: z.enum(["native", "generic", "offload"]).nullable(),
  programId: z.int().min(0).nullable().meta({ description: "Of the program that runs there." }),
  gatewayMac: z.string().nullable().meta({ description: "Where forwarded packets go next." }),
  mtu: z.int().min(0).nullable().meta({ description: "Of the interface." }),
  isUp: z.boolean().nullable(),
});

const warning = z.strictObject({
  code: z.enum(Object.keys(WARNING_CODES) as [StatusWarningCode, ...StatusWarningCode[]]).meta({
    description: Object.entries(WARNING_CODES)
      .map(([code, text]) => `${code}: ${text}`)
      .join(" "),
  }),
  interface: z.string().nullable().meta({ description: "Null where it is about the whole instance." }),
  message: z.string().meta({ description: "One sentence, with what to do." }),
});

const vip = z.strictObject({
  name: z.string().nullable().meta({ description: "As configured; null without a name or a config." }),
  address: z.string().meta({ description: "Canonical text of the VIP's address." }),
  port: z.int().min(0).max(65535).meta({ description: "0 stands for every port." }),
  protocol: z.enum(["tcp", "udp"]),
  packets: count("Packets forwarded to a backend, since the VIP has its entry."),
  bytes: count("Bytes of those packets' frames as they came in."),
  backends: z.array(
    z.strictObject({
      address: z.string(),
      ringShare: z.number().min(0).max(1).meta({
        description: "Fraction of new flows by the ring; 0: it has flows and takes no new ones.",
      }),
    }),
  ),
});

const backend = z.strictObject({
  address: z.string().meta({ description: "Canonical text." }),
  packets: count("Packets forwarded to this address, over all VIPs."),
  bytes: count("Bytes of those packets' frames as they came in."),
});

const flowTable = z.strictObject({
  used: count("Entries that hold a flow, also one whose time is over."),
  capacity: count("Entries, over all CPUs."),
  new: count("Flows of which one packet was seen."),
  established: count("TCP flows of which more was seen than the SYN."),
  closing: count("TCP flows with a FIN or RST."),
  datagrams: count("UDP flows of which more than one packet was seen."),
});

const mapUse = z.strictObject({
  used: count("Entries in use."),
  capacity: count("Entries, without the spares that changes go through."),
});

const rate = (description: string) => z.number().min(0).meta({ description });

const rates = z.strictObject({
  seconds: rate("How long this report is after the one before."),
  packets: rate("Packets a second."),
  verdicts: z.strictObject({
    pass: rate("Packets a second."),
    drop: rate("Packets a second."),
    tx: rate("Packets a second."),
    redirect: rate("Packets a second."),
    aborted: rate("Packets a second."),
  } satisfies { [verdict in VerdictName]: z.ZodType<number> }),
  reasons: z.strictObject(
    Object.fromEntries(REASON_NAMES.map((name) => [name, rate("Packets a second.")])) as {
      [reason in ReasonName]: ReturnType<typeof rate>;
    },
  ),
});

const verdicts = z.strictObject({
  pass: count("XDP_PASS: handed to the host's own network stack."),
  drop: count("XDP_DROP."),
  tx: count("XDP_TX: sent out of the interface it came in by: forwarded or answered."),
  redirect: count("XDP_REDIRECT: sent out of another interface."),
  aborted: count("XDP_ABORTED."),
} satisfies { [verdict in VerdictName]: z.ZodType<number> });

const reasons = z.strictObject(
  Object.fromEntries(
    REASON_NAMES.map((name) => [name, count(`${REASONS[name].verdict}: ${REASONS[name].meaning}.`)]),
  ) as { [reason in ReasonName]: ReturnType<typeof count> },
);

export const statusReportSchema: z.ZodType<StatusReport> = z
  .strictObject({
    pinDirectory: z.string().meta({ description: "In a BPF file system." }),
    program: program.nullable().meta({ description: "Null where nothing is attached." }),
    interfaces: z.array(networkInterface).meta({ description: "By name." }),
    warnings: z.array(warning),
    packets: count("Packets that the program has seen since its maps were made."),
    packetsByCpu: z.array(count("Of one CPU.")).meta({ description: "By CPU number." }),
    verdicts: verdicts.meta({ description: "Packets by verdict; sums to `packets`." }),
    reasons: reasons.meta({ description: "Packets by reason; sums to `packets`." }),
    vips: z.array(vip).meta({ description: "In the config's order, else in that of their entries." }),
    backends: z.array(backend).meta({ description: "Every address that a VIP has." }),
    flows: z.strictObject({ ipv4: flowTable, ipv6: flowTable }),
    maps: z.strictObject({ vips: mapUse, rings: mapUse, backends: mapUse }),
    rates: rates
      .nullable()
      .meta({ description: "With --watch, since the report before; null in the first." }),
  })
  .meta({ title: "Lamna status report", description: "What `lamna status --json` prints." });
