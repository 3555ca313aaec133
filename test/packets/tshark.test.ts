/** What the builder and the program write, before the eyes of Wireshark's dissectors: every checksum and every length is right. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { packageFile } from "../../control/package-root.ts";
import { encodePcapng } from "../../dataplane/capture/capture-contents.ts";
import { lacks, tshark } from "../needs.ts";
import { ethernet, ipv4, tcp } from "./frame.ts";

const shark = test.skipIf(lacks("the fixtures before Wireshark's dissectors", tshark));

const TRANSPORT_CHECKS = ["tcp.check_checksum", "udp.check_checksum"];
const BAD = [
  "ip.checksum.status == 0",
  "tcp.checksum.status == 0",
  "udp.checksum.status == 0",
  "icmp.checksum.status == 0",
  "icmpv6.checksum.status == 0",
  "ip.len < 20",
  "udp.length < 8",
].join(" || ");

function complaints(file: string, checks: readonly string[] = TRANSPORT_CHECKS): string[] {
  const options = ["ip.check_checksum", ...checks].flatMap((check) => ["-o", `${check}:TRUE`]);
  return execFileSync("tshark", ["-r", file, ...options, "-Y", BAD], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"], // it complains of being run as root
  })
    .split("\n")
    .filter((line) => line !== "");
}

shark("Wireshark finds a checksum that is wrong on purpose", () => {
  const folder = mkdtempSync(join(tmpdir(), "lamna-tshark-"));
  try {
    const file = join(folder, "wrong.pcapng");
    const header = { source: "192.0.2.1", destination: "198.51.100.1" };
    const ports = { sourcePort: 1, targetPort: 2 };
    const frames = [
      ethernet({}, ipv4(header, tcp(ports))),
      ethernet({}, ipv4({ ...header, checksum: 1 }, tcp(ports))),
      ethernet({}, ipv4(header, tcp({ ...ports, checksum: 1 }))),
    ];
    writeFileSync(file, encodePcapng({ packets: frames.map((bytes) => ({ bytes, timeNs: 0n })) }));
    expect(complaints(file).length).toBe(2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

shark.for([
  "4in4",
  "4in6",
  "6in4",
  "6in6",
  "echo-any",
  "echo-checksum-carries",
  "echo-v4",
  "echo-v6",
  "fragments-in-order",
  "icmp-errors-4in6-and-6in4",
  "icmp-errors-v4",
  "icmp-errors-v6",
  "tcp-connection",
  "too-big-a-frame",
  "too-big-for-mtu",
  "vlan-tags",
])("Wireshark finds nothing wrong with what comes in and goes out in %s", (name) => {
  // What an answer to a packet that is too big quotes is cut, so that the quoted checksum cannot be verified.
  const checks = name.startsWith("too-big") ? [] : TRANSPORT_CHECKS;
  for (const side of ["in.pcapng", "out.pcapng"]) {
    expect(complaints(packageFile("pcap-fixtures", name, side), checks), side).toEqual([]);
  }
});
