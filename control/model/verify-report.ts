/**
 * What `lamna verify --json` prints: one object. schemas/verify-report.schema.json is made from this schema. "Expected" is what the
 * reference did, the first of the engines; "found" is what another did.
 */
import { z } from "zod";
import { type NotComparable, notComparableSchema } from "./replay-report.ts";

export interface VerifyReport {
  /** Packets of the capture that every engine ran. */
  readonly packets: number;
  readonly notComparable: NotComparable;
  /** The reference first. */
  readonly engines: readonly string[];
  /** No difference was found. */
  readonly isAlike: boolean;
  /** The whole capture was compared; false where differences ended it before. */
  readonly isComplete: boolean;
  /** In the order of the packets. */
  readonly differences: readonly VerifyDifference[];
}

export interface VerifyDifference {
  /** before: in the maps that a config gives, before the first packet; after: in maps that no packet may change, after the last. */
  readonly when: "before" | "packet" | "after";
  /** From 0, as epb_packetid; null but for "packet". */
  readonly packet: number | null;
  /** Nanoseconds since the capture's first packet; null where there is no time. */
  readonly sinceStartNs: number | null;
  /** The one that differs from the reference. */
  readonly engine: string;
  /** Null where both returned the same. */
  readonly verdict: { readonly expected: number; readonly found: number } | null;
  /** Null where both left the same bytes. Frames in hex. */
  readonly bytes: {
    readonly offset: number;
    readonly field: string | null;
    readonly expected: string;
    readonly found: string;
  } | null;
  /** Why the reference stopped the program, if it did. */
  readonly fault: string | null;
  /** Of maps; the first few. */
  readonly maps: readonly MapValueDifference[];
  /** The program's source lines, in the order in which the reference went through them. */
  readonly trace: readonly VerifyTraceStep[];
}

/** One value of a map, in words. */
export interface MapValueDifference {
  /** "vip_counters", "flows_ipv4[0]". */
  readonly map: string;
  readonly index: number;
  /** "packets of VIP web tcp 198.51.100.10:443". */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

export interface VerifyTraceStep {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  /** Those that the line changed: r0 to r9, and their new values in hex. */
  readonly registers: readonly { readonly name: string; readonly value: string }[];
  /** What the line stored to. */
  readonly stores: readonly string[];
}

const count = (description: string) => z.int().min(0).meta({ description });

const verdict = z
  .strictObject({ expected: count("The reference's."), found: count("The other engine's.") })
  .nullable()
  .meta({ description: "Return codes of the program (enum xdp_action), where they differ." });

const bytes = z
  .strictObject({
    offset: count("First byte that differs, or the shorter one's length."),
    field: z.string().nullable().meta({ description: "The header field that it is in, where it is known." }),
    expected: z.string().meta({ description: "The whole frame as it left the program, in hex." }),
    found: z.string().meta({ description: "The same of the other engine." }),
  })
  .nullable()
  .meta({ description: "Frames as they left the program, where they differ." });

const mapValue = z.strictObject({
  map: z.string().meta({ description: "Name of the map, and of an inner map its CPU: flows_ipv4[0]." }),
  index: count("Of the element."),
  what: z.string().meta({ description: "What the value is." }),
  expected: z.string().meta({ description: "The value in the reference's map." }),
  found: z.string().meta({ description: "The value in the other engine's." }),
});

const traceStep = z.strictObject({
  file: z.string().meta({ description: "Source file, without folders." }),
  line: count("From 1."),
  text: z.string().meta({ description: "The source line." }),
  registers: z
    .array(z.strictObject({ name: z.string(), value: z.string() }))
    .meta({ description: "Registers that the line changed, r0 to r9, and their new values in hex." }),
  stores: z
    .array(z.string())
    .meta({ description: "What the line stored to: frame bytes, elements of maps." }),
});

const difference = z.strictObject({
  when: z.enum(["before", "packet", "after"]).meta({
    description:
      "before: in the maps that the config gave, before the first packet; after: in maps that no packet may change, after the last.",
  }),
  packet: z.int().min(0).nullable().meta({ description: "From 0; null but for `packet`." }),
  sinceStartNs: z.number().nullable().meta({
    description: "Capture time since the first packet, in nanoseconds; null where there is none.",
  }),
  engine: z.string().meta({ description: "The engine that differs from the reference." }),
  verdict,
  bytes,
  fault: z.string().nullable().meta({ description: "Why the reference stopped the program, if it did." }),
  maps: z.array(mapValue).meta({ description: "Values of maps that differ, the first few." }),
  trace: z.array(traceStep).meta({ description: "What the reference did with the packet, line by line." }),
});

export const verifyReportSchema: z.ZodType<VerifyReport> = z
  .strictObject({
    packets: count("Packets of the capture that every engine ran."),
    notComparable: notComparableSchema,
    engines: z.array(z.string()).meta({ description: "What was compared; the first is the reference." }),
    isAlike: z.boolean().meta({ description: "No difference was found." }),
    isComplete: z
      .boolean()
      .meta({ description: "The whole capture was compared; false where differences ended it before." }),
    differences: z.array(difference).meta({ description: "In the order of the packets." }),
  })
  .meta({ title: "Lamna verify report", description: "What `lamna verify --json` prints." });
