/** The committed decapsulation program for XDP on the simulator, its maps filled as `lamna backend attach` fills them. */
import { readFileSync } from "node:fs";
import { packageFile } from "../../../control/package-root.ts";
import {
  Family,
  maps,
  REASON_NAMES,
  sourcePrefix,
  traffic,
  vipKey,
} from "../../../dataplane/decap/generated/decap.ts";
import type { Nic } from "../../../dataplane/nic/nic.ts";
import { readObject } from "../../../dataplane/object/read-object.ts";
import type { ObjectSpec } from "../../../dataplane/object/spec.ts";
import { openSimulator, type Simulator } from "../../../dataplane/simulator.ts";
import { ip } from "../../packets/address.ts";

export interface DecapsulatorOptions {
  /** Undefined: whatever is inside is accepted. */
  readonly vips?: readonly string[];
  /** Prefixes; undefined: whoever sends is accepted. */
  readonly sources?: readonly string[];
  readonly guePort?: number;
  readonly dropOthers?: boolean;
}

export interface Run {
  readonly verdict: string;
  readonly reason: string;
  readonly frame: Uint8Array;
}

export const GUE_PORT = 6080;
/** Jumbo frames, with their headroom. */
const BUFFER_BYTES = 16384;

let object: ObjectSpec | undefined;

export function decapObject(): ObjectSpec {
  object ??= readObject(readFileSync(packageFile("dataplane", "decap", "decap.bpf.o")));
  return object;
}

export function settingsBytes(options: DecapsulatorOptions): Uint8Array {
  const bytes = new Uint8Array(maps.settings.value.sizeBytes);
  maps.settings.value.write(bytes, {
    guePort: options.guePort ?? GUE_PORT,
    vipsOnly: options.vips !== undefined,
    sourcesOnly: options.sources !== undefined,
    dropOthers: options.dropOthers ?? false,
  });
  return bytes;
}

export function vipKeyBytes(address: string): Uint8Array {
  const bytes = new Uint8Array(vipKey.sizeBytes);
  vipKey.write(bytes, { address: padded(ip(address)), family: familyOf(address) });
  return bytes;
}

export function sourceKeyBytes(prefix: string): Uint8Array {
  const [address = "", lengthBits = ""] = prefix.split("/");
  const bytes = new Uint8Array(sourcePrefix.sizeBytes);
  const family = familyOf(address);
  sourcePrefix.write(bytes, { lengthBits: 32 + Number(lengthBits), family, address: padded(ip(address)) });
  return bytes;
}

function familyOf(address: string): number {
  return address.includes(":") ? Family.FAMILY_IPV6 : Family.FAMILY_IPV4;
}

function padded(address: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(address);
  return bytes;
}

export class Decapsulator {
  readonly #simulator: Simulator;
  readonly #nic: Nic;

  private constructor(simulator: Simulator) {
    this.#simulator = simulator;
    this.#nic = simulator.createNic();
  }

  static async open(options: DecapsulatorOptions): Promise<Decapsulator> {
    const simulator = await openSimulator(
      {
        object: decapObject(),
        program: "decap_xdp",
        cpuCount: 1,
        options: new Map(),
        maxEntries: new Map([["reason_counters", 1]]),
      },
      { machine: { bufferSizeBytes: BUFFER_BYTES } },
    );
    simulator.map("settings").write(0, settingsBytes(options));
    for (const vip of options.vips ?? []) put(simulator, "vips", vipKeyBytes(vip), traffic.sizeBytes);
    for (const source of options.sources ?? []) put(simulator, "sources", sourceKeyBytes(source), 4);
    return new Decapsulator(simulator);
  }

  run(frame: Uint8Array): Run {
    const before = this.reasons();
    const { action, fault, frame: after } = this.#nic.process(frame, 0n);
    if (fault !== undefined) throw fault;
    const now = this.reasons();
    const counted = REASON_NAMES.filter((_, reason) => now[reason] !== before[reason]);
    if (counted.length !== 1) throw new Error(`one reason is counted, not "${counted.join(", ")}"`);
    return { verdict: action, reason: counted[0]!, frame: after.slice() };
  }

  reasons(): readonly bigint[] {
    return maps.reason_counters.value.read(this.#simulator.map("reason_counters").read(0)).packets;
  }

  traffic(vip: string): { packets: bigint; bytes: bigint } {
    return traffic.read(this.#simulator.machine.map("vips").lookupValue(vipKeyBytes(vip))!);
  }
}

function put(simulator: Simulator, map: string, key: Uint8Array, valueBytes: number): void {
  const result = simulator.machine.map(map).updateValue(key, new Uint8Array(valueBytes));
  if (result !== 0) throw new Error(`map ${map}: error ${result}`);
}
