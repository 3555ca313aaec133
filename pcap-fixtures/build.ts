/**
 * Builds every fixture. `npm run gen:fixtures` writes them; with --check nothing is written, and a difference from what is committed is an
 * error. Folders of cases that are no more are removed, or complained about.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageFile } from "../control/package-root.ts";
import { FIXTURE_CASES } from "./all-cases.ts";
import { buildFiles } from "./files.ts";
import { buildEdgeMix } from "./traffic/edge-mix.ts";

/** The fixtures as they ought to be: path below pcap-fixtures/ to contents. */
export function buildAll(folder: string): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const fixture of FIXTURE_CASES) {
    for (const [name, contents] of buildFiles(fixture)) {
      const path = join(fixture.name, name);
      if (files.has(path)) throw new Error(`two fixtures are called ${fixture.name}`);
      files.set(path, contents);
    }
  }
  const edgeMix = buildEdgeMix(join(folder, "edge-mix"));
  for (const [name, contents] of edgeMix) files.set(join("edge-mix", name), contents);
  return files;
}

/** Paths that are not as they ought to be. */
export function staleFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): string[] {
  const wrong = [...files].filter(([path, contents]) => {
    const file = join(folder, path);
    return !existsSync(file) || !readFileSync(file).equals(contents);
  });
  return [...wrong.map(([path]) => path), ...strayFolders(folder, files)];
}

/** Folders that look like fixtures and are none. */
function strayFolders(folder: string, files: ReadonlyMap<string, Uint8Array>): string[] {
  const wanted = new Set([...files.keys()].map((path) => dirname(path)));
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, "expect.json")))
    .map((entry) => entry.name)
    .filter((name) => !wanted.has(name));
}

function main(folder: string, isCheck: boolean): void {
  const files = buildAll(folder);
  const stale = staleFiles(folder, files);
  if (isCheck) {
    for (const path of stale) console.error(`pcap-fixtures/${path} is not what its source builds`);
    if (stale.length > 0) {
      console.error("run: npm run gen:fixtures");
      process.exitCode = 1;
    }
    return;
  }
  for (const name of strayFolders(folder, files)) rmSync(join(folder, name), { recursive: true });
  for (const path of stale) {
    const contents = files.get(path);
    if (contents === undefined) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), contents);
  }
  console.log(`${files.size} files, ${stale.length} of them changed`);
}

if (process.argv[1] === import.meta.filename) {
  main(packageFile("pcap-fixtures"), process.argv.includes("--check"));
}
