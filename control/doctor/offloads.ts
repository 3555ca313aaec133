/** Offloads that hand the program other packets than were on the wire. */
import type { InterfaceFacts } from "../../dataplane/kernel/interface-facts.ts";
import { type Finding, listed, ok, problem, unknown, warning } from "./finding.ts";

export function judgeOffloads({ info, driver: { features }, vlans, nextHop }: InterfaceFacts): Finding[] {
  if (features.size === 0) return [unknown("offloads", "the driver does not say which are on")];
  const isOn = (name: string): boolean => features.get(name)?.isOn === true;
  const isFixed = (name: string): boolean => features.get(name)?.isFixed === true;
  const isGeneric = info.xdp?.programs.some(({ mode }) => mode === "generic") === true;
  const findings: Finding[] = [];

  if (isOn("rx-lro")) {
    findings.push(
      problem(
        "LRO",
        "on: packets are merged before the program sees them, and most drivers refuse native XDP with it",
        isFixed("rx-lro")
          ? "the driver does not let it be turned off: use another device"
          : `ethtool -K ${info.name} lro off`,
      ),
    );
  }
  if (isOn("rx-gro-hw")) {
    findings.push(
      warning(
        "hardware GRO",
        "on: the device merges packets before the program sees them, or the driver refuses native XDP",
        `ethtool -K ${info.name} rx-gro-hw off`,
      ),
    );
  }
  if (isOn("rx-gro") && isGeneric) {
    findings.push(
      warning(
        "GRO",
        "on with generic XDP, which runs behind it: merged packets are too long to be forwarded",
        `ethtool -K ${info.name} gro off`,
      ),
    );
  }
  if (isOn("rx-vlan-hw-parse") && vlans.length > 0) {
    // Tagged packets that are not of a VIP go on to the host as ever.
    const isWayOfPackets = nextHop.isResolved && vlans.includes(nextHop.hop.egress);
    const found = `on, with ${listed(vlans)} here: in native mode the program may not see tags, and sends tagged packets of a VIP back without`;
    findings.push(
      (isWayOfPackets ? problem : warning)(
        "VLAN offload",
        isWayOfPackets ? found : `${found}, should there be any`,
        isFixed("rx-vlan-hw-parse")
          ? "the driver does not let it be turned off: see whether it keeps tags in the frame with XDP"
          : `ethtool -K ${info.name} rxvlan off`,
      ),
    );
  }
  if (findings.length > 0) return findings;

  const harmless = [
    ...(isOn("rx-gro") ? ["GRO is on, which native XDP runs before"] : []),
    ...(isOn("rx-vlan-hw-parse") ? ["VLAN tags are stripped, and no VLAN is here"] : []),
  ];
  return [ok("offloads", ["LRO and hardware GRO are off", ...harmless].join("; "))];
}
