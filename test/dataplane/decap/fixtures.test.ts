/**
 * What the balancer puts into a capsule comes out of it as it was: every fixture's forwarded frames, and the edge mix's, through the
 * decapsulation program. The expected bytes are the client's own.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatIpAddress } from "../../../control/model/address.ts";
import type { Config } from "../../../control/model/config.ts";
import { readConfig } from "../../../control/model/config-file.ts";
import { packageFile } from "../../../control/package-root.ts";
import { decodeCapture } from "../../../dataplane/capture/capture-contents.ts";
import { Program } from "../../model/program.ts";
import { parseEthernet } from "../../packets/ethernet.ts";
import { viewOf } from "../../packets/frame.ts";
import { Decapsulator } from "./decapsulator.ts";

const FOLDER = packageFile("pcap-fixtures");
const CASES = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, "out.pcapng")));
/** That surely have frames that are forwarded. */
const FULL_CASES = ["4in4", "4in6", "6in4", "6in6", "vlan-tags", "fragments-in-order"];
const XDP_TX = 3n;

test.for(CASES)("%s", async (name) => {
  const decapsulator = await openFor(readConfig(join(FOLDER, name, "config.yaml")));
  const before = await decodeCapture(join(FOLDER, name, "in.pcapng"));
  const after = await decodeCapture(join(FOLDER, name, "out.pcapng"));
  let count = 0;
  for (const [index, { bytes, verdict }] of after.packets.entries()) {
    if (verdict !== XDP_TX || !isEncapsulated(bytes)) continue;
    comesOut(decapsulator, before.packets[index]!.bytes, bytes);
    count++;
  }
  if (FULL_CASES.includes(name)) expect(count).toBeGreaterThan(0);
});

test("the edge mix", async () => {
  const config = readConfig(join(FOLDER, "edge-mix", "config.yaml"));
  const program = await Program.open(config);
  const decapsulator = await openFor(config);
  const { packets } = await decodeCapture(join(FOLDER, "edge-mix", "in.pcapng"));
  let count = 0;
  for (const { bytes, timeNs } of packets.slice(0, 5000)) {
    const { verdict, frame } = program.run(bytes, timeNs!);
    if (verdict !== "tx" || !isEncapsulated(frame)) continue;
    comesOut(decapsulator, bytes, frame);
    count++;
  }
  expect(count).toBeGreaterThan(1000);
}, 60_000);

function openFor(config: Config): Promise<Decapsulator> {
  return Decapsulator.open({
    vips: config.vips.map(({ address }) => formatIpAddress(address)),
    sources: ["172.16.0.0/16", "100::/64"],
  });
}

/** Everything else that is transmitted is ICMP. */
function isEncapsulated(frame: Uint8Array): boolean {
  const { etherType, tags } = parseEthernet(viewOf(frame), 0)!;
  const network = 14 + 4 * tags.length;
  return [4, 41].includes(frame[network + (etherType === 0x0800 ? 9 : 6)]!);
}

/** The balancer's Ethernet addresses around the client's packet. */
function comesOut(decapsulator: Decapsulator, sent: Uint8Array, encapsulated: Uint8Array): void {
  const expected = sent.slice();
  expected.set(encapsulated.subarray(0, 12));
  const { verdict, frame } = decapsulator.run(encapsulated);
  expect(verdict).toBe("pass");
  expect(Buffer.from(frame).toString("hex")).toBe(Buffer.from(expected).toString("hex"));
}
