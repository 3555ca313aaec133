/**
 * What is generated is committed, and is what its generator gives today. A failure prints the command that regenerates it.
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { clang, lacks } from "./needs.ts";

const ROOT = join(import.meta.dirname, "..");

test.for([
  { what: "the codecs of the map values", script: "dist/dataplane/object/generate.js" },
  { what: "the JSON Schemas", script: "dist/control/model/generate-schemas.js" },
])("$what are fresh", ({ script }) => {
  check(script);
});

test.skipIf(lacks("the freshness of the objects", clang))(
  "the objects are what clang-19 makes of the sources",
  () => {
    check("dist/dataplane/xdp/build.js");
  },
);

test("the README shows what the main job prints, but for its speed", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  const shown = readme.split("```\n").find((block) => block.startsWith("pcap-fixtures/edge-mix/in.pcapng"));
  const mix = "pcap-fixtures/edge-mix";
  const args = [
    "dist/control/cli/main.js",
    "replay",
    "--config",
    `${mix}/config.yaml`,
    "--in",
    `${mix}/in.pcapng`,
  ];
  const run = spawnSync(process.execPath, args, { cwd: ROOT, encoding: "utf8" });
  const withoutSpeed = (text: string): string => text.replace(/^ +interpreter: .*$/m, "");
  expect(withoutSpeed(shown ?? "")).toBe(withoutSpeed(run.stdout));
});

function check(script: string): void {
  const run = spawnSync(process.execPath, [script, "--check"], { cwd: ROOT, encoding: "utf8" });
  expect(`${run.stdout}${run.stderr}`, `${script} --check, exit ${run.status}`).toSatisfy(
    () => run.status === 0,
  );
}
