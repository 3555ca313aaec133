/** The inner maps of a map-in-map: one for each CPU, in that CPU's memory where the host has more than one node of it. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { MapSpec } from "../object/spec.ts";
import { Descriptor } from "./descriptor.ts";
import { systemError } from "./kernel-error.ts";
import { libbpf } from "./libbpf.ts";
import { callAsync, NativeStruct } from "./native.ts";

const BPF_F_NUMA_NODE = 1 << 2;
/** struct bpf_map_create_opts (bpf.h). */
const CREATE_OPTIONS = { sizeBytes: 48, mapFlags: 28, numaNode: 40 } as const;
const BATCH_OPTIONS_SIZE_BYTES = 24;

/**
 * One map for each CPU of the definition's size. `nodes` gives each CPU's memory node (see cpuNodes); the kernel wants the same flags of all inner
 * maps, so either all have one or none. Throws KernelError; maps that were made by then are closed.
 */
export function createPerCpuMaps(
  outerName: string,
  spec: MapSpec,
  cpuCount: number,
  nodes: readonly number[] | undefined,
): Descriptor[] {
  const made: Descriptor[] = [];
  try {
    for (let cpu = 0; cpu < cpuCount; cpu++) made.push(createMap(`${outerName}[${cpu}]`, spec, nodes?.[cpu]));
    return made;
  } catch (error) {
    for (const map of made) map.close();
    throw error;
  }
}

/**
 * Puts inner maps into an outer one, off the event loop: after each change of an outer map the kernel waits until no program uses the map that
 * was there (10 to 25 ms), after a batch of them once (from 6.8 on; before that the batch waits as often).
 * Throws KernelError.
 */
export async function putInnerMaps(outer: Descriptor, inner: readonly Descriptor[]): Promise<void> {
  if (inner.length === 0) return;
  const keys = new Uint8Array(Uint32Array.from(inner, (_, index) => index).buffer);
  const values = new Uint8Array(Uint32Array.from(inner, (map) => map.fd).buffer);
  const count = Uint32Array.of(inner.length);
  const { bytes: options } = new NativeStruct(BATCH_OPTIONS_SIZE_BYTES, { hasSize: true });
  const batch = await callAsync(libbpf().bpf_map_update_batch, outer.fd, keys, values, count, options);
  if (batch === 0) return;
  // Kernels without batches for this type: one after another on the pool's threads, which wait at the same time.
  const results = await Promise.all(
    inner.map((_, index) => {
      const [from, to] = [4 * index, 4 * index + 4];
      const [key, value] = [keys.subarray(from, to), values.subarray(from, to)];
      return callAsync(libbpf().bpf_map_update_elem, outer.fd, key, value, 0);
    }),
  );
  const failed = results.find((result) => result < 0);
  if (failed !== undefined) throw systemError(`${outer.what}: put an inner map in`, failed);
}

/**
 * The memory node of each of the first CPUs, or undefined where there is only one node. A CPU that is not there yet has node -1, which means
 * any to the kernel.
 */
export function cpuNodes(cpuCount: number, root = "/sys/devices/system"): number[] | undefined {
  const listed = (path: string, pattern: RegExp): number[] => {
    try {
      return readdirSync(join(root, path)).flatMap((name) => {
        const number = pattern.exec(name)?.[1];
        return number === undefined ? [] : [Number(number)];
      });
    } catch {
      return [];
    }
  };
  if (listed("node", /^node(\d+)$/).length < 2) return undefined;
  return Array.from({ length: cpuCount }, (_, cpu) => listed(`cpu/cpu${cpu}`, /^node(\d+)$/)[0] ?? -1);
}

function createMap(name: string, spec: MapSpec, node: number | undefined): Descriptor {
  const options = new NativeStruct(CREATE_OPTIONS.sizeBytes, { hasSize: true });
  options.setU32(CREATE_OPTIONS.mapFlags, node === undefined ? spec.flags : spec.flags | BPF_F_NUMA_NODE);
  if (node !== undefined) options.setU32(CREATE_OPTIONS.numaNode, node >>> 0);
  const result = libbpf().bpf_map_create(
    spec.type,
    kernelName(spec.name),
    spec.keySizeBytes,
    spec.valueSizeBytes,
    spec.maxEntries,
    options.bytes,
  );
  return Descriptor.from(result, `map "${name}": create it with ${spec.maxEntries} entries`, `map "${name}"`);
}

/** What the kernel allows in names: at most 15 letters, digits, "_" and "." (bpf_obj_name_cpy in kernel/bpf/syscall.c). */
function kernelName(name: string): string {
  return name.replace(/[^\w.]/g, "_").slice(0, 15);
}
