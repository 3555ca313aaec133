/** Carries out a plan, step by step. */
import type { Dataplane, DataplaneMap } from "../../dataplane/dataplane.ts";
import {
  interfaceEntry as interfaceCodec,
  settings as settingsCodec,
  traffic,
  vip as vipCodec,
} from "../../dataplane/xdp/generated/balancer.ts";
import { type Action, formatAction } from "./action.ts";
import { forgetFlows } from "./flow-table.ts";
import type { Plan } from "./plan.ts";

/** A step that failed; the steps before it have been done. Reading the maps and planning again gives what is left to do. */
export class ApplyError extends Error {
  readonly action: Action;

  constructor(action: Action, cause: unknown) {
    super(`${formatAction(action)}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "ApplyError";
    this.action = action;
  }
}

/** Packets see each VIP as it was before or as it is afterwards. Rejects with ApplyError. */
export async function applyPlan(plan: Pick<Plan, "actions">, dataplane: Dataplane): Promise<void> {
  for (const action of plan.actions) {
    try {
      await applyAction(action, dataplane);
    } catch (cause) {
      throw new ApplyError(action, cause);
    }
  }
}

async function applyAction(action: Action, dataplane: Dataplane): Promise<void> {
  switch (action.kind) {
    case "replace-program":
      return dataplane.replaceProgram(action.request);
    case "grace-period":
      return dataplane.gracePeriod();
    case "write-settings":
      for (const [offset, word] of action.words) dataplane.map("settings").store64(0, offset, word);
      return;
    case "write-interfaces": {
      const { firstEntry, entries } = action;
      const map = dataplane.map("interfaces");
      map.withView(firstEntry, entries.length / map.valueSizeBytes, (bytes) => bytes.set(entries));
      return;
    }
    case "publish-interfaces": {
      const table = (BigInt(action.multiplier) << 32n) | BigInt(action.firstEntry);
      dataplane.map("settings").store64(0, settingsCodec.offsets.interfaceTable, table);
      return;
    }
    case "change-interface":
      for (const [offset, word] of action.words)
        dataplane.map("interfaces").store64(action.index, offset, word);
      return;
    case "forget-interface":
      dataplane.map("interfaces").store64(action.index, interfaceCodec.offsets.ifindex, 0n);
      return;
    case "write-backend":
      if (action.isReused) clearCounters(dataplane, "backend_counters", action.id);
      dataplane.map("backends").write(action.id, action.value);
      return;
    case "build-ring":
      dataplane.map("rings").withView(action.id, 1, (bytes) => {
        new Uint32Array(bytes.buffer, bytes.byteOffset, action.slots.length).set(action.slots);
      });
      return;
    case "write-vip":
      if (action.isReused) clearCounters(dataplane, "vip_counters", action.id);
      dataplane.map("vips").write(action.id, action.value);
      return;
    case "write-buckets":
      writeBuckets(dataplane.map("vip_buckets"), action);
      return;
    case "publish-table": {
      const table = (BigInt(action.seed) << 32n) | BigInt(action.firstBucket);
      dataplane.map("settings").store64(0, settingsCodec.offsets.vipTable, table);
      return;
    }
    case "switch-ring":
      dataplane.map("vips").store32(action.vip, vipCodec.offsets.ring, action.to);
      return;
    case "forget-flows":
      forgetFlows(dataplane, action);
      return;
  }
}

function writeBuckets(map: DataplaneMap, action: { firstBucket: number; buckets: Uint8Array }): void {
  const { firstBucket, buckets } = action;
  map.withView(firstBucket, buckets.length / map.valueSizeBytes, (bytes) => bytes.set(buckets));
}

/** On every CPU. Nothing counts there: no packet can be using the id. */
function clearCounters(dataplane: Dataplane, name: string, id: number): void {
  const counters = dataplane.map(name);
  const stride = counters.maxEntries / dataplane.cpuCount;
  const zeros = new Uint8Array(traffic.sizeBytes);
  for (let cpu = 0; cpu < dataplane.cpuCount; cpu++) counters.write(cpu * stride + id, zeros);
}
