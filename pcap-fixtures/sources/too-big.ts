/** Packets larger than maxFrameBytes or mtu allow. */
import {
  ethernet,
  fragmentHeader,
  fragmentsIpv4,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  pattern,
  raw,
  tcp,
  udp,
} from "../../test/packets/frame.ts";
import { TCP_SYN } from "../../test/packets/tcp.ts";
import {
  ALL_VIPS,
  all,
  BACKENDS_V6,
  CLIENT_V4,
  CLIENT_V6,
  type FixtureCase,
  type FixturePacket,
  STRANGER_V4,
  VIP_V4,
  VIP_V6,
  v4,
  v6,
  WEB_V4,
  WEB_V6,
} from "../case.ts";

const TAGS = [
  { protocol: 0x88a8, control: 100 },
  { protocol: 0x8100, control: 10 },
];

/** A whole IP packet of this size. */
function packet4(sizeBytes: number): Uint8Array {
  return ipv4(
    { source: CLIENT_V4, destination: VIP_V4, id: 0x1234, dontFragment: true },
    tcp({ sourcePort: 31337, targetPort: 80 }, pattern(sizeBytes - 40)),
  );
}

function packet6(sizeBytes: number): Uint8Array {
  return ipv6(
    { source: CLIENT_V6, destination: VIP_V6, flowLabel: 0x12345 },
    tcp({ sourcePort: 31337, targetPort: 80 }, pattern(sizeBytes - 60)),
  );
}

/** The answers, put together from their parts. */
function told4(packet: Uint8Array, mtu: number, link: Parameters<typeof ethernet>[0] = {}): Uint8Array {
  return ethernet(
    { ...link, destination: "02:00:00:00:00:fe", source: "02:00:00:00:00:01" },
    ipv4(
      { source: VIP_V4, destination: CLIENT_V4, ttl: 64 },
      icmp({ type: 3, code: 4, rest: mtu }, packet.slice(0, Math.min(84, packet.length & ~1))),
    ),
  );
}

function told6(packet: Uint8Array, mtu: number, link: Parameters<typeof ethernet>[0] = {}): Uint8Array {
  return ethernet(
    { ...link, destination: "02:00:00:00:00:fe", source: "02:00:00:00:00:01" },
    ipv6(
      { source: VIP_V6, destination: CLIENT_V6, hopLimit: 64 },
      icmpv6({ type: 2, rest: mtu }, packet.slice(0, Math.min(248, packet.length & ~1))),
    ),
  );
}

export const TOO_BIG_CASES: readonly FixtureCase[] = [
  {
    name: "too-big-for-mtu",
    description:
      "A packet that fits until its outer header is on it is told mtu less that header, byte for byte; the largest that fits is forwarded.",
    config: {
      settings: { mtu: 1500 },
      vips: [WEB_V4, WEB_V6, { address: "10.200.1.6", port: 80, protocol: "tcp", backends: BACKENDS_V6 }],
    },
    packets: [
      { frame: ethernet({}, packet4(1480)), reason: "flow_new" },
      { frame: ethernet({}, packet4(1481)), reason: "too_big_reply", out: told4(packet4(1481), 1480) },
      { frame: ethernet({}, packet4(1500)), reason: "too_big_reply", out: told4(packet4(1500), 1480) },
      {
        frame: ethernet({ tags: TAGS }, packet4(1500)),
        reason: "too_big_reply",
        out: told4(packet4(1500), 1480, { tags: TAGS }),
      },
      { frame: ethernet({}, packet6(1460)), reason: "flow_new" },
      { frame: ethernet({}, packet6(1461)), reason: "too_big_reply", out: told6(packet6(1461), 1460) },
      {
        frame: ethernet({ tags: TAGS }, packet6(1500)),
        reason: "too_big_reply",
        out: told6(packet6(1500), 1460, { tags: TAGS }),
      },
      // An IPv6 outer header takes twenty bytes more.
      ...[1460, 1461].map(
        (bytes): FixturePacket => ({
          frame: v4(tcp({ sourcePort: 1, targetPort: 80 }, pattern(bytes - 40)), {
            destination: "10.200.1.6",
          }),
          reason: bytes === 1460 ? "flow_new" : "too_big_reply",
        }),
      ),
    ],
  },
  {
    name: "too-big-leaves-no-flow",
    description: "A new flow whose packet is too big is not remembered by it.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: ethernet({}, packet4(1500)), reason: "too_big_reply" },
      { frame: ethernet({}, packet4(40)), reason: "flow_new" },
      { frame: ethernet({}, packet4(1500)), reason: "too_big_reply" },
      { frame: ethernet({}, packet4(40)), reason: "flow_hit" },
      { frame: ethernet({}, packet6(1500)), reason: "too_big_reply" },
      { frame: ethernet({}, packet6(60)), reason: "flow_new" },
    ],
  },
  {
    name: "too-big-a-frame",
    description:
      "A frame over maxFrameBytes, tags not counted, is told maxFrameBytes less Ethernet's header, before a backend is looked for.",
    config: { settings: { mtu: 0, maxFrameBytes: 1514 }, vips: [{ ...WEB_V4, backends: [] }, WEB_V6] },
    packets: [
      { frame: ethernet({}, packet4(1500)), reason: "no_backend" },
      { frame: ethernet({}, packet4(1501)), reason: "too_big_reply", out: told4(packet4(1501), 1500) },
      { frame: ethernet({}, packet4(3000)), reason: "too_big_reply", out: told4(packet4(3000), 1500) },
      { frame: ethernet({ tags: TAGS }, packet4(1500)), reason: "no_backend" },
      {
        frame: ethernet({ tags: TAGS }, packet4(1501)),
        reason: "too_big_reply",
        out: told4(packet4(1501), 1500, { tags: TAGS }),
      },
      { frame: ethernet({}, packet6(1500)), reason: "flow_new" },
      { frame: ethernet({}, packet6(1501)), reason: "too_big_reply", out: told6(packet6(1501), 1500) },
      { frame: ethernet({ tags: TAGS }, packet6(1500)), reason: "flow_hit" },
      // Padding counts: the frame is what is too long.
      { frame: ethernet({ padToBytes: 1515 }, packet4(100)), reason: "too_big_reply" },
      { frame: ethernet({ padToBytes: 1514 }, packet6(100)), reason: "flow_hit" },
    ],
  },
  {
    name: "too-big-settings",
    description: "Both limits elsewhere: frames of 3014 bytes, packets of 2000, and what is told for each.",
    config: { settings: { maxFrameBytes: 3014, mtu: 2000 }, vips: ALL_VIPS },
    packets: [
      { frame: ethernet({}, packet4(1980)), reason: "flow_new" },
      { frame: ethernet({}, packet4(1981)), reason: "too_big_reply", out: told4(packet4(1981), 1980) },
      { frame: ethernet({}, packet4(3000)), reason: "too_big_reply", out: told4(packet4(3000), 1980) },
      { frame: ethernet({}, packet4(3001)), reason: "too_big_reply", out: told4(packet4(3001), 3000) },
      { frame: ethernet({}, packet6(1960)), reason: "flow_new" },
      { frame: ethernet({}, packet6(1961)), reason: "too_big_reply", out: told6(packet6(1961), 1960) },
      { frame: ethernet({}, packet6(3001)), reason: "too_big_reply", out: told6(packet6(3001), 3000) },
    ],
  },
  {
    name: "too-big-short-quotes",
    description:
      "A frame that a capture cut holds less than the answer would quote: it quotes what is there, an even number of bytes.",
    config: { vips: ALL_VIPS },
    packets: [
      ...[54, 55, 56, 96, 97, 98, 99, 100].map((bytes): FixturePacket => {
        const cut = packet4(1500).slice(0, bytes - 14);
        return { frame: ethernet({}, cut), reason: "too_big_reply", out: told4(cut, 1480) };
      }),
      ...[74, 75, 76, 200, 260, 261, 262, 263, 264].map((bytes): FixturePacket => {
        const cut = packet6(1500).slice(0, bytes - 14);
        return { frame: ethernet({}, cut), reason: "too_big_reply", out: told6(cut, 1460) };
      }),
    ],
  },
  {
    name: "too-big-drop",
    description: "tooBig drop: nobody is told.",
    config: { settings: { tooBig: "drop" }, vips: ALL_VIPS },
    packets: all("too_big", [
      ethernet({}, packet4(1481)),
      ethernet({}, packet4(1501)),
      ethernet({}, packet6(1461)),
      ethernet({}, packet6(1501)),
    ]),
  },
  {
    name: "too-big-unanswerable",
    description:
      "No answer to an ICMP error, to a later fragment, to a source that is not one host or to a frame that came to a group MAC address; to a first fragment there is.",
    config: { vips: ALL_VIPS },
    packets: [
      {
        frame: v4(
          icmp(
            { type: 3, code: 1 },
            ipv4(
              { source: VIP_V4, destination: CLIENT_V4 },
              tcp({ sourcePort: 80, targetPort: 5 }, pattern(1440)),
            ),
          ),
          { source: "203.0.113.1" },
        ),
        reason: "too_big",
      },
      {
        frame: v6(
          icmpv6(
            { type: 1 },
            ipv6(
              { source: VIP_V6, destination: CLIENT_V6 },
              tcp({ sourcePort: 80, targetPort: 5 }, pattern(1400)),
            ),
          ),
        ),
        reason: "too_big",
      },
      {
        frame: v4(tcp({ sourcePort: 1, targetPort: 80 }, pattern(1450)), { source: "224.0.0.5" }),
        reason: "too_big",
      },
      {
        frame: v6(tcp({ sourcePort: 1, targetPort: 80 }, pattern(1420)), { source: "ff02::5" }),
        reason: "too_big",
      },
      {
        frame: v4(tcp({ sourcePort: 1, targetPort: 80 }, pattern(1450)), {
          link: { destination: "01:00:5e:00:00:01" },
        }),
        reason: "too_big",
      },
      ...fragmentsIpv4(
        ipv4(
          { source: CLIENT_V4, destination: VIP_V4, id: 9 },
          udp({ sourcePort: 1, targetPort: 53 }, pattern(2992)),
        ),
        [1480],
      ).map(
        (fragment, index): FixturePacket => ({
          frame: ethernet({}, fragment),
          reason: index === 0 ? "too_big_reply" : "too_big",
        }),
      ),
      {
        frame: v6(fragmentHeader(raw(17, pattern(1440)), { offsetBytes: 1440, id: 9 })),
        reason: "too_big",
      },
    ],
  },
  {
    name: "too-big-others",
    description:
      "The limits are for what is forwarded: what is not for a VIP passes at any size, and echo requests are answered.",
    config: { vips: ALL_VIPS },
    packets: [
      {
        frame: v4(tcp({ sourcePort: 1, targetPort: 80, flags: TCP_SYN }, pattern(3000)), {
          destination: STRANGER_V4,
        }),
        reason: "not_vip",
      },
      { frame: v4(icmp({ type: 8 }, pattern(3000))), reason: "echo_reply" },
      { frame: v6(icmpv6({ type: 128 }, pattern(3000))), reason: "echo_reply" },
      { frame: v4(raw(50, pattern(3000))), reason: "other_protocol" },
    ],
  },
];
