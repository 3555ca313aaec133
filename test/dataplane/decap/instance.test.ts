/** A pinned decapsulation over the life of its host: other versions of the program, and processes that end at the wrong moment. */
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageFile } from "../../../control/package-root.ts";
import { readAcceptance, writeAcceptance } from "../../../dataplane/decap/acceptance.ts";
import { DecapInstance } from "../../../dataplane/decap/instance.ts";
import { findInterface } from "../../../dataplane/kernel/find-interface.ts";
import { checked, libc } from "../../../dataplane/kernel/libc.ts";
import { openPin, pin, unpin } from "../../../dataplane/kernel/pins.ts";
import { queryTcFilter } from "../../../dataplane/kernel/tc-filter.ts";
import { queryXdp } from "../../../dataplane/kernel/xdp-state.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../../dataplane/object/spec.ts";
import { bpffs, lacks, libbpf, namespaces as namespacesNeed } from "../../needs.ts";
import { Namespaces } from "../kernel/namespaces.ts";
import { decapObject } from "./decapsulator.ts";

const CLONE_NEWNET = 0x40000000;
const PINS = `/sys/fs/bpf/lamna-decap-test-${process.pid}`;
const OPTIONS = { waitMs: 1000 };
const VIP = { family: 4, bytes: Uint8Array.of(203, 0, 113, 10) } as const;
const SOURCE = {
  address: { family: 6, bytes: Uint8Array.of(1, ...new Array(15).fill(0)) },
  lengthBits: 64,
} as const;
const ACCEPTANCE = { vips: [VIP], sources: [SOURCE], guePort: 9886, dropOthers: true };

describe.skipIf(lacks("a pinned decapsulation", namespacesNeed, libbpf, bpffs))(
  "a pinned decapsulation",
  () => {
    const namespaces = new Namespaces("decap");
    let home = -1;
    beforeAll(() => {
      namespaces.add("host");
      namespaces.addVeth(["host", "d0"], ["host", "d1"]);
      home = openSync("/proc/self/ns/net", "r");
      enter(namespaces.path("host"));
    });
    afterAll(() => {
      if (home < 0) return;
      checked(libc().setns(home, CLONE_NEWNET), "go home");
      closeSync(home);
    });

    test("goes on with another version's programs, and what it was told", async () => {
      const first = await DecapInstance.openOrCreate(PINS, decapObject(), OPTIONS);
      writeAcceptance(first.maps, ACCEPTANCE);
      first.attach(target("d0"), "xdp", "auto");
      first.attach(target("d1"), "tc", "auto");
      first.close();
      const before = running();

      const same = await DecapInstance.openOrCreate(PINS, decapObject(), OPTIONS);
      same.close();
      expect(running()).toEqual(before);

      const next = await DecapInstance.openOrCreate(PINS, anotherVersion(), OPTIONS);
      expect(readAcceptance(next.maps)).toEqual(ACCEPTANCE);
      const after = running();
      expect(after.xdp).not.toBe(before.xdp);
      expect(after.tc).not.toBe(before.tc);
      expect(next.interfaces()).toEqual([
        { name: "d0", hook: "xdp", mode: "native", isRunning: true },
        { name: "d1", hook: "tc", mode: undefined, isRunning: true },
      ]);
      next.remove();
      next.close();
      expect(existsSync(PINS)).toBe(false);
      expect(running()).toEqual({ xdp: 0, tc: undefined });
    });

    test("is completed by the next process when one ends while it replaces programs", async () => {
      const first = await DecapInstance.openOrCreate(PINS, decapObject(), OPTIONS);
      first.attach(target("d1"), "tc", "auto");
      first.close();
      // As TcPins.replaceProgram has left it: the next program is pinned, the filters have the old one.
      const old = openPin(`${PINS}/tc/program`, "the old program")!;
      pin(old, `${PINS}/tc/next`);
      old.close();
      const next = await DecapInstance.openOrCreate(PINS, anotherVersion(), OPTIONS);
      expect(existsSync(`${PINS}/tc/next`)).toBe(false);
      expect(next.interfaces()).toMatchObject([{ name: "d1", hook: "tc", isRunning: true }]);
      next.remove();
      next.close();
    });

    test("that was never whole is none, and its remains are removed", async () => {
      const first = await DecapInstance.openOrCreate(PINS, decapObject(), OPTIONS);
      first.close();
      unpin(`${PINS}/program`);
      expect(await DecapInstance.open(PINS, { mode: "shared", ...OPTIONS })).toBeUndefined();
      expect(existsSync(`${PINS}/maps/vips`)).toBe(true);
      expect(await DecapInstance.open(PINS, { mode: "exclusive", ...OPTIONS })).toBeUndefined();
      expect(existsSync(PINS)).toBe(false);
    });

    test("refuses a version that needs other maps, and goes on as it was", async () => {
      const first = await DecapInstance.openOrCreate(PINS, decapObject(), OPTIONS);
      first.attach(target("d0"), "xdp", "auto");
      first.close();
      const before = running();
      const object = decapObject();
      const maps = object.maps.map((map) => (map.name === "vips" ? { ...map, maxEntries: 7 } : map));
      await expect(DecapInstance.openOrCreate(PINS, { ...object, maps }, OPTIONS)).rejects.toMatchObject({
        code: "wrong-layout",
        remedy: expect.stringContaining("detach"),
      });
      expect(running()).toEqual(before);
      const last = await DecapInstance.open(PINS, { mode: "exclusive", ...OPTIONS });
      expect(last?.interfaces()).toMatchObject([{ name: "d0", isRunning: true }]);
      last?.remove();
      last?.close();
    });

    test("is one process's at a time", async () => {
      const first = await DecapInstance.openOrCreate(PINS, decapObject(), OPTIONS);
      await expect(DecapInstance.openOrCreate(PINS, decapObject(), { waitMs: 50 })).rejects.toMatchObject({
        code: "busy",
      });
      first.remove();
      first.close();
      first.close();
      expect(() => readAcceptance(first.maps)).toThrow(expect.objectContaining({ code: "closed" }));
    });

    function running(): { readonly xdp: number; readonly tc: number | undefined } {
      return { xdp: queryXdp(target("d0")).programId, tc: queryTcFilter(target("d1")) };
    }
  },
);

function enter(path: string): void {
  const fd = openSync(path, "r");
  checked(libc().setns(fd, CLONE_NEWNET), `enter ${path}`);
  closeSync(fd);
}

function target(name: string): { readonly name: string; readonly ifindex: number } {
  return findInterface(name)!;
}

/** The object with another constant in each program: the length of the key that sources are looked up by. */
function anotherVersion(): ObjectSpec {
  const image = Buffer.from(readFileSync(packageFile("dataplane", "decap", "decap.bpf.o")));
  const [opcode, bits] = [0xb4, 160]; // w = 160
  let count = 0;
  for (let at = 0; at + 8 <= image.length; at += 8) {
    if (image[at] !== opcode || image.readUInt16LE(at + 2) !== 0 || image.readInt32LE(at + 4) !== bits)
      continue;
    image.writeInt32LE(bits - 1, at + 4);
    count++;
  }
  if (count < 2) throw new Error(`found the constant ${count} times, expected it in both programs`);
  return readObject(image);
}
