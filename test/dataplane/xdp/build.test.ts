/** The build of the objects. That the committed ones are fresh is in test/freshness.test.ts. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { packageFile } from "../../../control/package-root.ts";
import { clang, lacks } from "../../needs.ts";

const SCRIPT = "dist/dataplane/xdp/build.js";

let checkout = "";

/** A checkout elsewhere, of what the build reads. */
beforeAll(() => {
  checkout = mkdtempSync(join(tmpdir(), "lamna-build-test-"));
  mkdirSync(join(checkout, "dist/dataplane/xdp"), { recursive: true });
  for (const file of [SCRIPT, "package.json"]) copyFileSync(packageFile(file), join(checkout, file));
  for (const folder of ["dataplane/xdp", "dataplane/decap"]) {
    mkdirSync(join(checkout, folder), { recursive: true });
    for (const file of readdirSync(packageFile(folder)).filter((name) => /\.[ch]$/.test(name)))
      copyFileSync(packageFile(folder, file), join(checkout, folder, file));
  }
});
afterAll(() => rmSync(checkout, { recursive: true, force: true }));

function build(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): { status: number | null; stdout: string; stderr: string } {
  const run = spawnSync(process.execPath, [join(checkout, SCRIPT), ...args], {
    encoding: "utf8",
    cwd: tmpdir(),
    env: { ...process.env, ...env },
  });
  return { status: run.status, stdout: run.stdout, stderr: run.stderr };
}

test.skipIf(lacks("the build of the XDP objects", clang))(
  "the bytes do not depend on where the checkout is",
  () => {
    const objects = ["dataplane/xdp/balancer.bpf.o", "dataplane/decap/decap.bpf.o"];
    const first = build([]);
    expect(first).toMatchObject({ status: 0, stderr: "" });
    for (const object of objects) {
      const bytes = readFileSync(join(checkout, object));
      const line = `build:xdp: wrote .*${basename(object)}, ${bytes.length} bytes \\(new;`;
      expect(first.stdout).toMatch(new RegExp(`^${line}`, "m"));
      expect(bytes.equals(readFileSync(packageFile(object)))).toBe(true);
    }
    expect(build(["--check"]).status).toBe(0);

    for (const object of objects) {
      const file = join(checkout, object);
      const bytes = readFileSync(file);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(file, bytes);
      const stale = build(["--check"]);
      expect(stale.status).toBe(1);
      expect(stale.stderr).toContain(`${object} is not what its sources give`);
      expect(stale.stderr).toContain("npm run build:xdp");
      const news = ` bytes (changed, ${bytes.length} bytes before; now: npm run gen)\n`;
      expect(build([]).stdout).toContain(news);
    }
    expect(build([]).stdout.match(/ bytes \(unchanged\)\n/g)).toHaveLength(objects.length);
  },
);

test("another clang is refused", () => {
  const clang = join(checkout, "clang");
  writeFileSync(clang, "#!/bin/sh\necho 'Debian clang version 18.1.8'\n");
  chmodSync(clang, 0o755);
  const refused = build([], { CLANG: clang });
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("version 18");
  expect(refused.stderr).toContain("clang 19");
});

test("a compiler that is not there is named", () => {
  const missing = build([], { CLANG: join(checkout, "no-clang") });
  expect(missing.status).toBe(1);
  expect(missing.stderr).toContain("no-clang");
});

test("arguments it does not know are refused", () => {
  const refused = build(["--fast"]);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("--fast");
});
