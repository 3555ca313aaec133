/** Can the program run on this interface, how fast, and is another one in the way? */
import type { InterfaceFacts, XdpProgramFact } from "../../dataplane/kernel/interface-facts.ts";
import type { PinnedFacts } from "../../dataplane/kernel/pinned-facts.ts";
import { type Finding, listed, ok, problem, unknown, warning } from "./finding.ts";
import { NATIVE_XDP_SINCE } from "./native-drivers.ts";
import { isBefore, type Version } from "./version.ts";

/** A page less headers and headroom: what drivers take without frames of several buffers, give or take. */
const SINGLE_BUFFER_MTU = 3498;

export function judgeLink({ info }: InterfaceFacts): Finding {
  const { name, isUp, hasCarrier, mac, isLoopback } = info;
  if (mac === undefined || isLoopback) {
    return problem("link", "no Ethernet interface", "name one that has a MAC address (ip link)");
  }
  if (!isUp) return problem("link", "down", `ip link set ${name} up`);
  if (!hasCarrier) {
    return problem("link", "up, but without a carrier", "see to the cable and the port of the switch");
  }
  return ok("link", `up, ${formatMac(mac)}`);
}

export function judgeNativeXdp(facts: InterfaceFacts, version: Version): Finding {
  const check = "native XDP";
  const driver = facts.driver.driver?.driver ?? facts.info.kind ?? "";
  const named = driver === "" ? "the driver" : `driver ${driver}`;
  const generic = '"lamna attach --mode generic" works all the same, several times slower';
  if (facts.info.kind === "vlan") {
    return warning(
      check,
      `${named} has none`,
      "attach to the interface below it: the program reads VLAN tags",
    );
  }
  const { xdpFeatures } = facts;
  if (xdpFeatures !== undefined) {
    if (xdpFeatures.isNative) return ok(check, `${named} has it`);
    return warning(check, `${named} has none`, generic);
  }
  const since = NATIVE_XDP_SINCE.get(driver);
  if (since === undefined) {
    return unknown(
      check,
      `${named} is not on the list of those that have it; kernels from 6.3 on would say`,
      generic,
    );
  }
  if (isBefore(version, since))
    return warning(check, `${named} has it only since Linux ${since.join(".")}`, generic);
  return ok(check, `${named} has it since Linux ${since.join(".")}`);
}

/** Native XDP wants a frame in one buffer, unless driver and program can do with several. */
export function judgeBuffers({ info, xdpFeatures }: InterfaceFacts): Finding[] {
  if (info.mtu <= SINGLE_BUFFER_MTU || info.xdp?.mode === "native") return [];
  const found = `an MTU of ${info.mtu} is more than the about ${SINGLE_BUFFER_MTU} that fit into one buffer`;
  if (xdpFeatures?.hasFrags === true) return [ok("buffers", `${found}; the driver takes frames of several`)];
  return [
    warning(
      "buffers",
      `${found}, and native mode may be refused`,
      `ip link set ${info.name} mtu ${SINGLE_BUFFER_MTU}, or a driver with support for frames of several buffers`,
    ),
  ];
}

/** Who runs there already: nobody, an instance of ours, or somebody else. */
export function judgeOccupants(facts: InterfaceFacts, pinned: PinnedFacts): Finding {
  const check = "XDP programs";
  const { xdpPrograms, info } = facts;
  if (xdpPrograms.length === 0) {
    if (!pinned.interfaces.includes(info.name)) return ok(check, "none");
    return problem(
      check,
      `none, though ${pinned.directory} has a link of this interface: it was taken away by force, or is of another interface of that name`,
      `lamna attach ${info.name}`,
    );
  }
  const found = listed(xdpPrograms.map(describe));
  if (pinned.interfaces.includes(info.name)) return ok(check, `${found}, by ${pinned.directory}`);
  if (pinned.state === "unreadable") {
    return unknown(check, `${found}; whether by ${pinned.directory} cannot be seen`, "run as root to see");
  }
  return problem(
    check,
    `${found}, not of Lamna, and an interface runs one in a mode`,
    `end it with what attached it, or "ip link set dev ${info.name} xdp off" (a link: "bpftool link")`,
  );
}

export function judgeInstance(pinned: PinnedFacts): Finding {
  const check = "instance";
  const { state, directory, interfaces } = pinned;
  if (state === "none") return ok(check, `none at ${directory}`);
  if (state === "unreadable")
    return unknown(check, `${directory} is there, and not readable`, "run as root to see");
  if (interfaces.length === 0) return ok(check, `at ${directory}, on no interface`);
  return ok(check, `at ${directory}, on ${listed(interfaces)}`);
}

function describe({ mode, programId, name }: XdpProgramFact): string {
  return `program ${programId}${name === undefined ? "" : ` ("${name}")`} in ${mode} mode`;
}

function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
