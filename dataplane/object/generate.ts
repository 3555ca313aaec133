/**
 * Writes dataplane/xdp/generated/balancer.ts from the types of dataplane/xdp/balancer.bpf.o. Run after a build:
 * `node dist/dataplane/object/generate.js`; with `--check` it only compares, and fails when the file is stale.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generateCodecs } from "./generate-codecs.ts";
import { ObjectError } from "./object-error.ts";
import { readObject } from "./read-object.ts";

const OBJECT = "dataplane/xdp/balancer.bpf.o";
const OUTPUT = "dataplane/xdp/generated/balancer.ts";
const COMMAND = "npm run gen:codecs";

/** The checkout: two folders up, or three from dist/. */
function rootDirectory(): string {
  const source = join(import.meta.dirname, "../..");
  return existsSync(join(source, OBJECT)) ? source : join(source, "..");
}

function main(args: readonly string[]): void {
  const root = rootDirectory();
  const object = readFileSync(join(root, OBJECT));
  const text = generateCodecs(readObject(object), {
    objectName: OBJECT,
    objectSha256: createHash("sha256").update(object).digest("hex"),
    command: COMMAND,
    codecFolder: "../../object",
  });
  const output = join(root, OUTPUT);
  if (!args.includes("--check")) {
    mkdirSync(dirname(output), { recursive: true });
    writeFileSync(output, text);
  } else if (!existsSync(output) || readFileSync(output, "utf8") !== text) {
    console.error(`${OUTPUT} is stale; run: ${COMMAND}`);
    process.exitCode = 1;
  }
}

try {
  main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ObjectError)) throw error;
  console.error(`${OBJECT}: ${error.message}`);
  process.exitCode = 1;
}
