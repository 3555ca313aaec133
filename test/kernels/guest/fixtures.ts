/**
 * Every fixture through the kernel's test run: verdicts, bytes and counters are what the fixture says. To load a program takes most of the
 * time in an emulated processor, so fixtures that want the same one share it, each over maps that were zeroed again.
 */
import { deepEqual, equal } from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ProgrammedMaps, TICKS_PER_SECOND } from "../../../control/cli/programmed-dataplane.ts";
import { readShippedObject } from "../../../control/cli/shipped-object.ts";
import { readConfig } from "../../../control/model/config-file.ts";
import { packageFile } from "../../../control/package-root.ts";
import { readCounters } from "../../../control/plan/counters.ts";
import { loadRequest } from "../../../control/plan/load-request.ts";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import type { DataplaneMap, LoadRequest } from "../../../dataplane/dataplane.ts";
import { pinThread } from "../../../dataplane/kernel/cpu-affinity.ts";
import { type KernelDataplane, openKernel } from "../../../dataplane/kernel/kernel-dataplane.ts";
import { TestRunner } from "../../../dataplane/kernel/test-run.ts";
import type { Expectation } from "../../../pcap-fixtures/files.ts";
import type { Check } from "./check.ts";

export function fixtureChecks(): Check[] {
  const folder = packageFile("pcap-fixtures");
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "out.pcapng")))
    .map((name) => ({ name: `fixture ${name} in test_run`, run: () => runFixture(join(folder, name)) }));
}

async function runFixture(folder: string): Promise<void> {
  // Flow tables are per CPU, and a test run happens on the one that this thread is on.
  const pinned = pinThread();
  try {
    const config = readConfig(join(folder, "config.yaml"));
    const request = loadRequest(config, readShippedObject(), {
      cpuCount: pinned.cpu + 1,
      ticksPerSecond: TICKS_PER_SECOND,
      externalClock: true,
      flowSeed: 1n,
    });
    const kernel = await freshKernel(request);
    const maps = new ProgrammedMaps(kernel, request);
    await maps.apply(config);
    if (!(await runCapture(folder, kernel))) return;
    const { reasons, vips } = readCounters(kernel, maps.names);
    const expected = JSON.parse(readFileSync(join(folder, "expect.json"), "utf8")) as Expectation;
    const counted = Object.entries(reasons).filter(([, count]) => count > 0n);
    deepEqual(Object.fromEntries(counted.map(([name, count]) => [name, Number(count)])), expected.reasons);
    deepEqual(
      vips.map(({ packets, bytes }) => ({ packets: Number(packets), bytes: Number(bytes) })),
      expected.vips.map(({ packets, bytes }) => ({ packets, bytes })),
    );
  } finally {
    pinned.release();
  }
}

/** Whether every packet was run: of those that drivers may hand over, test runs take no frame that is shorter than an Ethernet header. */
async function runCapture(folder: string, kernel: KernelDataplane): Promise<boolean> {
  const before = (await decodeCapture(join(folder, "in.pcapng"))).packets;
  const after = (await decodeCapture(join(folder, "out.pcapng"))).packets;
  equal(after.length, before.length);
  const runner = new TestRunner(kernel.program);
  let isWhole = true;
  for (const [index, { bytes, timeNs }] of before.entries()) {
    if (runner.refusal(bytes.length) !== undefined) {
      isWhole = false;
      continue;
    }
    kernel.setTime(timeNs!);
    const { verdict, frame } = runner.run({ frame: bytes });
    const wanted = after[index]!;
    equal(verdict, Number(wanted.verdict), `verdict of packet ${index}`);
    equal(hex(frame), hex(wanted.bytes), `bytes of packet ${index}`);
  }
  return isWhole;
}

/** Of the request with this text; they live as long as the guest. */
const kernels = new Map<string, KernelDataplane>();

/** A program as the request wants it, whose maps are as if they were new. */
async function freshKernel(request: LoadRequest): Promise<KernelDataplane> {
  const { options, maxEntries } = request;
  const key = [...options, ...maxEntries].map(([name, value]) => `${name}=${value}`).join();
  const present = kernels.get(key);
  if (present !== undefined) {
    zeroMaps(present);
    return present;
  }
  const kernel = await openKernel(request, {
    programClock: { variable: "clock_ticks", ticksPerSecond: TICKS_PER_SECOND },
  });
  kernels.set(key, kernel);
  return kernel;
}

function zeroMaps(kernel: KernelDataplane): void {
  for (const { name, isReadonly, inner, contents } of kernel.request.object.maps) {
    if (isReadonly) continue;
    const map = kernel.map(name);
    if (contents !== undefined) {
      map.withView(0, 1, (bytes) => bytes.set(contents));
    } else if (inner === undefined) {
      zero(map);
    } else {
      for (let index = 0; index < innerCount(kernel, name); index++) zero(map.inner(index));
    }
  }
}

function innerCount(kernel: KernelDataplane, name: string): number {
  return kernel.maps.get(name)?.inner?.length ?? 0;
}

function zero(map: DataplaneMap): void {
  map.withView(0, map.maxEntries, (bytes) => bytes.fill(0));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
