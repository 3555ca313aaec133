/** Maps under test: a machine's memory with one map in it, worked on from a program's side (addresses) and from user space (bytes). */
import type { MapSpec } from "../../../../dataplane/object/spec.ts";
import { createMap } from "../../../../dataplane/vm/maps/create.ts";
import type { MapEnvironment } from "../../../../dataplane/vm/maps/environment.ts";
import type { VmMap } from "../../../../dataplane/vm/maps/map.ts";
import { Memory } from "../../../../dataplane/vm/memory.ts";

export function mapSpec(spec: Partial<MapSpec> & Pick<MapSpec, "type">): MapSpec {
  return {
    name: "tested",
    keySizeBytes: 4,
    valueSizeBytes: 8,
    maxEntries: 4,
    flags: 0,
    isReadonly: false,
    ...spec,
  };
}

export interface Bench<M extends VmMap> {
  readonly memory: Memory;
  readonly map: M;
  /** As a program: the key and value are put on what would be its stack. */
  readonly program: {
    lookup(key: Uint8Array, cpu: number): Uint8Array | undefined;
    update(key: Uint8Array, value: Uint8Array, flags: bigint, cpu: number): number;
    delete(key: Uint8Array): number;
  };
}

export function bench<M extends VmMap = VmMap>(
  spec: MapSpec,
  environment: Partial<MapEnvironment> = {},
): Bench<M> {
  const memory = new Memory({ maximumBytes: 64 * 1024 * 1024 });
  // An odd address, since a program's stack may hold a key anywhere.
  const keyAddress = memory.allocate(spec.keySizeBytes + 1) + 1;
  const valueAddress = memory.allocate(spec.valueSizeBytes + 1) + 1;
  const map = createMap(spec, memory, { id: 1, cpuCount: 2, ...environment }) as M;
  return {
    memory,
    map,
    program: {
      lookup(key, cpu) {
        memory.write(keyAddress, key);
        const address = map.lookup(keyAddress, cpu);
        return address === 0 ? undefined : memory.read(address, spec.valueSizeBytes);
      },
      update(key, value, flags, cpu) {
        memory.write(keyAddress, key);
        memory.write(valueAddress, value);
        return map.update(keyAddress, valueAddress, flags, cpu);
      },
      delete(key) {
        memory.write(keyAddress, key);
        return map.delete(keyAddress);
      },
    },
  };
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Every byte the same: enough to tell values apart. */
export function filled(sizeBytes: number, byte: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(byte);
}

export function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
}

/** All keys in the order of nextKey; throws when there are more than `limit`, so that a loop ends. */
export function allKeys(map: VmMap, limit = 1000): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let key = map.nextKey(undefined); key !== undefined; key = map.nextKey(key)) {
    keys.push(key);
    if (keys.length > limit) throw new Error(`more than ${limit} keys`);
  }
  return keys;
}
