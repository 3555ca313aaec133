/**
 * The bundled edge traffic through NIC and interpreter, as `lamna replay` runs it, without reading or writing captures. Runs follow
 * one another on the same maps, so after the first one flows are known.
 */
import { openProgrammedSimulator } from "../control/cli/replay-simulator.ts";
import { readShippedObject } from "../control/cli/shipped-object.ts";
import { readConfig } from "../control/model/config-file.ts";
import { packageFile } from "../control/package-root.ts";
import { decodeCapture } from "../dataplane/capture/capture-contents.ts";
import type { Suite } from "./suite.ts";

export async function replaySuite(): Promise<Suite> {
  const config = await readConfig(packageFile("pcap-fixtures", "edge-mix", "config.yaml"));
  const { packets } = await decodeCapture(packageFile("pcap-fixtures", "edge-mix", "in.pcapng"));
  const { nic } = await openProgrammedSimulator(config, readShippedObject(), { queues: 1 });
  const run = (): void => {
    for (const { bytes, timeNs } of packets) nic.process(bytes, timeNs ?? 0n);
  };
  return {
    name: "replay",
    goal: "goal: 20,000 packets/s",
    tasks: [{ name: "the edge mix, interpreter", run, amount: { count: packets.length, unit: "packet" } }],
  };
}
