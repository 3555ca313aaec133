import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clang, lacks } from "../../needs.ts";
import { OBJECTS_FOLDER } from "./test-objects.ts";

test.skipIf(lacks("the freshness of the test objects", clang))(
  "the test objects are what clang-19 makes of their sources",
  () => {
    const folder = mkdtempSync(join(tmpdir(), "lamna-objects-"));
    try {
      const build = spawnSync(join(OBJECTS_FOLDER, "build.sh"), [folder], { encoding: "utf8" });
      expect(build.status, build.stderr).toBe(0);
      const isObject = (name: string): boolean => name.endsWith(".o");
      const names = readdirSync(folder).filter(isObject);
      expect(readdirSync(OBJECTS_FOLDER).filter(isObject).toSorted()).toEqual(names.toSorted());
      for (const name of names) {
        const isSame = readFileSync(join(OBJECTS_FOLDER, name)).equals(readFileSync(join(folder, name)));
        expect(isSame, `${name} is stale; run: test/dataplane/object/objects/build.sh`).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
