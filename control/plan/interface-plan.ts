/**
 * Plans the entries of interfaces. A new interface takes a table laid out anew, in the copy that is not live, which one store then
 * publishes; what changes of a known one changes in place, and one that is gone is freed in place.
 *
 * The settings' gateway and mtu hold where there is no entry, and may change along. So entries come before the settings are
 * written and go after: each interface sees what held for it before or what is to hold, and nothing in between.
 */
import { interfaceEntry as codec, Layout } from "../../dataplane/xdp/generated/balancer.ts";
import { INTERFACES_MAX } from "../model/limits.ts";
import { formatMac, isStationMac } from "../model/mac.ts";
import type { Action } from "./action.ts";
import type { Actual } from "./actual.ts";
import {
  buildInterfaceTable,
  type InterfaceEntry,
  interfaceSlot,
  interfaceWords,
  isGatewayKnown,
  type LiveInterface,
  liveInterfaces,
  liveInterfaceTable,
} from "./interface-table.ts";
import { PlanError } from "./plan-error.ts";

export interface InterfacePlan {
  readonly beforeSettings: readonly Action[];
  readonly afterSettings: readonly Action[];
}

const IFINDEX_MAX = 2 ** 31 - 1;

/** `wanted` undefined: all stays as it is. Throws PlanError, and RangeError for what no interface can have. */
export function planInterfaces(
  actual: Pick<Actual, "settings" | "interfaces">,
  wanted: readonly InterfaceEntry[] | undefined,
): InterfacePlan {
  if (wanted === undefined) return { beforeSettings: [], afterSettings: [] };
  checkInterfaces(wanted);
  const live = liveInterfaces(actual);
  const ifindexes = new Set(wanted.map(({ ifindex }) => ifindex));
  const gone = [...live.values()].filter(({ entry }) => !ifindexes.has(entry.ifindex));
  if (wanted.every(({ ifindex }) => live.has(ifindex))) {
    return {
      beforeSettings: wanted.flatMap((entry) => changeInPlace(live.get(entry.ifindex)!, entry)),
      afterSettings: gone.map(({ index, entry }) => forget(entry.ifindex, index)),
    };
  }

  // After one change that failed half way there are at most these many; after several, let go at once.
  const staying = gone.length <= INTERFACES_MAX ? gone.map(({ entry }) => entry) : [];
  const interfaces = [...wanted, ...staying];
  const { multiplier, entries } = buildInterfaceTable(interfaces);
  const before = liveInterfaceTable(actual);
  const firstEntry = before.firstEntry === 0 ? Layout.INTERFACE_SLOTS : 0;
  const beforeSettings: Action[] = [];
  if (before.multiplier !== 0) {
    beforeSettings.push({
      kind: "grace-period",
      why: "the other table of interfaces may just have been in use",
    });
  }
  beforeSettings.push({ kind: "write-interfaces", firstEntry, interfaces, entries });
  beforeSettings.push({ kind: "publish-interfaces", firstEntry, multiplier });
  return {
    beforeSettings,
    afterSettings: staying.map(({ ifindex }) =>
      forget(ifindex, firstEntry + interfaceSlot(ifindex, multiplier)),
    ),
  };
}

/** A gateway comes before the mtu that goes with it and goes after it, since the mtu is 0 while there is none. */
function changeInPlace(live: LiveInterface, entry: InterfaceEntry): Action[] {
  const words = interfaceWords(entry);
  const stores = [
    { offset: codec.offsets.gatewayMac, word: words.gateway, before: live.words.gateway },
    { offset: codec.offsets.ifindex, word: words.ifindexAndMtu, before: live.words.ifindexAndMtu },
  ];
  if (!isGatewayKnown(entry.gatewayMac)) stores.reverse();
  const changed = stores.filter(({ word, before }) => word !== before);
  if (changed.length === 0) return [];
  return [
    {
      kind: "change-interface",
      ifindex: entry.ifindex,
      index: live.index,
      words: new Map(changed.map(({ offset, word }) => [offset, word])),
      changes: changed.map(({ offset }) =>
        offset === codec.offsets.gatewayMac
          ? `gateway MAC ${formatMac(live.entry.gatewayMac)} -> ${formatMac(entry.gatewayMac)}`
          : `mtu ${live.entry.mtu} -> ${words.ifindexAndMtu >> 32n}`,
      ),
    },
  ];
}

function forget(ifindex: number, index: number): Action {
  return { kind: "forget-interface", ifindex, index };
}

function checkInterfaces(interfaces: readonly InterfaceEntry[]): void {
  if (interfaces.length > INTERFACES_MAX) {
    throw new PlanError(
      "over-capacity",
      { resource: "interfaces", wanted: interfaces.length, available: INTERFACES_MAX },
      `${interfaces.length} interfaces, one instance takes ${INTERFACES_MAX}; attach the others as an instance of their own`,
    );
  }
  const seen = new Set<number>();
  for (const { ifindex, gatewayMac, mtu } of interfaces) {
    if (!Number.isInteger(ifindex) || ifindex < 1 || ifindex > IFINDEX_MAX || seen.has(ifindex)) {
      throw new RangeError(`ifindex ${ifindex}, expected a number from 1 that no other interface has`);
    }
    seen.add(ifindex);
    if (gatewayMac.length !== 6 || (isGatewayKnown(gatewayMac) && !isStationMac(gatewayMac))) {
      throw new RangeError(
        `interface ${ifindex}: gateway MAC ${formatMac(gatewayMac)}, expected that of one station, or zeros where it is not known`,
      );
    }
    if (!Number.isInteger(mtu) || mtu < 0 || mtu > 0xffff_ffff) {
      throw new RangeError(`interface ${ifindex}: mtu ${mtu}, expected a number of bytes, or 0 for no limit`);
    }
  }
}
