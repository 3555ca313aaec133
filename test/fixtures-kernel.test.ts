/**
 * Every fixture through the running kernel: each packet ends with the verdict and the bytes that the fixture says, and leaves the counters and
 * tables that it leaves in the interpreter. Loading takes the kernel's verifier a good part of a second, so fixtures of the same capacity
 * share what is loaded: their configs are applied one after another.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ProgrammedDataplane } from "../control/cli/programmed-dataplane.ts";
import { openProgrammedKernel, type ProgrammedKernel } from "../control/cli/replay-kernel.ts";
import {
  openReference,
  type PacketDifference,
  type ReferenceLane,
  Verification,
} from "../control/cli/verification.ts";
import { describeElement } from "../control/cli/verify-elements.ts";
import { comparedMaps, withMapViews } from "../control/cli/verify-maps.ts";
import type { Config } from "../control/model/config.ts";
import { readConfig } from "../control/model/config-file.ts";
import { decodeCapture } from "../dataplane/capture/capture-contents.ts";
import { hexdump } from "./model/comparison.ts";
import { balancerObject } from "./model/program.ts";
import { lacks, libbpf, root } from "./needs.ts";
import { equalBytes } from "./packets/address.ts";

const FOLDER = join(import.meta.dirname, "../pcap-fixtures");
const CASES = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, "out.pcapng")));
/** Only these hold frames that the kernel does not run: cut inside the Ethernet header. */
const WITH_SHORT_FRAMES = new Set(["ethernet-cut", "ethernet-cut-scope-all"]);

interface Pair {
  readonly kernel: ProgrammedKernel;
  readonly reference: ReferenceLane;
}

const pairs = new Map<string, Pair>();
afterAll(async () => {
  for (const { kernel, reference } of pairs.values()) {
    await reference.programmed.close();
    await kernel.close();
  }
});

/** Kernel and interpreter with this config, and no flow or counter of the case before. */
async function pairFor(config: Config): Promise<Pair> {
  const key = JSON.stringify(config.capacity);
  const present = pairs.get(key);
  if (present !== undefined) {
    for (const one of [present.kernel, present.reference.programmed]) {
      await one.apply(config);
      clear(one);
    }
    return present;
  }
  const kernel = await openProgrammedKernel(config, balancerObject());
  try {
    const { cpuCount } = kernel.dataplane;
    const reference = await openReference(config, balancerObject(), { queue: kernel.cpu, cpuCount });
    const pair = { kernel, reference };
    pairs.set(key, pair);
    return pair;
  } catch (error) {
    await kernel.close();
    throw error;
  }
}

function clear({ dataplane }: ProgrammedDataplane): void {
  withMapViews(comparedMaps(dataplane, balancerObject()).byProgram, (views) => {
    for (const bytes of views) bytes.fill(0);
  });
}

describe.skipIf(lacks("the fixtures on the kernel", root, libbpf))("in the kernel as in the fixture:", () => {
  test.for(CASES)("%s", async (name) => {
    const { kernel, reference } = await pairFor(readConfig(join(FOLDER, name, "config.yaml")));
    const before = await decodeCapture(join(FOLDER, name, "in.pcapng"));
    const after = await decodeCapture(join(FOLDER, name, "out.pcapng"));
    const runnable = before.packets
      .map(({ bytes, timeNs }, i) => ({ frame: bytes, timeNs: timeNs!, wanted: after.packets[i]! }))
      .filter(({ frame }) => kernel.whyNotRun(frame) === undefined);
    expect(runnable.length < before.packets.length).toBe(WITH_SHORT_FRAMES.has(name));

    const verification = new Verification(reference, [kernel], balancerObject());
    expect(verification.compareAllMaps()).toBeUndefined();
    const results: { readonly code: number; readonly frame: Uint8Array }[] = [];
    const difference = withResults(kernel, results, () => verification.check(runnable));
    if (difference !== undefined) expect.fail(describeDifference(difference, kernel));
    expect(verification.compareAllMaps()).toBeUndefined();

    expect(results.length).toBe(runnable.length);
    for (const [i, { frame, wanted }] of runnable.entries()) {
      const { code, frame: got } = results[i]!;
      if (BigInt(code) === wanted.verdict && equalBytes(got, wanted.bytes)) continue;
      const words = [
        `got code ${code}`,
        hexdump(got),
        `expected code ${wanted.verdict}`,
        hexdump(wanted.bytes),
      ];
      expect.fail(`packet ${wanted.id}\n${hexdump(frame)}\n${words.join("\n")}`);
    }
  });
});

/** Notes what the kernel makes of each packet that `run` gives it. */
function withResults<T>(
  kernel: ProgrammedKernel,
  results: { code: number; frame: Uint8Array }[],
  run: () => T,
): T {
  const process = kernel.process;
  kernel.process = (...packet) => {
    const result = process.apply(kernel, packet);
    results.push(result);
    return result;
  };
  try {
    return run();
  } finally {
    kernel.process = process;
  }
}

function describeDifference(
  { index, elements, ...rest }: PacketDifference,
  kernel: ProgrammedKernel,
): string {
  const naming = {
    names: kernel.names,
    cpuCount: kernel.dataplane.cpuCount,
    entriesOf: (map: string) => kernel.dataplane.map(map).maxEntries,
  };
  const values = elements.flatMap((element) => describeElement(element, naming));
  const codes = `code ${rest.found.code}, expected ${rest.expected.code}`;
  const frames = `${hexdump(rest.found.frame)}\nexpected\n${hexdump(rest.expected.frame)}`;
  return `packet ${index} of those that run is not alike: ${codes}\n${frames}\n${JSON.stringify(values, undefined, 2)}`;
}
