import fc from "fast-check";
import { expect, test } from "vitest";
import { EACCES, EEXIST, EINVAL, ENOENT, ENOSPC } from "../../../../dataplane/vm/maps/errno.ts";
import type { LpmTrie } from "../../../../dataplane/vm/maps/lpm-trie.ts";
import {
  BPF_F_NO_PREALLOC,
  BPF_F_RDONLY_PROG,
  BPF_MAP_TYPE_LPM_TRIE,
} from "../../../../dataplane/vm/maps/map-type.ts";
import { allKeys, bench, filled, hex, mapSpec, u32 } from "./harness.ts";

const trieSpec = (dataBytes: number, maxEntries: number): ReturnType<typeof mapSpec> =>
  mapSpec({ type: BPF_MAP_TYPE_LPM_TRIE, keySizeBytes: 4 + dataBytes, maxEntries, flags: BPF_F_NO_PREALLOC });

function prefixKey(prefix: number, data: readonly number[]): Uint8Array {
  return Uint8Array.of(...u32(prefix), ...data);
}

/** The prefix as a string of 0 and 1: prefix matching is startsWith. */
function bitsOf(prefix: number, data: readonly number[]): string {
  return data
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("")
    .slice(0, prefix);
}

test.for([{ dataBytes: 1 }, { dataBytes: 2 }, { dataBytes: 5 }])(
  "a trie of $dataBytes bytes finds what a search through all prefixes finds",
  ({ dataBytes }) => {
    // Few different bits, so that prefixes contain each other often; beyond the longest, so that it is refused.
    const byte = fc.constantFrom(0, 0x80, 0xc0, 0xff, 0xa5);
    const operation = fc.record({
      kind: fc.constantFrom("lookup", "update", "update", "delete", "userLookup", "userUpdate", "userDelete"),
      prefix: fc.nat({ max: dataBytes * 8 + 1 }),
      data: fc.array(byte, { minLength: dataBytes, maxLength: dataBytes }),
      value: fc.nat({ max: 255 }),
      flags: fc.constantFrom(0n, 0n, 0n, 1n, 2n, 3n, 4n),
    });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 100, size: "max" }),
        fc.integer({ min: 1, max: 12 }),
        (operations, maxEntries) => {
          const { map, program } = bench<LpmTrie>(trieSpec(dataBytes, maxEntries));
          const model = new Map<string, Uint8Array>();
          const update = (prefix: number, bits: string, value: Uint8Array, flags: bigint): number => {
            if (flags > 2n || prefix > dataBytes * 8) return -EINVAL;
            const exists = model.has(bits);
            if (exists && flags === 1n) return -EEXIST;
            if (!exists && flags === 2n) return -ENOENT;
            if (!exists && model.size === maxEntries) return -ENOSPC;
            model.set(bits, value);
            return 0;
          };
          const remove = (prefix: number, bits: string): number => {
            if (prefix > dataBytes * 8) return -EINVAL;
            return model.delete(bits) ? 0 : -ENOENT;
          };
          const lookup = (prefix: number, bits: string): Uint8Array | undefined => {
            if (prefix > dataBytes * 8) return undefined;
            for (let length = bits.length; length >= 0; length--) {
              const found = model.get(bits.slice(0, length));
              if (found !== undefined) return found;
            }
            return undefined;
          };

          for (const { kind, prefix, data, value: filling, flags } of operations) {
            const key = prefixKey(prefix, data);
            const bits = bitsOf(prefix, data);
            const value = filled(8, filling);
            switch (kind) {
              case "lookup":
                expect(hex(program.lookup(key, 0))).toBe(hex(lookup(prefix, bits)));
                break;
              case "userLookup":
                expect(hex(map.lookupValue(key))).toBe(hex(lookup(prefix, bits)));
                break;
              case "update":
                expect(program.update(key, value, flags, 0)).toBe(update(prefix, bits, value, flags));
                break;
              case "userUpdate":
                expect(map.updateValue(key, value, flags)).toBe(update(prefix, bits, value, flags));
                break;
              case "delete":
                expect(program.delete(key)).toBe(remove(prefix, bits));
                break;
              case "userDelete":
                expect(map.deleteKey(key)).toBe(remove(prefix, bits));
                break;
            }
            expect(map.count).toBe(model.size);
          }

          const order = allKeys(map).map((key) =>
            bitsOf(new DataView(key.buffer).getUint32(0, true), [...key.slice(4)]),
          );
          expect(order.toSorted()).toEqual([...model.keys()].toSorted());
          order.forEach((bits, i) => {
            const containedLater = order
              .slice(i + 1)
              .some((later) => later !== bits && later.startsWith(bits));
            expect(containedLater, `${bits} comes before a prefix it contains`).toBe(false);
          });
        },
      ),
    );
  },
);

test("deleting and adding for ever uses no more nodes than there are", () => {
  const { map } = bench<LpmTrie>(trieSpec(4, 8));
  for (let round = 0; round < 200; round++) {
    for (let i = 0; i < 8; i++) {
      expect(map.updateValue(prefixKey(32, [i * 32, round & 255, i, 0]), filled(8, i))).toBe(0);
    }
    for (const key of allKeys(map)) expect(map.deleteKey(key)).toBe(0);
  }
  expect(map.count).toBe(0);
  expect(allKeys(map)).toEqual([]);
});

test("bits behind the prefix do not matter to a match", () => {
  const { map } = bench<LpmTrie>(trieSpec(4, 4));
  map.updateValue(prefixKey(8, [10, 1, 2, 3]), filled(8, 7));
  expect(map.lookupValue(prefixKey(32, [10, 9, 9, 9]))).toEqual(filled(8, 7));
  expect(map.lookupValue(prefixKey(7, [10, 0, 0, 0]))).toBeUndefined();
  expect(map.updateValue(prefixKey(8, [10, 7, 7, 7]), filled(8, 8), 1n)).toBe(-EEXIST);
});

test("a trie that is read-only for programs refuses their changes", () => {
  const spec = { ...trieSpec(4, 4), flags: BPF_F_NO_PREALLOC | BPF_F_RDONLY_PROG };
  const { map, program } = bench(spec);
  const key = prefixKey(8, [10, 0, 0, 0]);
  expect(map.updateValue(key, filled(8, 1))).toBe(0);
  expect(program.update(key, filled(8, 2), 0n, 0)).toBe(-EACCES);
  expect(program.delete(key)).toBe(-EACCES);
  expect(program.lookup(key, 0)).toEqual(filled(8, 1));
});
