import { spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildCli, ROOT, runCli } from "./built-cli.ts";

const MAIN = buildCli();

test("--help describes the commands, shows examples and explains the exit codes", () => {
  const { status, stdout, stderr } = runCli(MAIN, ["--help"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  for (const part of [
    "Usage: lamna",
    "Commands:",
    "check ",
    "Examples:",
    "Exit codes:",
    "70  a bug in lamna",
  ]) {
    expect(stdout).toContain(part);
  }
});

test.for(["", "check", "object", "replay", "verify"])(
  "help of lamna %s keeps to 80 columns where there is no terminal",
  (command) => {
    const { stdout } = runCli(MAIN, [...command.split(" ").filter(Boolean), "--help"]);
    for (const line of stdout.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  },
);

test("--version prints the package's version", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
  expect(runCli(MAIN, ["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
});

test("the version is found from any working directory", () => {
  expect(runCli(MAIN, ["--version"], { cwd: "/" }).status).toBe(0);
});

test("without a command the help goes to stderr, and the exit code says wrong usage", () => {
  const { status, stdout, stderr } = runCli(MAIN, []);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toContain("Usage: lamna");
});

test.for<{ args: string[]; message: RegExp }>([
  { args: ["chekc"], message: /^lamna: unknown command 'chekc'\n\(Did you mean check\?\)/ },
  { args: ["--verson"], message: /^lamna: unknown option '--verson'\n\(Did you mean --version\?\)/ },
  { args: ["check"], message: /^lamna: missing required argument 'config'\n"lamna check --help"/ },
  { args: ["check", "--jso", "x"], message: /^lamna: unknown option '--jso'\n\(Did you mean --json\?\)/ },
  { args: ["help", "nothing"], message: /Usage: lamna/ },
])("wrong usage: lamna $args", ({ args, message }) => {
  const { status, stdout, stderr } = runCli(MAIN, args);
  expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^ +at /m);
});

test.for<{ environment: NodeJS.ProcessEnv; isColoured: boolean }>([
  { environment: {}, isColoured: false },
  { environment: { FORCE_COLOR: "1" }, isColoured: true },
  { environment: { FORCE_COLOR: "0" }, isColoured: false },
  { environment: { NO_COLOR: "1" }, isColoured: false },
])("help into a pipe with $environment is coloured: $isColoured", ({ environment, isColoured }) => {
  expect(runCli(MAIN, ["--help"], { environment }).stdout.includes("\u001b[")).toBe(isColoured);
});

test("a reader that goes away early ends the command quietly", async () => {
  const child = spawn(process.execPath, [MAIN, "--help"], { stdio: ["ignore", "pipe", "pipe"] });
  // Long before the command has started to write.
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const status = await new Promise((resolve) => child.on("close", resolve));
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

test("a full disk behind stdout is an error, not silence", () => {
  const { status, stderr } = spawnSync("sh", ["-c", `"${process.execPath}" "${MAIN}" --help > /dev/full`], {
    encoding: "utf8",
  });
  expect(status).toBe(2);
  expect(stderr).toBe("lamna: standard output: no space left on the device\n");
});
