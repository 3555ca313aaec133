/**
 * Where the files are that are shipped beside the code: the object, schemas, fixtures. The code runs from the checkout, from
 * dist/ and from an installed package; in each case the nearest package.json above it that is Lamna's marks the root.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

interface Manifest {
  readonly name?: unknown;
  readonly version?: unknown;
}

/** A file of the package by its path from the package's root. */
export function packageFile(...parts: readonly string[]): string {
  return join(findPackage().root, ...parts);
}

export function packageVersion(): string {
  return String(findPackage().manifest.version);
}

function findPackage(): { readonly root: string; readonly manifest: Manifest } {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let root = start; ; root = dirname(root)) {
    const manifest = readManifest(join(root, "package.json"));
    if (manifest?.name === "lamna") return { root, manifest };
    if (root === dirname(root)) throw new Error(`no package.json of lamna in ${start} or above it`);
  }
}

function readManifest(file: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Manifest;
  } catch {
    return undefined;
  }
}
