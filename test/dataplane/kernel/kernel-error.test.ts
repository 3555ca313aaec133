import { expect, test } from "vitest";
import { errnoName, errnoNumber, KernelError, systemError } from "../../../dataplane/kernel/kernel-error.ts";
import { loadError } from "../../../dataplane/kernel/load-error.ts";

test.for([
  { number: -1, errno: "EPERM", code: "no-privilege" },
  { number: 13, errno: "EACCES", code: "no-privilege" },
  { number: -16, errno: "EBUSY", code: "busy" },
  { number: -2, errno: "ENOENT", code: "not-found" },
  { number: -19, errno: "ENODEV", code: "no-interface" },
  { number: -28, errno: "ENOSPC", code: "no-space" },
  { number: -524, errno: "ENOTSUPP", code: "no-feature" },
  { number: -95, errno: "EOPNOTSUPP", code: "no-feature" },
  { number: -11, errno: "EAGAIN", code: "io" },
  { number: -4001, errno: "LIBBPF_ERRNO__FORMAT", code: "io" },
  { number: -9999, errno: "error 9999", code: "io" },
])("$number is $errno, which mostly means $code", ({ number, errno, code }) => {
  expect(errnoName(number)).toBe(errno);
  expect(systemError("try it", number)).toMatchObject({
    name: "KernelError",
    code,
    errno,
    operation: "try it",
  });
});

test("a name has its number", () => {
  expect(errnoNumber("EOPNOTSUPP")).toBe(95);
  expect(errnoNumber("ENONSENSE")).toBeUndefined();
});

test("a message has operation, reason and remedy; the log stays in its field", () => {
  const error = new KernelError("busy", "attach to eth0", "it has a program", {
    remedy: "detach it",
    log: "long",
  });
  expect(error.message).toBe("attach to eth0: it has a program; detach it");
  expect(error).toMatchObject({ remedy: "detach it", log: "long" });
});

test("a refusal ends with the verifier's last words, without its statistics", () => {
  const log =
    "0: R1=ctx\n1: (79) r1 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'\nprocessed 2 insns (limit 1000000)\n";
  const error = loadError('load program "p"', -13, log, "");
  expect(error).toMatchObject({ code: "rejected", errno: "EACCES", log });
  expect(error.message).toMatch(/R1 invalid mem access 'scalar'$/);
});

test("a failure before the verifier has libbpf's words", () => {
  const error = loadError('load program "p"', -22, "", "map 'x': failed to create: Invalid argument(-22)");
  expect(error).toMatchObject({ code: "rejected", log: undefined });
  expect(error.message).toMatch(/map 'x': failed to create/);
  expect(loadError('load program "p"', -12, "", "").code).toBe("no-space");
});
