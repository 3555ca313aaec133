/**
 * Both programs in this kernel, by test_run, against the one for XDP in the virtual machine: verdict, reason and bytes. The frames are those
 * of the other tests, whole, cut and damaged.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REASON_NAMES, reasonBlock } from "../../../dataplane/decap/generated/decap.ts";
import { type LoadedObject, loadObject } from "../../../dataplane/kernel/load.ts";
import { possibleCpuCount, RawMap } from "../../../dataplane/kernel/raw-map.ts";
import { testRun } from "../../../dataplane/kernel/test-run.ts";
import { kernelBpf, lacks, libbpf } from "../../needs.ts";
import { destinationOptions, ethernet, fragmentHeader, hopByHop } from "../../packets/frame.ts";
import { Random } from "../../packets/random.ts";
import {
  Decapsulator,
  type DecapsulatorOptions,
  decapObject,
  type Run,
  settingsBytes,
  sourceKeyBytes,
  vipKeyBytes,
} from "./decapsulator.ts";
import {
  ecnCases,
  gue,
  INNER_IPV4,
  INNER_IPV6,
  inIpv4,
  inIpv6,
  ipInIp,
  KINDS,
  TAGS,
  VIP_IPV4,
  VIP_IPV6,
} from "./frames.ts";

const VIPS = [VIP_IPV4, VIP_IPV6];
const SOURCES = ["172.16.0.0/16", "100::/64"];
const XDP_VERDICTS: { readonly [code: number]: string } = { 1: "drop", 2: "pass" };
/** TC_ACT_UNSPEC, as the kernel hands it out, and TC_ACT_SHOT. */
const TC_VERDICTS: { readonly [code: number]: string } = { 4294967295: "pass", 2: "drop" };
/** The shortest frame that a driver hands on. */
const SHORTEST_BYTES = 60;

const FRAMES: readonly Uint8Array[] = [
  ...KINDS.flatMap(({ packet }) => TAGS.map(({ tags }) => ethernet({ tags }, packet))),
  ...ecnCases().flatMap(({ frame }) => [frame]),
  ethernet({}, INNER_IPV4),
  ethernet({}, inIpv6(destinationOptions(gue(INNER_IPV6)))),
  ethernet({}, inIpv6(destinationOptions(ipInIp(INNER_IPV4), new Uint8Array(254)))),
  ethernet({}, inIpv6(hopByHop(ipInIp(INNER_IPV4)))),
  ethernet({}, inIpv6(fragmentHeader(ipInIp(INNER_IPV4)))),
  ethernet({}, inIpv4(ipInIp(INNER_IPV6), { moreFragments: true })),
  ethernet({}, inIpv4(ipInIp(INNER_IPV6), { source: "10.0.0.1" })),
  ethernet({ padToBytes: 1500 }, inIpv4(gue(INNER_IPV4))),
];

class KernelDecapsulator {
  readonly #loaded: LoadedObject;
  readonly #reasons: RawMap;
  readonly #verdicts: { readonly [code: number]: string };

  private constructor(loaded: LoadedObject, verdicts: { readonly [code: number]: string }) {
    this.#loaded = loaded;
    this.#verdicts = verdicts;
    this.#reasons = new RawMap(loaded.maps.get("reason_counters")!.descriptor, "reason_counters");
  }

  static async open(
    program: "decap_xdp" | "decap_tc",
    options: DecapsulatorOptions,
  ): Promise<KernelDecapsulator> {
    const cpuCount = possibleCpuCount();
    const loaded = await loadObject({
      object: decapObject(),
      program,
      cpuCount,
      options: new Map(),
      maxEntries: new Map([["reason_counters", cpuCount]]),
    });
    const map = (name: string): RawMap => new RawMap(loaded.maps.get(name)!.descriptor, name);
    map("settings").update(new Uint8Array(4), settingsBytes(options));
    const vips = map("vips");
    for (const vip of options.vips ?? [])
      vips.update(vipKeyBytes(vip), new Uint8Array(vips.userValueSizeBytes));
    for (const source of options.sources ?? [])
      map("sources").update(sourceKeyBytes(source), new Uint8Array(4));
    return new KernelDecapsulator(loaded, program === "decap_xdp" ? XDP_VERDICTS : TC_VERDICTS);
  }

  run(frame: Uint8Array): Run {
    const before = this.#counts();
    const { verdict, frame: after } = testRun(this.#loaded.program, { frame });
    const now = this.#counts();
    const counted = REASON_NAMES.filter((_, reason) => now[reason] !== before[reason]);
    return { verdict: this.#verdicts[verdict] ?? `${verdict}`, reason: counted.join("+"), frame: after };
  }

  close(): void {
    this.#loaded.close();
  }

  #counts(): bigint[] {
    const total = REASON_NAMES.map(() => 0n);
    for (const { value } of this.#reasons.entries()) {
      const { packets } = reasonBlock.read(value);
      for (const [reason, sum] of total.entries()) total[reason] = sum + packets[reason]!;
    }
    return total;
  }
}

describe
  .skipIf(lacks("the decapsulation programs in the kernel", kernelBpf, libbpf))
  .for(["decap_xdp", "decap_tc"] as const)("%s", (program) => {
  const settings = { vips: VIPS, sources: SOURCES };
  let kernel: KernelDecapsulator;
  let machine: Decapsulator;
  beforeAll(async () => {
    kernel = await KernelDecapsulator.open(program, settings);
    machine = await Decapsulator.open(settings);
  });
  afterAll(() => kernel?.close());

  function agree(frame: Uint8Array, what: string): void {
    const inKernel = kernel.run(frame);
    const inMachine = machine.run(frame);
    const bytes = isFirstTagBeside(inMachine.reason) ? withoutFirstTag(inMachine.frame) : inMachine.frame;
    expect({ ...inKernel, frame: hex(inKernel.frame) }, what).toEqual({ ...inMachine, frame: hex(bytes) });
  }

  /** Where tc has taken a header off, the first tag is no longer in the frame but beside it, which the kernel does not show. */
  function isFirstTagBeside(reason: string): boolean {
    return program === "decap_tc" && reason.includes("_in_");
  }

  test("does with whole frames what the machine does", () => {
    for (const [index, frame] of FRAMES.entries()) agree(frame, `frame ${index}`);
  });

  test("does with cut frames what the machine does", () => {
    for (const [index, frame] of FRAMES.entries()) {
      for (let length = SHORTEST_BYTES; length < Math.min(frame.length, 200); length++)
        agree(frame.slice(0, length), `frame ${index} cut to ${length}`);
    }
  });

  test.for([1, 2])("does with damaged frames what the machine does, seed %i", (seed) => {
    const random = new Random(seed);
    for (let i = 0; i < 5000; i++) {
      const frame = Uint8Array.from(random.pick(FRAMES));
      for (let damage = random.integer(1, 3); damage > 0; damage--)
        frame[random.integer(0, Math.min(frame.length, 110) - 1)] = random.integer(0, 255);
      agree(frame, `frame ${i}: ${hex(frame)}`);
    }
  });
});

function withoutFirstTag(frame: Uint8Array): Uint8Array {
  const isTagged = [0x8100, 0x88a8].includes((frame[12]! << 8) | frame[13]!);
  return isTagged ? Uint8Array.from([...frame.subarray(0, 12), ...frame.subarray(16)]) : frame;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
