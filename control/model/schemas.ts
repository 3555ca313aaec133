/**
 * The files of schemas/: what tools outside of this program need to know of its files and reports. Made from the
 * schemas that the program itself validates with.
 */
import { z } from "zod";
import { configSchema } from "./config-schema.ts";
import { doctorReportSchema } from "./doctor-report.ts";
import { REASON_NAMES, REASONS } from "./reasons.ts";
import { replayReportSchema } from "./replay-report.ts";
import { statusReportSchema } from "./status-report.ts";
import { verifyReportSchema } from "./verify-report.ts";

const GENERATED = "Generated from control/model by: npm run gen:schemas";

/** Contents by file name. */
export function schemaFiles(): ReadonlyMap<string, string> {
  const reasons = REASON_NAMES.map((name) => ({ name, ...REASONS[name] }));
  return new Map([
    ["config.schema.json", json({ $comment: GENERATED, ...configJsonSchema() })],
    ["doctor-report.schema.json", json({ $comment: GENERATED, ...z.toJSONSchema(doctorReportSchema) })],
    ["replay-report.schema.json", json({ $comment: GENERATED, ...z.toJSONSchema(replayReportSchema) })],
    ["reasons.json", json(reasons)],
    ["status-report.schema.json", json({ $comment: GENERATED, ...z.toJSONSchema(statusReportSchema) })],
    ["verify-report.schema.json", json({ $comment: GENERATED, ...z.toJSONSchema(verifyReportSchema) })],
  ]);
}

/** The schema of what people write, before defaults are filled in. */
export function configJsonSchema(): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(configSchema, {
    io: "input",
    // zod leaves out defaults and examples of what it transforms; here, both are written in the form of the file.
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      if (def.type === "default") jsonSchema.default = (def as z.core.$ZodDefaultDef).defaultValue;
      const { examples } = z.globalRegistry.get(zodSchema) ?? {};
      if (examples !== undefined) jsonSchema.examples = examples as unknown[];
    },
  });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
