import { openSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Descriptor } from "../../../dataplane/kernel/descriptor.ts";
import { cString, memoryAt, NativeStruct, pollDescriptor } from "../../../dataplane/kernel/native.ts";
import { lacks, libbpf, root } from "../../needs.ts";
import { runScript } from "./built-kernel.ts";

test("a struct holds numbers where they were put, and its size first when it has one", () => {
  const struct = new NativeStruct(24, { hasSize: true })
    .setU32(8, 0xfedcba98)
    .setU64(16, 0x0102030405060708n);
  expect(struct.u64(0)).toBe(24n);
  expect(struct.u32(8)).toBe(0xfedcba98);
  expect(struct.u32(12)).toBe(0);
  expect(struct.u64(16)).toBe(0x0102030405060708n);
});

test.for([null, 0n, 0xffff_ffff_ffff_ffffn])("there is no memory at %s", (address) => {
  expect(() => memoryAt(address, 8)).toThrow(RangeError);
});

test("a string for C ends in a zero, and has none within", () => {
  expect(cString("é")).toEqual(Uint8Array.of(0xc3, 0xa9, 0));
  expect(() => cString("a\0b")).toThrow(RangeError);
});

describe.skipIf(lacks("what C points to", root, libbpf))("what C points to", () => {
  test("lives as long as the bytes of the struct that points there", () => {
    const { stdout } = runScript(`
      const { NativeStruct } = await load("native");
      const make = () => {
        const target = new Uint8Array(1 << 20);
        return { bytes: new NativeStruct(16).setPointer(8, target).bytes, target: new WeakRef(target) };
      };
      let { bytes, target } = make();
      await collect();
      console.log(target.deref() !== undefined, bytes.length);
      bytes = undefined;
      await collect();
      console.log(target.deref() !== undefined);
    `);
    expect(stdout).toBe("true 16\nfalse\n");
  });

  test("goes when the pointer is cleared or set anew", () => {
    const { stdout } = runScript(`
      const { NativeStruct } = await load("native");
      const struct = new NativeStruct(16);
      const set = () => {
        const target = new Uint8Array(1 << 20);
        struct.setPointer(8, target);
        return new WeakRef(target);
      };
      const targets = [set(), set()];
      await collect();
      console.log(targets.map((target) => target.deref() !== undefined).join());
      struct.setPointer(8, null);
      await collect();
      console.log(targets.map((target) => target.deref() !== undefined).join(), struct.u64(8));
    `);
    expect(stdout).toBe("false,true\nfalse,false 0n\n");
  });

  test("of a call on another thread lives until that returns", () => {
    const { stdout } = runScript(`
      const { callAsync } = await load("native");
      const { libc } = await load("libc");
      const call = () => {
        const pollSet = new Uint8Array(1 << 20);
        return { done: callAsync(libc().poll, pollSet, 0, 200), target: new WeakRef(pollSet) };
      };
      const { done, target } = call();
      await collect();
      console.log(target.deref() !== undefined);
      console.log(await done);
      await collect();
      console.log(target.deref() !== undefined);
    `);
    expect(stdout).toBe("true\n0\nfalse\n");
  });

  test("polling of a closed descriptor is refused, and stops with close", () => {
    const descriptor = new Descriptor(openSync("/dev/null", "r"), "the null device");
    descriptor.close();
    expect(() => pollDescriptor(descriptor, () => {})).toThrow(expect.objectContaining({ code: "closed" }));
  });
});
