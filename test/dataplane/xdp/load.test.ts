/**
 * The kernel's verifier takes the committed object, with each option both ways. Loads into a folder of its own in bpffs, which is
 * removed again.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { packageFile } from "../../../control/package-root.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import { findVariable, writeVariable } from "../../../dataplane/object/variables.ts";
import { kernelBpf, lacks } from "../../needs.ts";

const OBJECT = packageFile("dataplane", "xdp", "balancer.bpf.o");

describe.skipIf(lacks("the object before the kernel's verifier", kernelBpf))("the kernel's verifier", () => {
  const pins = `/sys/fs/bpf/lamna-load-test-${process.pid}`;
  let scratch = "";
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), "lamna-load-test-"));
    mkdirSync(pins);
  });
  afterAll(() => {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(pins, { recursive: true, force: true });
  });

  test.for<Record<string, number | boolean>>([
    {},
    { option_scope_all: true },
    { option_fragments_balance: false },
    { option_ip_options_balance: true },
    { option_too_big_icmp: false },
    { option_echo: 0 },
    { option_echo: 2 },
    { option_any_port_vips: false },
    { option_external_clock: true },
    { option_scope_all: true, option_fragments_balance: false, option_ip_options_balance: true },
  ])("takes the object with %o", (options) => {
    const file = join(scratch, "balancer.bpf.o");
    const pin = join(pins, "balance");
    writeFileSync(file, objectWith(options));
    const load = spawnSync("bpftool", ["prog", "load", file, pin, "type", "xdp"], { encoding: "utf8" });
    expect(load.stderr.split("\n").slice(-40).join("\n"), `exit ${load.status}`).toSatisfy(
      () => load.status === 0,
    );
    rmSync(pin);
  });
});

/** The object's bytes with other values of options, as a loader sets them before load. */
function objectWith(options: Readonly<Record<string, number | boolean>>): Uint8Array {
  const bytes = readFileSync(OBJECT);
  const object = readObject(bytes);
  const rodata = object.maps.find(({ isReadonly }) => isReadonly)?.contents;
  if (rodata === undefined) throw new Error("the object has no .rodata");
  const at = bytes.indexOf(rodata);
  if (at < 0 || bytes.indexOf(rodata, at + 1) >= 0)
    throw new Error("the bytes of .rodata are not in one place");
  const contents = Uint8Array.from(rodata);
  for (const [name, value] of Object.entries(options))
    writeVariable(contents, findVariable(object, name), value);
  bytes.set(contents, at);
  return bytes;
}
