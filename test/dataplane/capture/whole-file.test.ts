import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WholeFile } from "../../../dataplane/capture/whole-file.ts";
import { lacks, mkfifo } from "../../needs.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lamna-whole-file-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("a file appears under its name when it is committed, and not before", () => {
  const path = join(directory, "out");
  const file = new WholeFile(path);
  file.write(Uint8Array.of(1, 2));
  file.write(Uint8Array.of(3));
  expect(readdirSync(directory)).not.toContain("out");
  file.commit();
  expect([...readFileSync(path)]).toEqual([1, 2, 3]);
  expect(readdirSync(directory)).toEqual(["out"]);
});

test("a discarded file leaves what was there", () => {
  const path = join(directory, "out");
  writeFileSync(path, "before");
  const file = new WholeFile(path);
  file.write(Uint8Array.of(1, 2));
  file.discard();
  expect(readFileSync(path, "utf8")).toBe("before");
  expect(readdirSync(directory)).toEqual(["out"]);
});

test("discarding after committing does nothing", () => {
  const path = join(directory, "out");
  const file = new WholeFile(path);
  file.commit();
  file.discard();
  expect(readdirSync(directory)).toEqual(["out"]);
});

test("two files can be written beside each other", () => {
  const files = [new WholeFile(join(directory, "a")), new WholeFile(join(directory, "b"))];
  for (const file of files) file.commit();
  expect(readdirSync(directory).sort()).toEqual(["a", "b"]);
});

test("a symbolic link stays one", () => {
  writeFileSync(join(directory, "real"), "before");
  symlinkSync("real", join(directory, "link"));
  const file = new WholeFile(join(directory, "link"));
  file.write(Buffer.from("after"));
  file.commit();
  expect(readFileSync(join(directory, "real"), "utf8")).toBe("after");
  expect(readdirSync(directory).sort()).toEqual(["link", "real"]);
});

test("a device is written to, not replaced", () => {
  const file = new WholeFile("/dev/null");
  file.write(Uint8Array.of(1));
  file.commit();
  expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
});

test("a full device is an error with the name", () => {
  const file = new WholeFile("/dev/full");
  expect(() => file.write(Uint8Array.of(1))).toThrow(/\/dev\/full.*no space/);
  file.discard();
});

test.skipIf(lacks("writing to a named pipe", mkfifo))("a named pipe is written to", async () => {
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  // The reader is another process, as opening a pipe waits for the other side.
  const copy = "fs.writeFileSync(process.argv[2], fs.readFileSync(process.argv[1]))";
  const out = join(directory, "copy");
  const reader = spawn(process.execPath, ["-e", copy, path, out], { stdio: "ignore" });
  const file = new WholeFile(path);
  file.write(Buffer.from("through"));
  file.commit();
  expect(statSync(path).isFIFO()).toBe(true);
  await once(reader, "close");
  expect(readFileSync(out, "utf8")).toBe("through");
});

test.for([
  { name: "a directory", path: "." },
  { name: "a name in a directory that is not there", path: "nowhere/out" },
  { name: "a name below a file", path: "file/out" },
])("$name is refused", ({ path }) => {
  writeFileSync(join(directory, "file"), "");
  mkdirSync(join(directory, "d"));
  expect(() => new WholeFile(join(directory, path))).toThrow(
    expect.objectContaining({ name: "CaptureError", code: "io" }),
  );
});
