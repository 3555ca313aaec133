/**
 * Writes `generated/<name>.ts` beside each of our objects, from its types. Run after a build: `node dist/dataplane/object/generate.js`;
 * with `--check` it only compares, and fails when a file is stale.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generateCodecs } from "./generate-codecs.ts";
import { ObjectError } from "./object-error.ts";
import { readObject } from "./read-object.ts";

/** From the checkout's root. */
const OBJECTS = [
  { object: "dataplane/xdp/balancer.bpf.o", output: "dataplane/xdp/generated/balancer.ts" },
  { object: "dataplane/decap/decap.bpf.o", output: "dataplane/decap/generated/decap.ts" },
] as const;
const COMMAND = "npm run gen:codecs";

/** The checkout: two folders up, or three from dist/. */
function rootDirectory(): string {
  const source = join(import.meta.dirname, "../..");
  return existsSync(join(source, OBJECTS[0].object)) ? source : join(source, "..");
}

/** What the file beside an object has to say. Throws ObjectError. */
function codecsOf(root: string, object: string): string {
  const bytes = readFileSync(join(root, object));
  return generateCodecs(readObject(bytes), {
    objectName: object,
    objectSha256: createHash("sha256").update(bytes).digest("hex"),
    command: COMMAND,
    codecFolder: "../../object",
  });
}

function generate(root: string, output: string, text: string, { isCheck }: { isCheck: boolean }): void {
  const file = join(root, output);
  if (!isCheck) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  } else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    console.error(`${output} is stale; run: ${COMMAND}`);
    process.exitCode = 1;
  }
}

const root = rootDirectory();
for (const { object, output } of OBJECTS) {
  try {
    generate(root, output, codecsOf(root, object), { isCheck: process.argv.includes("--check") });
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error;
    console.error(`${object}: ${error.message}`);
    process.exitCode = 1;
  }
}
