/** Helpers on maps. */

import { EINVAL } from "../maps/errno.ts";
import type { VmMap } from "../maps/map.ts";
import {
  BPF_MAP_TYPE_ARRAY,
  BPF_MAP_TYPE_HASH,
  BPF_MAP_TYPE_LRU_HASH,
  BPF_MAP_TYPE_LRU_PERCPU_HASH,
  BPF_MAP_TYPE_PERCPU_ARRAY,
  BPF_MAP_TYPE_PERCPU_HASH,
} from "../maps/map-type.ts";
import { ANY, FUNCTION, type Helper, type HelperCall, KEY, LOCK, MAP, mapOf, VALUE } from "./helper.ts";

export const MAP_HELPERS: readonly Helper[] = [
  {
    number: 1,
    name: "map_lookup_elem",
    parameters: [MAP, KEY],
    call: ({ map, registers, cpu }) => map.lookup(registers.low(2), cpu.index),
  },
  {
    number: 2,
    name: "map_update_elem",
    parameters: [MAP, KEY, VALUE, ANY],
    call: ({ map, registers, cpu }) =>
      map.update(registers.low(2), registers.low(3), registers.u64[4]!, cpu.index),
  },
  {
    number: 3,
    name: "map_delete_elem",
    parameters: [MAP, KEY],
    call: ({ map, registers }) => map.delete(registers.low(2)),
  },
  {
    number: 195,
    name: "map_lookup_percpu_elem",
    parameters: [
      mapOf(BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH),
      KEY,
      ANY,
    ],
    call: ({ map, registers, machine }) => {
      const cpu = registers.low(3);
      return cpu < machine.cpuCount ? map.lookup(registers.low(2), cpu) : 0;
    },
  },
  {
    number: 164,
    name: "for_each_map_elem",
    parameters: [
      mapOf(
        BPF_MAP_TYPE_ARRAY,
        BPF_MAP_TYPE_PERCPU_ARRAY,
        BPF_MAP_TYPE_HASH,
        BPF_MAP_TYPE_PERCPU_HASH,
        BPF_MAP_TYPE_LRU_HASH,
        BPF_MAP_TYPE_LRU_PERCPU_HASH,
      ),
      FUNCTION,
      ANY,
      ANY,
    ],
    call: forEachElement,
  },
  // Nothing else runs while a program does, so a lock is free whenever it is asked for.
  { number: 93, name: "spin_lock", parameters: [LOCK], call: () => 0 },
  { number: 94, name: "spin_unlock", parameters: [LOCK], call: () => 0 },
];

/** callback(map, key, value, context) until it returns something else than 0; r0 says how often it was called. */
function forEachElement(call: HelperCall): number {
  const { map, registers, cpu, machine } = call;
  const slot = registers.low(2);
  const contextLow = registers.low(3);
  const contextHigh = registers.high(3);
  if (registers.low(4) !== 0 || registers.high(4) !== 0) return -EINVAL;

  // The callback may change the map. It gets the entries that were there when it began and still are when their turn comes.
  const keyAddress = cpu.takeScratch(map.spec.keySizeBytes);
  let count = 0;
  for (const key of keysOf(map)) {
    machine.memory.write(keyAddress, key);
    const value = map.lookup(keyAddress, cpu.index);
    if (value === 0) continue;
    registers.setHalves(1, map.handle, 0);
    registers.setHalves(2, keyAddress, 0);
    registers.setHalves(3, value, 0);
    registers.setHalves(4, contextLow, contextHigh);
    registers.setHalves(5, 0, 0);
    call.invoke(slot);
    count++;
    if (registers.low(0) !== 0 || registers.high(0) !== 0) break;
  }
  cpu.giveScratch();
  return count;
}

function keysOf(map: VmMap): Uint8Array[] {
  const keys: Uint8Array[] = [];
  for (let key = map.nextKey(undefined); key !== undefined; key = map.nextKey(key)) keys.push(key);
  return keys;
}
