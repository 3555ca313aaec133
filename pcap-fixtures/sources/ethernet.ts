/** Ethernet, VLAN tags and padding. */
import { ETH_P_ARP, ETH_P_LLDP, type VlanTag } from "../../test/packets/ethernet.ts";
import { ethernet, pattern, tcp, udp } from "../../test/packets/frame.ts";
import { TCP_SYN } from "../../test/packets/tcp.ts";
import { ALL_VIPS, all, cuts, type FixtureCase, v4, v6 } from "../case.ts";

const SYN = tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_SYN });
const DATA = tcp({ sourcePort: 31337, targetPort: 80 }, pattern(30));

function tags(count: number): VlanTag[] {
  const list = [
    { protocol: 0x88a8, control: 0x2064 },
    { protocol: 0x8100, control: 0x600a },
    { protocol: 0x8100, control: 0x000b },
  ];
  return list.slice(3 - count);
}

export const ETHERNET_CASES: readonly FixtureCase[] = [
  {
    name: "ethernet-cut",
    description:
      "Frames that end in the Ethernet header have no destination yet, so with scope vip they are nobody's and pass.",
    config: { vips: ALL_VIPS },
    packets: all("not_vip_malformed", cuts(v4(SYN), 0, 14)),
  },
  {
    name: "ethernet-cut-scope-all",
    description: "With scope all, frames that end in the Ethernet header are dropped.",
    config: { settings: { scope: "all" }, vips: ALL_VIPS },
    packets: all("malformed_ethernet", cuts(v4(SYN), 0, 14)),
  },
  {
    name: "vlan-cut-scope-all",
    description:
      "Frames that end in their first or second VLAN tag are malformed; cut behind the tags, IPv4 is.",
    config: { settings: { scope: "all" }, vips: ALL_VIPS },
    packets: [
      ...all("malformed_ethernet", cuts(v4(SYN, { link: { tags: tags(1) } }), 14, 18)),
      ...all("malformed_ipv4", cuts(v4(SYN, { link: { tags: tags(1) } }), 18, 38)),
      ...all("malformed_ethernet", cuts(v4(SYN, { link: { tags: tags(2) } }), 14, 22)),
      ...all("malformed_ipv4", cuts(v4(SYN, { link: { tags: tags(2) } }), 22, 42)),
      ...all("malformed_ipv6", cuts(v6(SYN, { link: { tags: tags(2) } }), 22, 62)),
    ],
  },
  {
    name: "vlan-tags",
    description:
      "One or two VLAN tags, of either kind and with any priority, stay on the frame in front of the outer header. A third makes it something else.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: v4(SYN, { link: { tags: [{ protocol: 0x8100, control: 0 }] } }), reason: "flow_new" },
      { frame: v4(DATA, { link: { tags: tags(1) } }), reason: "flow_hit" },
      { frame: v4(DATA, { link: { tags: tags(2) } }), reason: "flow_hit" },
      { frame: v4(DATA, { link: { tags: tags(3) } }), reason: "not_ip" },
      { frame: v4(DATA, { link: { tags: [{ protocol: 0x88a8, control: 0xffff }] } }), reason: "flow_hit" },
      { frame: v6(SYN, { link: { tags: tags(1) } }), reason: "flow_new" },
      { frame: v6(DATA, { link: { tags: tags(2) } }), reason: "flow_hit" },
      { frame: v6(DATA, { link: { tags: tags(3) } }), reason: "not_ip" },
      { frame: v4(DATA), reason: "flow_hit" },
    ],
  },
  {
    name: "not-ip",
    description:
      "What is neither IPv4 nor IPv6 by its ether type passes; an ether type that contradicts the version makes the packet malformed.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all("not_ip", [
        ethernet({ destination: "ff:ff:ff:ff:ff:ff", etherType: ETH_P_ARP, padToBytes: 60 }, pattern(28)),
        ethernet({ destination: "01:80:c2:00:00:0e", etherType: ETH_P_LLDP }, pattern(70)),
        ethernet({ etherType: 0x8847 }, pattern(40)),
        ethernet({ etherType: 0x0026 }, pattern(38)),
        ethernet({ etherType: ETH_P_ARP }, new Uint8Array()),
        v4(SYN, { link: { etherType: 0x0801 } }),
      ]),
      { frame: v4(SYN, { link: { etherType: 0x86dd } }), reason: "not_vip_malformed" },
      { frame: v6(SYN, { link: { etherType: 0x0800 } }), reason: "not_vip_malformed" },
    ],
  },
  {
    name: "padding",
    description:
      "Ethernet's padding behind a short packet stays where it is, and the outer length does not count it; nor does a transport header in the padding count.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: v4(SYN, { link: { padToBytes: 60 } }), reason: "flow_new" },
      { frame: v4(udp({ sourcePort: 1, targetPort: 53 }), { link: { padToBytes: 60 } }), reason: "flow_new" },
      { frame: v6(SYN, { link: { padToBytes: 100 } }), reason: "flow_new" },
      { frame: v4(SYN, { link: { padToBytes: 60 }, totalLengthBytes: 39 }), reason: "malformed_tcp" },
      { frame: v6(SYN, { link: { padToBytes: 100 }, payloadLengthBytes: 19 }), reason: "malformed_tcp" },
    ],
  },
];
