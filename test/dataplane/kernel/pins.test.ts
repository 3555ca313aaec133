import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  escapePinName,
  listPins,
  openPin,
  pin,
  removePins,
  requirePinDirectory,
  unescapePinName,
} from "../../../dataplane/kernel/pins.ts";
import { programInfo } from "../../../dataplane/kernel/program-info.ts";
import { bpffs, lacks, libbpf as libbpfNeed, root } from "../../needs.ts";
import { loadBare } from "./bare-program.ts";

test.for([
  ["eth0", "eth0"],
  ["eth0.100", "eth0%2E100"],
  ["100%.25", "100%25%2E25"],
  ["%2E", "%252E"],
  ["ü~:-)", "ü~:-)"],
])("%s is pinned as %s, and back", ([name, file]) => {
  expect(escapePinName(name!)).toBe(file);
  expect(unescapePinName(file!)).toBe(name);
});

test("a directory of another file system is refused, with what to do", () => {
  for (const directory of [tmpdir(), `${tmpdir()}/not/there`, "/"]) {
    expect(() => requirePinDirectory(directory)).toThrow(
      expect.objectContaining({
        code: "no-bpffs",
        message: expect.stringMatching(/is not in a BPF file system; mount one .*mount -t bpf bpf/),
      }),
    );
  }
});

describe.skipIf(lacks("pins", root, libbpfNeed, bpffs))("pins", () => {
  const directory = `/sys/fs/bpf/lamna-test-pins-${process.pid}`;
  afterAll(() => removePins(directory));

  test("the file system as a whole, and names that it cannot have, are refused", () => {
    expect(() => requirePinDirectory("/sys/fs/bpf")).toThrow(/others use too/);
    expect(() => requirePinDirectory("/sys/fs/bpf/lamna.2")).toThrow(/no names with a dot/);
    expect(requirePinDirectory("/sys/fs/bpf/x/../lamna-2/")).toBe("/sys/fs/bpf/lamna-2");
  });

  test("removing pins follows no symbolic link out of the directory", () => {
    const outside = mkdtempSync(join(tmpdir(), "lamna-test-pins-"));
    const precious = join(outside, "precious");
    writeFileSync(precious, "");
    try {
      mkdirSync(`${directory}/maps`, { recursive: true });
      symlinkSync(outside, `${directory}/maps/escape`);
      symlinkSync(outside, `${directory}/links`);
      expect(() => removePins(`${directory}/links`)).toThrow(
        expect.objectContaining({ code: "wrong-layout", message: expect.stringMatching(/symbolic link/) }),
      );
      expect(() => listPins(`${directory}/links`)).toThrow(/symbolic link/);
      expect(() => openPin(`${directory}/links`, "it")).toThrow(/symbolic link/);
      removePins(directory);
      expect(existsSync(directory)).toBe(false);
      expect(existsSync(precious)).toBe(true);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test("a directory that is named by a symbolic link is used by its own name", () => {
    const link = join(tmpdir(), `lamna-test-pins-link-${process.pid}`);
    mkdirSync(directory, { recursive: true });
    symlinkSync(directory, link);
    try {
      expect(requirePinDirectory(link)).toBe(directory);
      expect(requirePinDirectory(`${link}/inner`)).toBe(`${directory}/inner`);
    } finally {
      unlinkSync(link);
      removePins(directory);
    }
  });

  test("what is pinned is found again, is not overwritten, and goes with its directory", () => {
    mkdirSync(`${directory}/inner`, { recursive: true });
    const file = `${directory}/inner/${escapePinName("e0.1")}`;
    const program = loadBare("pinned");
    const { id } = programInfo(program);
    expect(openPin(file, "it")).toBeUndefined();
    pin(program, file);
    expect(() => pin(program, file)).toThrow(expect.objectContaining({ code: "io", errno: "EEXIST" }));
    program.close();
    expect(() => pin(program, file)).toThrow(expect.objectContaining({ code: "closed" }));

    const again = openPin(file, "it");
    expect(programInfo(again!)).toMatchObject({ id, name: "pinned" });
    again!.close();
    expect(listPins(`${directory}/inner`)).toEqual(["e0%2E1"]);
    removePins(directory);
    expect(existsSync(directory)).toBe(false);
    expect(listPins(directory)).toEqual([]);
    removePins(directory);
  });
});
