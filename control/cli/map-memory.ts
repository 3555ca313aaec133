/** How much memory a configuration takes: the values of all maps, which is all but a few pages of what the kernel charges. */
import type { MapSpec, ObjectSpec } from "../../dataplane/object/spec.ts";
import type { Config } from "../model/config.ts";
import { loadRequest } from "../plan/load-request.ts";

export interface MapMemory {
  readonly cpuCount: number;
  /** Taken once, whatever the number of CPUs. */
  readonly sharedBytes: number;
  /** Of `sharedBytes`. */
  readonly ringBytes: number;
  /** Taken by each CPU. */
  readonly perCpuBytes: number;
  /** Of `perCpuBytes`. */
  readonly flowTableBytes: number;
  readonly totalBytes: number;
}

export function mapMemory(config: Config, object: ObjectSpec, cpuCount: number): MapMemory {
  const one = mapSizes(config, object, 1);
  const two = mapSizes(config, object, 2);
  const sum = (sizes: ReadonlyMap<string, number>): number =>
    [...sizes.values()].reduce((total, size) => total + size, 0);

  const perCpuBytes = sum(two) - sum(one);
  const sharedBytes = sum(one) - perCpuBytes;
  return {
    cpuCount,
    sharedBytes,
    ringBytes: one.get("rings") ?? 0,
    perCpuBytes,
    flowTableBytes: (one.get("flows_ipv4") ?? 0) + (one.get("flows_ipv6") ?? 0),
    totalBytes: sharedBytes + cpuCount * perCpuBytes,
  };
}

/** Bytes of each map's values. An array's values lie at multiples of 8 bytes (kernel/bpf/arraymap.c, Linux 6.18). */
function mapSizes(config: Config, object: ObjectSpec, cpuCount: number): ReadonlyMap<string, number> {
  const request = loadRequest(config, object, {
    cpuCount,
    ticksPerSecond: 1000,
    externalClock: false,
    flowSeed: 0n,
  });
  return new Map(
    object.maps.map((map) => {
      const entries = request.maxEntries.get(map.name);
      const size =
        map.inner === undefined ? arrayBytes(map, entries) : cpuCount * arrayBytes(map.inner, entries);
      return [map.name, size];
    }),
  );
}

function arrayBytes({ valueSizeBytes, maxEntries }: MapSpec, entries = maxEntries): number {
  return Math.ceil(valueSizeBytes / 8) * 8 * entries;
}
