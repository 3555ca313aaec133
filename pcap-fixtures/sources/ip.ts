/** IPv4 and IPv6 headers, options and extension headers, and the transport headers behind them. */
import {
  destinationOptions,
  fragmentHeader,
  hopByHop,
  type Layer,
  pattern,
  raw,
  routing,
  tcp,
  udp,
} from "../../test/packets/frame.ts";
import { NEXT_NONE } from "../../test/packets/ipv6.ts";
import { TCP_SYN } from "../../test/packets/tcp.ts";
import {
  ALL_VIPS,
  all,
  CLIENT_V4,
  cuts,
  type FixtureCase,
  type FixturePacket,
  STRANGER_V4,
  STRANGER_V6,
  v4,
  v6,
} from "../case.ts";

const SYN = tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_SYN });
const DATA = tcp({ sourcePort: 31337, targetPort: 80 }, pattern(16));
const QUERY = udp({ sourcePort: 40000, targetPort: 53 }, pattern(12));
const ROUTER_ALERT = Uint8Array.of(0x94, 4, 0, 0);
const LONG_OPTION = pattern(20).fill(1); // one destination option header of 24 bytes: 22 of data
const WIDE = destinationOptions(SYN, new Uint8Array([1, 20, ...LONG_OPTION]));

/** IPv4 with this first byte: version and header length. */
function withFirstByte(byte: number, totalLengthBytes?: number): Uint8Array {
  const frame = v4(DATA, totalLengthBytes === undefined ? {} : { totalLengthBytes });
  frame[14] = byte;
  return frame;
}

/** `count` destination option headers in front of a transport. */
function chain(count: number, layer: Layer): Layer {
  return count === 0 ? layer : destinationOptions(chain(count - 1, layer));
}

export const IP_CASES: readonly FixtureCase[] = [
  {
    name: "ipv4-cut",
    description:
      "IPv4 and TCP cut at every byte. Before byte 34 there is no destination and the packet passes; from then on it is known to be for a VIP and dropped.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all("not_vip_malformed", cuts(v4(SYN), 14, 34)),
      ...all("malformed_tcp", cuts(v4(SYN), 34, 54)),
      { frame: v4(SYN), reason: "flow_new" },
      ...all("malformed_udp", cuts(v4(QUERY), 34, 42)),
      { frame: v4(QUERY).slice(0, 42), reason: "flow_new" },
      ...all("not_vip_malformed", cuts(v4(SYN, { destination: STRANGER_V4 }), 14, 54)),
      { frame: v4(SYN, { destination: STRANGER_V4 }), reason: "not_vip" },
    ],
  },
  {
    name: "ipv6-cut",
    description: "IPv6 with an extension header and TCP cut at every byte, to a VIP and to somebody else.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all("not_vip_malformed", cuts(v6(WIDE), 14, 54)),
      ...all("malformed_ipv6", cuts(v6(WIDE), 54, 78)),
      ...all("malformed_tcp", cuts(v6(WIDE), 78, 98)),
      { frame: v6(WIDE), reason: "flow_new" },
      ...all("malformed_udp", cuts(v6(QUERY), 54, 62)),
      { frame: v6(QUERY).slice(0, 62), reason: "flow_new" },
      ...all("not_vip_malformed", cuts(v6(WIDE, { destination: STRANGER_V6 }), 14, 98)),
      { frame: v6(WIDE, { destination: STRANGER_V6 }), reason: "not_vip" },
    ],
  },
  {
    name: "cut-scope-all",
    description: "With scope all, whatever is cut is dropped, whoever it is for.",
    config: { settings: { scope: "all" }, vips: ALL_VIPS },
    packets: [
      ...all("malformed_ipv4", cuts(v4(SYN, { destination: STRANGER_V4 }), 14, 34)),
      ...all("malformed_tcp", cuts(v4(SYN, { destination: STRANGER_V4 }), 34, 54)),
      ...all("malformed_udp", cuts(v4(QUERY, { destination: STRANGER_V4 }), 34, 42)),
      ...all("malformed_ipv6", cuts(v6(WIDE, { destination: STRANGER_V6 }), 14, 78)),
      ...all("malformed_tcp", cuts(v6(WIDE, { destination: STRANGER_V6 }), 78, 98)),
    ],
  },
  {
    name: "ipv4-header-lengths",
    description:
      "Every version and header length of IPv4's first byte. Lengths over five words are options, which are dropped; beyond the frame they are malformed.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all(
        "malformed_ipv4",
        [0, 1, 2, 3, 4].map((words) => withFirstByte(0x40 | words)),
      ),
      { frame: withFirstByte(0x45), reason: "flow_new" },
      ...all(
        "malformed_ipv4",
        [0x05, 0x35, 0x55, 0x65, 0xf5].map((byte) => withFirstByte(byte)),
      ),
      // 56 bytes of packet: up to fourteen words fit, but the transport behind them must fit too.
      ...all(
        "malformed_tcp",
        [10, 11, 12, 13, 14].map((words) => withFirstByte(0x40 | words)),
      ),
      { frame: withFirstByte(0x4f), reason: "malformed_ipv4" },
    ],
  },
  {
    name: "ipv4-total-length",
    description:
      "A total length under the header's is malformed, one that cuts the transport header too; one beyond the frame is what a capture with a snap length looks like, and is believed.",
    config: { settings: { mtu: 0 }, vips: ALL_VIPS },
    packets: [
      ...all(
        "malformed_ipv4",
        [0, 1, 19].map((bytes) => v4(DATA, { totalLengthBytes: bytes })),
      ),
      ...all(
        "malformed_tcp",
        [20, 39].map((bytes) => v4(DATA, { totalLengthBytes: bytes })),
      ),
      ...all(
        "malformed_udp",
        [20, 27].map((bytes) => v4(QUERY, { totalLengthBytes: bytes })),
      ),
      { frame: v4(DATA, { totalLengthBytes: 40 }), reason: "flow_new" },
      { frame: v4(DATA, { totalLengthBytes: 57 }), reason: "flow_hit" },
      { frame: v4(DATA, { totalLengthBytes: 1500 }), reason: "flow_hit" },
      { frame: v4(DATA, { totalLengthBytes: 65515 }), reason: "flow_hit" },
      { frame: v4(DATA, { totalLengthBytes: 65516 }), reason: "too_big" },
      { frame: v4(DATA, { totalLengthBytes: 65535 }), reason: "too_big" },
    ],
  },
  {
    name: "ipv6-payload-length",
    description:
      "A payload length that cuts extension or transport header is malformed; zero, as of a jumbogram, leaves no transport header; one beyond the frame is believed.",
    config: { settings: { mtu: 0 }, vips: ALL_VIPS },
    packets: [
      ...all(
        "malformed_tcp",
        [0, 1, 19].map((bytes) => v6(DATA, { payloadLengthBytes: bytes })),
      ),
      ...all(
        "malformed_udp",
        [0, 7].map((bytes) => v6(QUERY, { payloadLengthBytes: bytes })),
      ),
      ...all(
        "malformed_ipv6",
        [0, 1, 2, 7, 8, 23].map((bytes) => v6(WIDE, { payloadLengthBytes: bytes })),
      ),
      ...all(
        "malformed_tcp",
        [24, 43].map((bytes) => v6(WIDE, { payloadLengthBytes: bytes })),
      ),
      { frame: v6(DATA, { payloadLengthBytes: 20 }), reason: "flow_new" },
      { frame: v6(DATA, { payloadLengthBytes: 37 }), reason: "flow_hit" },
      { frame: v6(DATA, { payloadLengthBytes: 65455 }), reason: "flow_hit" },
      { frame: v6(DATA, { payloadLengthBytes: 65456 }), reason: "too_big" },
      { frame: v6(DATA, { payloadLengthBytes: 65535 }), reason: "too_big" },
    ],
  },
  {
    name: "ipv4-checksum-is-not-looked-at",
    description:
      "Nobody verifies the IPv4 header checksum or the transport's: a wrong one is the backend's business.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: v4(SYN, { checksum: 0xdead }), reason: "flow_new" },
      {
        frame: v4(tcp({ sourcePort: 31337, targetPort: 80, checksum: 0xdead })),
        reason: "flow_hit",
      },
      { frame: v4(udp({ sourcePort: 1, targetPort: 53, checksum: 0 })), reason: "flow_new" },
      { frame: v4(udp({ sourcePort: 1, targetPort: 53, lengthBytes: 3 })), reason: "flow_hit" },
      { frame: v4(udp({ sourcePort: 1, targetPort: 53, lengthBytes: 65535 })), reason: "flow_hit" },
    ],
  },
  {
    name: "ip-options-drop",
    description: "A VIP's packets with IPv4 options are dropped; those of others pass.",
    config: { settings: { ipOptions: "drop" }, vips: ALL_VIPS },
    packets: [
      { frame: v4(SYN, { options: ROUTER_ALERT }), reason: "ip_options" },
      { frame: v4(QUERY, { options: pattern(40).fill(1) }), reason: "ip_options" },
      { frame: v4(SYN, { options: ROUTER_ALERT, destination: STRANGER_V4 }), reason: "not_vip" },
      {
        frame: v4(tcp({ sourcePort: 1, targetPort: 81 }), { options: ROUTER_ALERT }),
        reason: "not_vip",
      },
      { frame: v4(raw(50, pattern(40)), { options: ROUTER_ALERT }), reason: "other_protocol" },
      { frame: v4(SYN), reason: "flow_new" },
    ],
  },
  {
    name: "ip-options-drop-scope-all",
    description: "With scope all, every IPv4 packet with options is dropped.",
    config: { settings: { ipOptions: "drop", scope: "all" }, vips: ALL_VIPS },
    packets: [
      { frame: v4(SYN, { options: ROUTER_ALERT }), reason: "ip_options" },
      { frame: v4(SYN, { options: ROUTER_ALERT, destination: STRANGER_V4 }), reason: "ip_options" },
      { frame: v4(raw(50, pattern(40)), { options: ROUTER_ALERT }), reason: "ip_options" },
      { frame: v4(SYN), reason: "flow_new" },
    ],
  },
  {
    name: "ip-options-balance",
    description:
      "With ipOptions balance, packets with 4 to 40 bytes of options go where the flow's others go, and are cut safely at every byte.",
    config: { settings: { ipOptions: "balance" }, vips: ALL_VIPS },
    packets: [
      ...all("malformed_ipv4", cuts(v4(SYN, { options: pattern(40).fill(1) }), 34, 74)),
      ...all("malformed_tcp", cuts(v4(SYN, { options: pattern(40).fill(1) }), 74, 94)),
      { frame: v4(SYN, { options: pattern(40).fill(1) }), reason: "flow_new" },
      ...Array.from(
        { length: 11 },
        (_, words): FixturePacket => ({
          frame: v4(DATA, { options: pattern(words * 4).fill(1) }),
          reason: "flow_hit",
        }),
      ),
      { frame: v4(SYN, { options: ROUTER_ALERT, destination: STRANGER_V4 }), reason: "not_vip" },
    ],
  },
  {
    name: "ipv6-extension-headers",
    description:
      "Hop-by-hop options, routing and destination options of any length are skipped, up to six headers; a seventh makes the packet malformed.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: v6(hopByHop(SYN)), reason: "flow_new" },
      ...all("flow_hit", [
        v6(DATA),
        v6(routing(DATA)),
        v6(destinationOptions(DATA)),
        v6(hopByHop(destinationOptions(routing(destinationOptions(DATA))))),
        v6(destinationOptions(DATA, pattern(1022).fill(0))),
        ...[1, 2, 3, 4, 5, 6].map((count) => v6(chain(count, DATA))),
      ]),
      ...all(
        "malformed_ipv6",
        [7, 8, 12].map((count) => v6(chain(count, DATA))),
      ),
      ...all(
        "not_vip_malformed",
        [7, 12].map((count) => v6(chain(count, DATA), { destination: STRANGER_V6 })),
      ),
      { frame: v6(hopByHop(QUERY)), reason: "flow_new" },
      { frame: v6(hopByHop(routing(DATA)), { destination: STRANGER_V6 }), reason: "not_vip" },
      ...all("malformed_ipv6", cuts(v6(hopByHop(routing(SYN))), 54, 70)),
      ...all("malformed_tcp", cuts(v6(hopByHop(routing(SYN))), 70, 90)),
    ],
  },
  {
    name: "ipv6-extension-header-beyond-the-packet",
    description:
      "An extension header whose length leads out of the packet is malformed, at any place in the chain.",
    config: { vips: ALL_VIPS },
    packets: [1, 2, 31, 32, 127, 255].flatMap((length): FixturePacket[] => {
      const first = v6(hopByHop(SYN));
      first[55] = length;
      const second = v6(hopByHop(destinationOptions(SYN)));
      second[63] = length;
      // One or two units more reach into TCP, and leave too little for a TCP header.
      const reason = length <= 2 ? "malformed_tcp" : "malformed_ipv6";
      return all(reason, [first, second]);
    }),
  },
  {
    name: "other-protocols",
    description:
      "What is neither TCP, UDP nor the family's own ICMP passes: other protocols, no next header, ICMP of the other family, tunnels.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all("other_protocol", [
        ...[2, 4, 41, 47, 50, 51, 58, 132, 255].map((protocol) => v4(raw(protocol, pattern(40)))),
        ...[1, 4, 41, 47, 50, 51, NEXT_NONE, 132, 135, 255].map((protocol) => v6(raw(protocol, pattern(40)))),
        v4(raw(47, new Uint8Array())),
        v6(raw(NEXT_NONE, new Uint8Array())),
        v6(hopByHop(raw(NEXT_NONE, new Uint8Array()))),
        v6(fragmentHeader(raw(50, pattern(16)), { offsetBytes: 8, moreFragments: true })),
      ]),
    ],
  },
  {
    name: "not-a-vip",
    description: "Other ports, the other protocol, other addresses: passed on untouched.",
    config: { vips: ALL_VIPS },
    packets: all("not_vip", [
      v4(tcp({ sourcePort: 31337, targetPort: 22, flags: TCP_SYN })),
      v4(tcp({ sourcePort: 80, targetPort: 8080 })),
      v4(udp({ sourcePort: 31337, targetPort: 80 })),
      v4(tcp({ sourcePort: 31337, targetPort: 53 })),
      v4(tcp({ sourcePort: 31337, targetPort: 0x5000 })), // 80 with its bytes swapped
      v4(SYN, { destination: "10.200.1.2" }),
      v4(SYN, { destination: "1.1.200.10" }),
      v4(SYN, { source: "10.200.1.1", destination: CLIENT_V4 }),
      v6(tcp({ sourcePort: 31337, targetPort: 22 })),
      v6(udp({ sourcePort: 31337, targetPort: 80 })),
      v6(SYN, { destination: "fc00:1::2" }),
      v6(SYN, { destination: "fc00:1:0:0:1::1" }),
    ]),
  },
  {
    name: "shortest-and-longest",
    description:
      "The shortest packets there are, bare headers, and the longest that fit a frame of 1514 bytes, with and without tags, which do not count.",
    config: { settings: { mtu: 0 }, vips: ALL_VIPS },
    packets: [
      { frame: v4(tcp({ sourcePort: 1, targetPort: 80 })), reason: "flow_new" },
      { frame: v4(udp({ sourcePort: 1, targetPort: 53 })), reason: "flow_new" },
      { frame: v6(tcp({ sourcePort: 1, targetPort: 80 })), reason: "flow_new" },
      { frame: v6(udp({ sourcePort: 1, targetPort: 53 })), reason: "flow_new" },
      ...all("flow_hit", [
        v4(tcp({ sourcePort: 1, targetPort: 80 }, pattern(1460))),
        v4(udp({ sourcePort: 1, targetPort: 53 }, pattern(1472))),
        v6(tcp({ sourcePort: 1, targetPort: 80 }, pattern(1440))),
        v6(udp({ sourcePort: 1, targetPort: 53 }, pattern(1452))),
        v4(tcp({ sourcePort: 1, targetPort: 80 }, pattern(1460)), {
          link: { tags: [{ protocol: 0x8100, control: 5 }] },
        }),
      ]),
    ],
  },
];
