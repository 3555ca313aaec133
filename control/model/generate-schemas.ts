/**
 * Writes schemas/. Run after a build: `node dist/control/model/generate-schemas.js`; with `--check` it only compares, and
 * fails when a file is stale.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { packageFile } from "../package-root.ts";
import { schemaFiles } from "./schemas.ts";

const isCheck = process.argv.includes("--check");
if (!isCheck) mkdirSync(packageFile("schemas"), { recursive: true });

for (const [name, contents] of schemaFiles()) {
  const file = packageFile("schemas", name);
  if (!isCheck) writeFileSync(file, contents);
  else if (currentContents(file) !== contents) {
    console.error(`schemas/${name} is stale; run: npm run gen:schemas`);
    process.exitCode = 1;
  }
}

function currentContents(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
