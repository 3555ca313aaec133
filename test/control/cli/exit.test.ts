import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeFailure, EXIT_CODES, UsageError } from "../../../control/cli/exit.ts";
import { ConfigError } from "../../../control/model/config-error.ts";
import { ApplyError } from "../../../control/plan/apply.ts";
import { CaptureError } from "../../../dataplane/capture/capture-error.ts";
import { MapError } from "../../../dataplane/dataplane.ts";
import { KernelError } from "../../../dataplane/kernel/kernel-error.ts";
import { ObjectError } from "../../../dataplane/object/object-error.ts";

const PROBLEM = {
  code: "syntax",
  path: "",
  line: 3,
  column: 7,
  value: undefined,
  message: "no colon",
} as const;

test.for<{ name: string; error: unknown; text: string }>([
  {
    name: "wrong usage",
    error: new UsageError("--queues 0, expected 1 to 64"),
    text: "lamna: --queues 0, expected 1 to 64",
  },
  {
    name: "a name that would command the terminal",
    error: new UsageError("\u001b]0;title\u0007: no such file"),
    text: "lamna: \\u001b]0;title\\u0007: no such file",
  },
  {
    name: "a config error",
    error: new ConfigError("syntax", "c.yaml", [PROBLEM]),
    text: "c.yaml:3:7: no colon",
  },
  {
    name: "a capture error",
    error: new CaptureError({
      code: "truncated",
      source: "in.pcap",
      offset: 40,
      what: "ends inside a packet",
    }),
    text: "in.pcap at byte 40: ends inside a packet",
  },
  {
    name: "an object error",
    error: new ObjectError("bad-elf", { offset: 4 }, "class 7, expected 2"),
    text: "byte 4: class 7, expected 2",
  },
  {
    name: "a file that is not there",
    error: failing(() => readFileSync("/no/such/file")),
    text: "/no/such/file: no such file",
  },
  {
    name: "a directory for a file",
    error: failing(() => readFileSync("/")),
    text: "a directory, expected a file",
  },
])("$name ends with 2 and a message without a stack", ({ error, text }) => {
  const failure = describeFailure(error, { isDebug: false });
  expect(failure.exitCode).toBe(EXIT_CODES.badInput);
  expect(failure.text).toContain(text);
  expect(failure.text).not.toMatch(/^ +at /m);
});

test("the places of a config error are at the start of their lines, where tools look for them", () => {
  const error = new ConfigError("invalid", "c.yaml", [PROBLEM, { ...PROBLEM, line: 9 }]);
  expect(describeFailure(error, { isDebug: false }).text).toBe("c.yaml:3:7: no colon\nc.yaml:9:7: no colon");
});

test("debugging shows where an error comes from, and why", () => {
  const error = new UsageError("bad", { cause: new Error("deeper") });
  const { exitCode, text } = describeFailure(error, { isDebug: true });
  expect(exitCode).toBe(EXIT_CODES.badInput);
  expect(text).toMatch(/^lamna: bad\nUsageError: bad\n +at [\s\S]*caused by: Error: deeper\n +at /);
});

test.for<{ name: string; error: unknown }>([
  { name: "a TypeError", error: new TypeError("x is not a function") },
  { name: "an error of no known kind", error: new Error("broken invariant") },
  { name: "a string", error: "thrown" },
  { name: "nothing", error: undefined },
])("$name is a bug of ours, with all there is to report", ({ error }) => {
  const { exitCode, text } = describeFailure(error, { isDebug: false });
  expect(exitCode).toBe(EXIT_CODES.bug);
  expect(text).toMatch(/^lamna: this is a bug in lamna/);
  expect(text).toContain(error instanceof Error ? `${error.name}: ${error.message}\n    at ` : String(error));
});

function failing(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error("expected the action to fail");
}

const REJECTED = new KernelError("rejected", 'load program "balance"', "R1 invalid access", {
  errno: "EACCES",
  remedy: "use a newer kernel",
  log: "0: (b7) r0 = 1\nR1 invalid access\n",
});

test.for<{ name: string; error: Error }>([
  { name: "of the kernel", error: REJECTED },
  {
    name: "of a step of a plan",
    error: new ApplyError({ kind: "grace-period", why: "it is time" }, REJECTED),
  },
  { name: "of a map", error: new MapError("io", "vips", REJECTED.message, { cause: REJECTED }) },
])("a failure $name says below it what to do; the verifier's log only for debugging", ({ error }) => {
  const { exitCode, text } = describeFailure(error, { isDebug: false });
  expect(exitCode).toBe(EXIT_CODES.badInput);
  expect(text).toMatch(/^lamna: .*load program "balance": R1 invalid access\n {2}use a newer kernel$/);
  const debug = describeFailure(error, { isDebug: true }).text;
  expect(debug).toContain("the verifier's log:\n0: (b7) r0 = 1\nR1 invalid access");
});

test("a map's error that no kernel is to blame for is a bug", () => {
  const error = new MapError("out-of-range", "vips", "index 7, expected 0 to 6");
  expect(describeFailure(error, { isDebug: false }).exitCode).toBe(EXIT_CODES.bug);
});
