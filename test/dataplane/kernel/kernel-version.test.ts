import { release } from "node:os";
import { expect, test } from "vitest";
import { isAtLeast, isLinuxSince, parseVersion } from "../../../dataplane/kernel/kernel-version.ts";

test.for([
  ["6.1.0-18-amd64", [6, 1]],
  ["5.10", [5, 10]],
  ["6.18.44-fc-v657", [6, 18]],
  ["strange", [0, 0]],
] as const)("the version of %j", ([text, version]) => {
  expect(parseVersion(text)).toEqual(version);
});

test("versions compare by number", () => {
  expect(isAtLeast([5, 10], [5, 9])).toBe(true);
  expect(isAtLeast([5, 10], [5, 10])).toBe(true);
  expect(isAtLeast([6, 1], [5, 18])).toBe(true);
  expect(isAtLeast([5, 9], [5, 10])).toBe(false);
});

test("the running kernel is of its own version, and not of the next", () => {
  const [major, minor] = parseVersion(release());
  expect(isLinuxSince(major, minor)).toBe(true);
  expect(isLinuxSince(major, minor + 1)).toBe(false);
});
