/**
 * The package as a user installs it: packed, unpacked elsewhere, and run from there with nothing of the checkout in reach.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const MANIFEST = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
};

let home: string;
let installed: string;

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "lamna-package-"));
  // dist/ was built before the tests, so the pack needs no scripts.
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", home], {
    cwd: ROOT,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  installed = join(home, "node_modules", "lamna");
  mkdirSync(installed, { recursive: true });
  // Unpacked here, as tar would need gzip for it.
  const archive = join(home, "package.tar");
  writeFileSync(archive, gunzipSync(readFileSync(join(home, filename))));
  execFileSync("tar", ["-xf", archive, "-C", installed, "--strip-components=1"]);
  // Its dependencies, as npm would place them, without asking a registry.
  for (const name of Object.keys(MANIFEST.dependencies)) {
    const place = join(home, "node_modules", name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(ROOT, "node_modules", name), place);
  }
});

afterAll(() => rmSync(home, { recursive: true, force: true }));

test("the installed command shows its help and version", () => {
  expect(lamna("--help").stdout).toContain("replay");
  expect(lamna("--version").stdout.trim()).toBe(MANIFEST.version);
});

test("the installed command replays the bundled capture with the bundled object", () => {
  const mix = join(installed, "pcap-fixtures", "edge-mix");
  const run = lamna("replay", "--config", join(mix, "config.yaml"), "--in", join(mix, "in.pcapng"), "--json");
  expect(run.stderr).toBe("");
  expect(run.status).toBe(0);
  const report = JSON.parse(run.stdout) as { packets: number; reasons: Record<string, number> };
  expect(report.packets).toBeGreaterThan(10_000);
  expect(Object.values(report.reasons).reduce((sum, count) => sum + count, 0)).toBe(report.packets);
});

test("the package holds no sources of tests and nothing of the workplace", () => {
  const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
  expect(files.filter((file) => /(^|\/)(test|bench)(\/|$)|\.test\./.test(file))).toEqual([]);
  expect(files).toContain("dataplane/xdp/balancer.bpf.o");
});

function lamna(...args: readonly string[]): { stdout: string; stderr: string; status: number | null } {
  return spawnSync(process.execPath, [join(installed, "dist", "control", "cli", "main.js"), ...args], {
    cwd: home,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
}
