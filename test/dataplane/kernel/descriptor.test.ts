import { fstatSync, openSync } from "node:fs";
import { expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";

const open = (): number => openSync("/dev/null", "r");

test("a descriptor gives its number until it is closed, once", () => {
  const fd = open();
  const descriptor = new Descriptor(fd, "the null device");
  expect(descriptor.fd).toBe(fd);
  expect(descriptor.isClosed).toBe(false);
  descriptor.close();
  expect(descriptor.isClosed).toBe(true);
  expect(() => fstatSync(fd)).toThrow(/EBADF/);
  expect(() => descriptor.fd).toThrow(
    expect.objectContaining({ name: "KernelError", code: "closed", operation: "the null device" }),
  );

  // The number may belong to somebody else now.
  const other = new Descriptor(open(), "another");
  descriptor.close();
  expect(() => fstatSync(other.fd)).not.toThrow();
  other.close();
});

test("an error number is no descriptor", () => {
  expect(() => new Descriptor(-1, "a map")).toThrow(RangeError);
  expect(() => Descriptor.from(-16, "attach", "a link")).toThrow(
    expect.objectContaining({ code: "busy", errno: "EBUSY", operation: "attach" }),
  );
});
