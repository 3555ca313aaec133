/** What the flow table remembers, for how long, and what it does when it is full. */
import { pattern, tcp, udp } from "../../test/packets/frame.ts";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../../test/packets/tcp.ts";
import { ALL_VIPS, DNS_V4, type FixtureCase, type FixturePacket, v4, v6, WEB_V4, WEB_V6 } from "../case.ts";

function segment(flags: number, sourcePort = 31337): Uint8Array {
  return v4(tcp({ sourcePort, targetPort: 80, flags }));
}

function segmentV6(flags: number, sourcePort = 31337): Uint8Array {
  return v6(tcp({ sourcePort, targetPort: 80, flags }));
}

function query(sourcePort = 5353): Uint8Array {
  return v4(udp({ sourcePort, targetPort: 53 }, pattern(20)));
}

/** A connection that both sides know of. */
function established(sourcePort: number, frame = segment): FixturePacket[] {
  return [
    { frame: frame(TCP_SYN, sourcePort), reason: "flow_new" },
    { frame: frame(TCP_ACK, sourcePort), reason: "flow_hit" },
  ];
}

const ONE_LINE = { flowsPerCpu: 1 };

export const FLOW_CASES: readonly FixtureCase[] = [
  {
    name: "tcp-connection",
    description:
      "A connection's first packet is new, the others are hits; a FIN does not end the entry, and a SYN chooses from the ring again.",
    config: { vips: ALL_VIPS },
    packets: [segment, segmentV6].flatMap((frame): FixturePacket[] => [
      { frame: frame(TCP_SYN), reason: "flow_new" },
      { frame: frame(TCP_ACK), reason: "flow_hit" },
      { frame: frame(TCP_SYN | TCP_ACK), reason: "flow_new" },
      { frame: frame(TCP_ACK), reason: "flow_hit" },
      { frame: frame(TCP_FIN | TCP_ACK), reason: "flow_hit" },
      { frame: frame(TCP_ACK), reason: "flow_hit" },
      { frame: frame(TCP_RST), reason: "flow_hit" },
      { frame: frame(TCP_RST), reason: "flow_hit" },
      { frame: frame(TCP_SYN), reason: "flow_new" },
      { frame: frame(TCP_SYN), reason: "flow_new" },
      { frame: frame(0), reason: "flow_hit" },
    ]),
  },
  {
    name: "tcp-without-a-syn",
    description:
      "A connection first seen in its middle, as after a router's change of mind, is chosen from the ring and remembered; by a RST it is not remembered.",
    config: { vips: ALL_VIPS },
    packets: [segment, segmentV6].flatMap((frame): FixturePacket[] => [
      { frame: frame(TCP_RST, 1), reason: "flow_bypass" },
      { frame: frame(TCP_RST | TCP_ACK, 1), reason: "flow_bypass" },
      { frame: frame(TCP_SYN | TCP_RST, 1), reason: "flow_bypass" },
      { frame: frame(TCP_ACK, 1), reason: "flow_new" },
      { frame: frame(TCP_RST, 1), reason: "flow_hit" },
      { frame: frame(TCP_SYN | TCP_RST, 1), reason: "flow_bypass" },
      { frame: frame(TCP_FIN, 2), reason: "flow_new" },
      { frame: frame(TCP_FIN, 2), reason: "flow_hit" },
      { frame: frame(0xfff, 3), reason: "flow_bypass" },
    ]),
  },
  {
    name: "tcp-never-expires-by-itself",
    description: "A TCP entry that nobody needs the place of is found after days.",
    config: { vips: [WEB_V4] },
    packets: [
      { frame: segment(TCP_SYN), reason: "flow_new", atMs: 0 },
      { frame: segment(TCP_ACK), reason: "flow_hit", atMs: 86_400_000 },
      { frame: segment(TCP_FIN), reason: "flow_hit", atMs: 2 * 86_400_000 },
      { frame: segment(TCP_ACK), reason: "flow_hit", atMs: 4 * 86_400_000 },
    ],
  },
  {
    name: "udp-idle",
    description:
      "A UDP flow is known for 30 seconds after its last packet, to the tick, and new after that. The entry of one packet lasts as long as that of many.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: query(), reason: "flow_new", atMs: 0 },
      { frame: query(), reason: "flow_hit", atMs: 30_000 },
      { frame: query(), reason: "flow_hit", atMs: 59_999 },
      { frame: query(), reason: "flow_new", atMs: 90_000 },
      { frame: query(), reason: "flow_new", atMs: 120_001 },
      { frame: query(), reason: "flow_hit", atMs: 120_002 },
      { frame: v6(udp({ sourcePort: 1, targetPort: 53 })), reason: "flow_new", atMs: 200_000 },
      { frame: v6(udp({ sourcePort: 1, targetPort: 53 })), reason: "flow_hit", atMs: 230_000 },
      { frame: v6(udp({ sourcePort: 1, targetPort: 53 })), reason: "flow_new", atMs: 260_001 },
    ],
  },
  {
    name: "udp-idle-setting",
    description: "udpIdleSeconds moves the limit.",
    config: { settings: { udpIdleSeconds: 2 }, vips: [DNS_V4] },
    packets: [
      { frame: query(), reason: "flow_new", atMs: 0 },
      { frame: query(), reason: "flow_hit", atMs: 2_000 },
      { frame: query(), reason: "flow_new", atMs: 4_001 },
    ],
  },
  {
    name: "clock-steps-back",
    description: "Captures are not always in order: an earlier time is no age at all.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: query(), reason: "flow_new", atMs: 100_000 },
      { frame: query(), reason: "flow_hit", atMs: 60_000 },
      { frame: query(), reason: "flow_hit", atMs: 90_000 },
      { frame: query(), reason: "flow_hit", atMs: 10_000 },
      { frame: query(), reason: "flow_hit", atMs: 40_000 },
      { frame: query(), reason: "flow_new", atMs: 70_001 },
    ],
  },
  {
    name: "rate-limit",
    description:
      "Beyond newFlowsPerSecondPerCpu new flows are balanced and not remembered; known ones, and a SYN of a known one, do not count. The next second starts afresh.",
    config: { settings: { newFlowsPerSecondPerCpu: 3 }, vips: ALL_VIPS },
    packets: [
      { frame: segment(TCP_SYN, 1), reason: "flow_new", atMs: 0 },
      { frame: segment(TCP_SYN, 2), reason: "flow_new" },
      { frame: segment(TCP_SYN, 1), reason: "flow_new" },
      { frame: segment(TCP_ACK, 2), reason: "flow_hit" },
      { frame: segmentV6(TCP_SYN, 3), reason: "flow_new" },
      { frame: segment(TCP_SYN, 4), reason: "flow_rate_limited" },
      { frame: segment(TCP_ACK, 4), reason: "flow_rate_limited" },
      { frame: segment(TCP_RST, 4), reason: "flow_bypass" },
      { frame: segmentV6(TCP_SYN, 5), reason: "flow_rate_limited" },
      { frame: query(), reason: "flow_rate_limited" },
      { frame: segment(TCP_SYN, 1), reason: "flow_new" },
      { frame: segment(TCP_ACK, 1), reason: "flow_hit" },
      { frame: segment(TCP_SYN, 4), reason: "flow_rate_limited", atMs: 999 },
      { frame: segment(TCP_SYN, 4), reason: "flow_new", atMs: 1000 },
      { frame: query(), reason: "flow_new", atMs: 1500 },
      { frame: segment(TCP_ACK, 6), reason: "flow_new", atMs: 1999 },
      { frame: segment(TCP_ACK, 7), reason: "flow_rate_limited", atMs: 1999 },
      { frame: segment(TCP_ACK, 7), reason: "flow_new", atMs: 2000 },
    ],
  },
  {
    name: "table-full-of-established-flows",
    description:
      "When every place of a line is held by an established connection, new flows are balanced but not remembered, and the connections stay known.",
    config: { capacity: ONE_LINE, vips: [WEB_V4, WEB_V6] },
    isOneLine: true,
    packets: [
      ...[1, 2, 3, 4].flatMap((port) => established(port)),
      { frame: segment(TCP_SYN, 5), reason: "flow_table_full" },
      { frame: segment(TCP_ACK, 5), reason: "flow_table_full" },
      ...[1, 2, 3, 4].map((port): FixturePacket => ({ frame: segment(TCP_ACK, port), reason: "flow_hit" })),
      ...[1, 2].flatMap((port) => established(port, segmentV6)),
      { frame: segmentV6(TCP_SYN, 3), reason: "flow_table_full" },
      { frame: segmentV6(TCP_ACK, 1), reason: "flow_hit" },
      { frame: segmentV6(TCP_ACK, 2), reason: "flow_hit" },
    ],
  },
  {
    name: "syn-flood",
    description:
      "A thousand SYNs into a line with two established connections: only the flood's own entries push each other out, the oldest first.",
    config: { capacity: ONE_LINE, vips: [WEB_V4, WEB_V6] },
    isOneLine: true,
    packets: [
      ...established(1),
      ...established(2),
      ...established(1, segmentV6),
      ...Array.from(
        { length: 1000 },
        (_, index): FixturePacket => ({
          frame: index % 10 === 9 ? segmentV6(TCP_SYN, 2000 + index) : segment(TCP_SYN, 2000 + index),
          reason: "flow_new",
        }),
      ),
      { frame: segment(TCP_ACK, 1), reason: "flow_hit" },
      { frame: segment(TCP_ACK, 2), reason: "flow_hit" },
      { frame: segmentV6(TCP_ACK, 1), reason: "flow_hit" },
      // The last two of the flood are still there, the one before them is not.
      { frame: segment(TCP_ACK, 2998), reason: "flow_hit" },
      { frame: segment(TCP_ACK, 2997), reason: "flow_hit" },
      { frame: segment(TCP_ACK, 2996), reason: "flow_table_full" },
    ],
  },
  {
    name: "line-gives-places-of-old-flows",
    description:
      "A connection closed for over a minute, one idle for over an hour and a UDP flow idle for over 30 seconds give their places away; to the tick of their limits they do not.",
    config: { capacity: ONE_LINE, vips: [WEB_V4, DNS_V4] },
    isOneLine: true,
    packets: [
      ...established(1),
      ...established(2),
      { frame: segment(TCP_FIN, 2), reason: "flow_hit", atMs: 4 },
      ...established(3),
      { frame: query(), reason: "flow_new", atMs: 10 },
      { frame: query(), reason: "flow_hit", atMs: 10 },
      // The UDP flow's place, after its 30 seconds.
      { frame: segment(TCP_SYN, 9), reason: "flow_table_full", atMs: 30_010 },
      { frame: segment(TCP_SYN, 9), reason: "flow_new", atMs: 30_011 },
      { frame: segment(TCP_ACK, 9), reason: "flow_hit", atMs: 30_012 },
      // The closed connection's, after its minute.
      { frame: segment(TCP_SYN, 10), reason: "flow_table_full", atMs: 60_004 },
      { frame: segment(TCP_SYN, 10), reason: "flow_new", atMs: 60_005 },
      { frame: segment(TCP_ACK, 10), reason: "flow_hit", atMs: 60_006 },
      { frame: segment(TCP_ACK, 2), reason: "flow_table_full", atMs: 60_007 },
      // One that has been idle for an hour; the other was not.
      { frame: segment(TCP_ACK, 3), reason: "flow_hit", atMs: 1_800_000 },
      { frame: segment(TCP_SYN, 11), reason: "flow_table_full", atMs: 3_600_001 },
      { frame: segment(TCP_SYN, 11), reason: "flow_new", atMs: 3_600_002 },
      { frame: segment(TCP_ACK, 11), reason: "flow_hit", atMs: 3_600_003 },
      { frame: segment(TCP_ACK, 3), reason: "flow_hit", atMs: 3_600_004 },
      { frame: segment(TCP_ACK, 1), reason: "flow_table_full", atMs: 3_600_005 },
    ],
  },
  {
    name: "reopened-connection-is-new-again",
    description:
      "A SYN of a closed connection makes its entry new again, so that it may be pushed out; of an open one it does not.",
    config: { capacity: ONE_LINE, vips: [WEB_V4] },
    isOneLine: true,
    packets: [
      ...[1, 2, 3, 4].flatMap((port) => established(port)),
      { frame: segment(TCP_SYN, 1), reason: "flow_new" },
      { frame: segment(TCP_SYN, 5), reason: "flow_table_full" },
      { frame: segment(TCP_RST, 1), reason: "flow_hit" },
      { frame: segment(TCP_ACK, 1), reason: "flow_hit" },
      { frame: segment(TCP_SYN, 5), reason: "flow_table_full" },
      { frame: segment(TCP_SYN, 1), reason: "flow_new" },
      { frame: segment(TCP_SYN, 5), reason: "flow_new" },
      { frame: segment(TCP_ACK, 1), reason: "flow_new" },
    ],
  },
];
