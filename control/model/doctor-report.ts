/** What `lamna doctor --json` prints: one object. schemas/doctor-report.schema.json is made from this schema. */
import { z } from "zod";

export interface DoctorReport {
  /** As `uname -r` has it. */
  readonly kernel: string;
  readonly role: "balancer" | "backend";
  readonly groups: readonly DoctorGroup[];
  /** How many findings there are of each state. */
  readonly counts: { readonly [state in DoctorState]: number };
}

export interface DoctorGroup {
  readonly topic: string;
  /** Null for what is of the host. */
  readonly interface: string | null;
  readonly findings: readonly DoctorFinding[];
}

export type DoctorState = "ok" | "warning" | "problem" | "unknown";

export interface DoctorFinding {
  readonly check: string;
  readonly state: DoctorState;
  readonly found: string;
  readonly remedy: string | null;
}

const count = (description: string) => z.int().min(0).meta({ description });

const finding = z.strictObject({
  check: z.string().meta({ description: "What was looked at, in few words; stable." }),
  state: z.enum(["ok", "warning", "problem", "unknown"]).meta({
    description:
      "ok: as it should be. warning: works, but not as well as it could, or only under a condition. problem: does not work so. unknown: could not be seen.",
  }),
  found: z.string().meta({ description: "What was found, for people." }),
  remedy: z
    .string()
    .nullable()
    .meta({ description: "What to do, for people; null where there is nothing to do." }),
});

const group = z.strictObject({
  topic: z.string().meta({ description: "What the findings are about." }),
  interface: z
    .string()
    .nullable()
    .meta({ description: "The interface that they are about; null: the host." }),
  findings: z.array(finding),
});

export const doctorReportSchema: z.ZodType<DoctorReport> = z
  .strictObject({
    kernel: z.string().meta({ description: "The kernel's release, as uname -r has it." }),
    role: z.enum(["balancer", "backend"]).meta({ description: "What the host was looked at as." }),
    groups: z.array(group),
    counts: z
      .strictObject({
        ok: count("Findings of state ok."),
        warning: count("Findings of state warning."),
        problem: count("Findings of state problem; the exit code is 1 when there are any."),
        unknown: count("Findings of state unknown."),
      })
      .meta({ description: "How many findings there are of each state." }),
  })
  .meta({ title: "Lamna doctor report", description: "What `lamna doctor --json` prints." });
