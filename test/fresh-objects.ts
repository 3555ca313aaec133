/** Whether compiled test objects, which are committed so that tests need no clang, are what their sources give. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** `folder` holds objects, and a build.sh that builds all of them into the folder that it is given. */
export function expectFreshObjects(folder: string): void {
  const scratch = mkdtempSync(join(tmpdir(), "lamna-objects-"));
  try {
    const script = join(folder, "build.sh");
    const build = spawnSync(script, [scratch], { encoding: "utf8" });
    expect(build.status, build.stderr).toBe(0);
    const isObject = (name: string): boolean => name.endsWith(".o");
    const names = readdirSync(scratch).filter(isObject);
    expect(readdirSync(folder).filter(isObject).toSorted()).toEqual(names.toSorted());
    for (const name of names) {
      const isSame = readFileSync(join(folder, name)).equals(readFileSync(join(scratch, name)));
      expect(isSame, `${name} is stale; run: ${relative(ROOT, script)}`).toBe(true);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
