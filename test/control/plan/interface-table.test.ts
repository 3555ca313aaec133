import fc from "fast-check";
import { expect, test } from "vitest";
import { INTERFACES_MAX } from "../../../control/model/limits.ts";
import {
  buildInterfaceTable,
  type InterfaceEntry,
  interfaceSlot,
} from "../../../control/plan/interface-table.ts";
import { PlanError } from "../../../control/plan/plan-error.ts";
import { interfaceEntry, Layout } from "../../../dataplane/xdp/generated/balancer.ts";

const MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);
const entryOf = (ifindex: number): InterfaceEntry => ({
  ifindex,
  gatewayMac: MAC,
  mtu: 1000 + (ifindex % 500),
});

/** Small numbers in a row as hosts have them, and any that a long-lived namespace may have come to. */
const anyIfindex = fc.oneof(
  fc.integer({ min: 1, max: 64 }),
  fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  fc.integer({ min: 0, max: 30 }).map((shift) => 2 ** shift),
);

test("whatever their numbers, each of twice as many interfaces as can be attached has a slot of its own", () => {
  fc.assert(
    fc.property(fc.uniqueArray(anyIfindex, { maxLength: 2 * INTERFACES_MAX }), (ifindexes) => {
      const { multiplier, entries } = buildInterfaceTable(ifindexes.map(entryOf));
      const read = (slot: number) => interfaceEntry.read(entries, slot * interfaceEntry.sizeBytes);
      for (const ifindex of ifindexes) {
        expect(read(interfaceSlot(ifindex, multiplier))).toEqual(entryOf(ifindex));
      }
      const used = Array.from({ length: Layout.INTERFACE_SLOTS }, (_, slot) => read(slot).ifindex);
      expect(used.filter((ifindex) => ifindex !== 0)).toHaveLength(ifindexes.length);
    }),
  );
});

test("the same interfaces in another order give the same table", () => {
  const some = [3, 9, 4, 2 ** 30, 77].map(entryOf);
  expect(buildInterfaceTable(some.toReversed())).toEqual(buildInterfaceTable(some));
});

test("an interface without a gateway has no mtu either", () => {
  const { multiplier, entries } = buildInterfaceTable([{ ...entryOf(5), gatewayMac: new Uint8Array(6) }]);
  const at = interfaceSlot(5, multiplier) * interfaceEntry.sizeBytes;
  expect(interfaceEntry.read(entries, at)).toEqual({ ifindex: 5, gatewayMac: new Uint8Array(6), mtu: 0 });
});

test("more interfaces than slots are refused in words", () => {
  const many = Array.from({ length: Layout.INTERFACE_SLOTS + 1 }, (_, index) => entryOf(index + 1));
  expect(() => buildInterfaceTable(many)).toThrow(PlanError);
  expect(() => buildInterfaceTable(many)).toThrow(/257 interfaces one of 256 slots/);
});
