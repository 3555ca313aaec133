/** Echo requests, and ICMP errors about flows. */
import {
  destinationOptions,
  ethernet,
  fragmentHeader,
  hopByHop,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  type Layer,
  pattern,
  raw,
  routing,
  tcp,
  udp,
} from "../../test/packets/frame.ts";
import { TCP_RST, TCP_SYN } from "../../test/packets/tcp.ts";
import {
  ALL_VIPS,
  all,
  BACKENDS_V4,
  BACKENDS_V6,
  CLIENT_V4,
  CLIENT_V6,
  cuts,
  type FixtureCase,
  type FixturePacket,
  STRANGER_V4,
  STRANGER_V6,
  VIP_V4,
  VIP_V6,
  v4,
  v6,
} from "../case.ts";

const ROUTER_V4 = "203.0.113.1";
const ROUTER_V6 = "2001:db8:9::1";
const ROUTER_ALERT = Uint8Array.of(0x94, 4, 0, 0);

function echo(rest: number, data: Uint8Array = new Uint8Array()): Layer {
  return icmp({ type: 8, rest }, data);
}

/** What the backend sent to the client, and what a router on the way complains about. */
const SENT = tcp({ sourcePort: 80, targetPort: 31337 }, pattern(40));
const ANSWERED = udp({ sourcePort: 53, targetPort: 40000 }, pattern(40));

function sent4(layer: Layer, options: Partial<Parameters<typeof ipv4>[0]> = {}): Uint8Array {
  return ipv4({ source: VIP_V4, destination: CLIENT_V4, ...options }, layer);
}

function sent6(layer: Layer, options: Partial<Parameters<typeof ipv6>[0]> = {}): Uint8Array {
  return ipv6({ source: VIP_V6, destination: CLIENT_V6, ...options }, layer);
}

interface ErrorOptions {
  readonly type?: number;
  readonly code?: number;
  readonly rest?: number;
  readonly destination?: string;
}

function error4(
  quote: Uint8Array,
  { type = 3, code = 1, rest = 0, destination = VIP_V4 }: ErrorOptions = {},
): Uint8Array {
  return v4(icmp({ type, code, rest }, quote), { source: ROUTER_V4, destination });
}

function error6(
  quote: Uint8Array,
  { type = 1, code = 0, rest = 0, destination = VIP_V6 }: ErrorOptions = {},
): Uint8Array {
  return v6(icmpv6({ type, code, rest }, quote), { source: ROUTER_V6, destination });
}

/** The flows that the errors below are about. */
const FLOWS: readonly FixturePacket[] = [
  { frame: v4(tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_SYN })), reason: "flow_new" },
  { frame: v6(tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_SYN })), reason: "flow_new" },
  { frame: v4(udp({ sourcePort: 40000, targetPort: 53 })), reason: "flow_new" },
  { frame: v6(udp({ sourcePort: 40000, targetPort: 53 })), reason: "flow_new" },
];

export const ICMP_CASES: readonly FixtureCase[] = [
  {
    name: "echo-v4",
    description: "An echo request to a VIP's address is answered from it; to another it passes.",
    config: { vips: ALL_VIPS },
    packets: [
      {
        frame: v4(echo(0x12340001, pattern(56)), { ttl: 57, tos: 0x10, id: 0x4242, dontFragment: true }),
        reason: "echo_reply",
        out: ethernet(
          { destination: "02:00:00:00:00:fe", source: "02:00:00:00:00:01" },
          ipv4(
            { source: VIP_V4, destination: CLIENT_V4, ttl: 64, tos: 0x10, id: 0x4242, dontFragment: true },
            icmp({ type: 0, rest: 0x12340001 }, pattern(56)),
          ),
        ),
      },
      { frame: v4(echo(1), { ttl: 255 }), reason: "echo_reply" },
      { frame: v4(echo(2), { ttl: 64, link: { padToBytes: 60 } }), reason: "echo_reply" },
      {
        frame: v4(echo(3), { ttl: 0, link: { tags: [{ protocol: 0x8100, control: 7 }] } }),
        reason: "echo_reply",
      },
      { frame: v4(icmp({ type: 8, code: 9 })), reason: "echo_reply" },
      { frame: v4(echo(4), { destination: STRANGER_V4 }), reason: "other_icmp" },
      { frame: v4(echo(4), { destination: "1.1.200.10" }), reason: "other_icmp" },
    ],
  },
  {
    name: "echo-v6",
    description: "The same over IPv6, behind extension headers too.",
    config: { vips: ALL_VIPS },
    packets: [
      {
        frame: v6(icmpv6({ type: 128, rest: 0x12340001 }, pattern(56)), {
          hopLimit: 3,
          trafficClass: 0x20,
          flowLabel: 0x54321,
        }),
        reason: "echo_reply",
        out: ethernet(
          { destination: "02:00:00:00:00:fe", source: "02:00:00:00:00:01" },
          ipv6(
            { source: VIP_V6, destination: CLIENT_V6, hopLimit: 64, trafficClass: 0x20, flowLabel: 0x54321 },
            icmpv6({ type: 129, rest: 0x12340001 }, pattern(56)),
          ),
        ),
      },
      { frame: v6(hopByHop(destinationOptions(icmpv6({ type: 128 })))), reason: "echo_reply" },
      {
        frame: v6(icmpv6({ type: 128 }), { link: { tags: [{ protocol: 0x88a8, control: 7 }] } }),
        reason: "echo_reply",
      },
      { frame: v6(icmpv6({ type: 128 }), { destination: STRANGER_V6 }), reason: "other_icmp" },
    ],
  },
  {
    name: "echo-checksum-carries",
    description:
      "Every echo checksum around the places where adding the difference carries, and TTLs that make the header's carry: all replies sum up.",
    config: { vips: ALL_VIPS },
    packets: [
      // With identifier 0 the sequence number alone decides the checksum.
      ...[0, 1, 2, 0x07fe, 0x07ff, 0x0800, 0x0801, 0xf7fe, 0xf7ff, 0xf800, 0xfffe, 0xffff].flatMap(
        (sequence): FixturePacket[] => [
          { frame: v4(echo(sequence)), reason: "echo_reply" },
          { frame: v4(echo(sequence), { ttl: 65, id: sequence }), reason: "echo_reply" },
          { frame: v6(icmpv6({ type: 128, rest: sequence })), reason: "echo_reply" },
        ],
      ),
      ...Array.from(
        { length: 256 },
        (_, index): FixturePacket => ({
          frame: v4(echo(index * 0x101), { ttl: index, id: (index * 0x313) & 0xffff }),
          reason: "echo_reply",
        }),
      ),
      // All 512 identifiers around the IPv6 checksum's wrap, wherever the addresses put it.
      ...Array.from(
        { length: 512 },
        (_, index): FixturePacket => ({
          frame: v6(icmpv6({ type: 128, rest: index * 0x80 })),
          reason: "echo_reply",
        }),
      ),
    ],
  },
  {
    name: "echo-any",
    description: "echoReply any answers for every address.",
    config: { settings: { echoReply: "any" }, vips: ALL_VIPS },
    packets: all("echo_reply", [
      v4(echo(1)),
      v4(echo(1), { destination: STRANGER_V4 }),
      v6(icmpv6({ type: 128 })),
      v6(icmpv6({ type: 128 }), { destination: STRANGER_V6 }),
    ]),
  },
  {
    name: "echo-off",
    description: "echoReply off passes every request.",
    config: { settings: { echoReply: "off" }, vips: ALL_VIPS },
    packets: all("other_icmp", [
      v4(echo(1)),
      v4(echo(1), { destination: STRANGER_V4 }),
      v6(icmpv6({ type: 128 })),
    ]),
  },
  {
    name: "echo-unanswerable",
    description:
      "Nobody is answered who is not one host, nor in the name of many: requests from or to multicast, broadcast, loopback and unspecified addresses pass, and those in a frame to a group MAC address.",
    config: { settings: { echoReply: "any" }, vips: ALL_VIPS },
    packets: [
      ...all(
        "other_icmp",
        ["224.0.0.1", "239.255.255.255", "255.255.255.255", "0.0.0.0", "127.0.0.1"].map((source) =>
          v4(echo(1), { source }),
        ),
      ),
      ...all(
        "other_icmp",
        ["ff02::1", "::", "::1"].map((source) => v6(icmpv6({ type: 128 }), { source })),
      ),
      ...all(
        "other_icmp",
        ["224.0.0.1", "255.255.255.255"].map((destination) => v4(echo(1), { destination })),
      ),
      { frame: v6(icmpv6({ type: 128 }), { destination: "ff02::1" }), reason: "other_icmp" },
      ...all("other_icmp", [
        v4(echo(1), { link: { destination: "ff:ff:ff:ff:ff:ff" } }),
        v6(icmpv6({ type: 128 }), { link: { destination: "33:33:00:00:00:01" } }),
      ]),
      ...all(
        "echo_reply",
        ["223.255.255.255", "255.255.255.254", "126.255.255.255", "128.0.0.0"].map((source) =>
          v4(echo(1), { source }),
        ),
      ),
      ...all(
        "echo_reply",
        ["fe80::1", "::1:0", "::2", "::1:0:0:1"].map((source) => v6(icmpv6({ type: 128 }), { source })),
      ),
    ],
  },
  {
    name: "echo-with-options",
    description: "An echo request with IPv4 options is answered with them, where options are balanced.",
    config: { settings: { ipOptions: "balance" }, vips: ALL_VIPS },
    packets: [
      { frame: v4(echo(1, pattern(9)), { options: ROUTER_ALERT }), reason: "echo_reply" },
      { frame: v4(echo(0xffff0000), { options: pattern(40).fill(1), ttl: 1 }), reason: "echo_reply" },
    ],
  },
  {
    name: "icmp-with-options-drop",
    description:
      "With ipOptions drop, echo requests to a VIP and errors about its flows are dropped for their options; other ICMP is not.",
    config: { settings: { ipOptions: "drop", echoReply: "any" }, vips: ALL_VIPS },
    packets: [
      { frame: v4(echo(1), { options: ROUTER_ALERT }), reason: "ip_options" },
      { frame: v4(echo(1), { options: ROUTER_ALERT, destination: STRANGER_V4 }), reason: "echo_reply" },
      {
        frame: v4(icmp({ type: 3 }, sent4(SENT)), { source: ROUTER_V4, options: ROUTER_ALERT }),
        reason: "ip_options",
      },
      {
        frame: v4(icmp({ type: 3 }, sent4(tcp({ sourcePort: 81, targetPort: 5 }))), {
          source: ROUTER_V4,
          options: ROUTER_ALERT,
        }),
        reason: "other_icmp",
      },
      { frame: v4(icmp({ type: 0 }), { options: ROUTER_ALERT }), reason: "other_icmp" },
      {
        frame: v4(icmp({ type: 3 }, sent4(SENT, { options: ROUTER_ALERT })), { source: ROUTER_V4 }),
        reason: "icmp_error",
      },
    ],
  },
  {
    name: "icmp-others",
    description:
      "ICMP that is neither an echo request nor an error about a flow passes: replies, redirects, neighbour discovery.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all(
        "other_icmp",
        [0, 4, 5, 9, 10, 13, 14, 40, 255].map((type) => error4(sent4(SENT), { type })),
      ),
      ...all(
        "other_icmp",
        [0, 5, 100, 127, 129, 130, 133, 134, 135, 136, 137, 255].map((type) => error6(sent6(SENT), { type })),
      ),
      ...all("malformed_icmp", cuts(v4(echo(1)), 34, 42)),
      ...all("malformed_icmp", cuts(v6(icmpv6({ type: 128 })), 54, 62)),
      { frame: v4(raw(1, pattern(7)), { destination: STRANGER_V4 }), reason: "not_vip_malformed" },
    ],
  },
  {
    name: "icmp-errors-v4",
    description:
      "Unreachable, fragmentation needed, time exceeded and parameter problem go to the backend of the flow whose packet they quote, in an outer header like the flow's.",
    config: { vips: ALL_VIPS },
    packets: [
      ...FLOWS,
      ...[
        { type: 3, code: 0 },
        { type: 3, code: 1 },
        { type: 3, code: 3 },
        { type: 3, code: 4, rest: 1400 },
        { type: 3, code: 13 },
        { type: 11, code: 0 },
        { type: 11, code: 1 },
        { type: 12, code: 0, rest: 0x14000000 },
      ].flatMap((options): FixturePacket[] => [
        { frame: error4(sent4(SENT), options), reason: "icmp_error" },
        { frame: error4(sent4(SENT).slice(0, 28), options), reason: "icmp_error" },
        { frame: error4(sent4(ANSWERED), options), reason: "icmp_error" },
      ]),
    ],
  },
  {
    name: "icmp-errors-v6",
    description: "The same for IPv6: unreachable, packet too big, time exceeded, parameter problem.",
    config: { vips: ALL_VIPS },
    packets: [
      ...FLOWS,
      ...[
        { type: 1, code: 0 },
        { type: 1, code: 4 },
        { type: 2, rest: 1400 },
        { type: 3, code: 0 },
        { type: 3, code: 1 },
        { type: 4, code: 0, rest: 40 },
      ].flatMap((options): FixturePacket[] => [
        { frame: error6(sent6(SENT), options), reason: "icmp_error" },
        { frame: error6(sent6(SENT).slice(0, 48), options), reason: "icmp_error" },
        { frame: error6(sent6(ANSWERED), options), reason: "icmp_error" },
      ]),
    ],
  },
  {
    name: "icmp-errors-cut",
    description:
      "An error whose quote ends before the first eight bytes of the transport header is malformed, wherever it ends.",
    config: { vips: ALL_VIPS },
    packets: [
      ...FLOWS,
      ...all("malformed_icmp", cuts(error4(sent4(SENT)), 42, 70)),
      { frame: error4(sent4(SENT)).slice(0, 70), reason: "icmp_error" },
      ...all("malformed_icmp", cuts(error6(sent6(SENT)), 62, 110)),
      { frame: error6(sent6(SENT)).slice(0, 110), reason: "icmp_error" },
      // By the outer packet's length rather than the frame's.
      ...[28, 47, 55].map(
        (totalLengthBytes): FixturePacket => ({
          frame: v4(icmp({ type: 3 }, sent4(SENT)), { source: ROUTER_V4, totalLengthBytes }),
          reason: "malformed_icmp",
        }),
      ),
      {
        frame: v4(icmp({ type: 3 }, sent4(SENT)), { source: ROUTER_V4, totalLengthBytes: 56 }),
        reason: "icmp_error",
      },
      ...[8, 47, 55].map(
        (payloadLengthBytes): FixturePacket => ({
          frame: v6(icmpv6({ type: 1 }, sent6(SENT)), { source: ROUTER_V6, payloadLengthBytes }),
          reason: "malformed_icmp",
        }),
      ),
      {
        frame: v6(icmpv6({ type: 1 }, sent6(SENT)), { source: ROUTER_V6, payloadLengthBytes: 56 }),
        reason: "icmp_error",
      },
      ...all(
        "not_vip_malformed",
        cuts(error4(sent4(SENT, { source: STRANGER_V4 }), { destination: STRANGER_V4 }), 42, 70),
      ),
    ],
  },
  {
    name: "icmp-errors-quoting-options",
    description:
      "Options and extension headers of the quoted packet are skipped, with as little as eight bytes behind them.",
    config: { vips: ALL_VIPS },
    packets: [
      ...FLOWS,
      ...[4, 20, 40].flatMap((bytes): FixturePacket[] => {
        const quote = sent4(SENT, { options: pattern(bytes).fill(1) });
        return [
          { frame: error4(quote), reason: "icmp_error" },
          { frame: error4(quote.slice(0, 28 + bytes)), reason: "icmp_error" },
          { frame: error4(quote.slice(0, 27 + bytes)), reason: "malformed_icmp" },
          { frame: error4(quote.slice(0, 19 + bytes)), reason: "malformed_icmp" },
        ];
      }),
      ...all("icmp_error", [
        error6(sent6(hopByHop(SENT))),
        error6(sent6(routing(SENT))),
        error6(sent6(hopByHop(destinationOptions(routing(SENT))))),
        error6(sent6(destinationOptions(SENT, pattern(22).fill(0)))),
        error6(sent6(fragmentHeader(SENT, { moreFragments: true }))),
        error6(sent6(hopByHop(fragmentHeader(SENT, { moreFragments: true, id: 7 })))),
        error6(sent6(hopByHop(SENT)).slice(0, 56)),
      ]),
      ...all("malformed_icmp", cuts(error6(sent6(hopByHop(routing(SENT)))), 102, 126)),
      { frame: error6(sent6(hopByHop(routing(SENT)))).slice(0, 126), reason: "icmp_error" },
      {
        frame: error6(sent6(hopByHop(routing(routing(routing(routing(routing(routing(SENT))))))))),
        reason: "malformed_icmp",
      },
    ],
  },
  {
    name: "icmp-errors-not-ours",
    description:
      "Errors about others' packets pass: another source or port, later fragments, other transports; and a quote of the wrong version is malformed.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all("other_icmp", [
        error4(sent4(SENT, { source: STRANGER_V4 })),
        error4(sent4(SENT, { source: CLIENT_V4, destination: VIP_V4 })),
        error4(sent4(tcp({ sourcePort: 81, targetPort: 31337 }))),
        error4(sent4(udp({ sourcePort: 80, targetPort: 31337 }))),
        error4(sent4(tcp({ sourcePort: 31337, targetPort: 80 }))),
        error4(sent4(SENT, { fragmentOffsetBytes: 8 })),
        error4(sent4(icmp({ type: 8 }, pattern(20)))),
        error4(sent4(raw(50, pattern(20)))),
        error4(sent4(SENT, { source: STRANGER_V4 }), { destination: STRANGER_V4 }),
        error6(sent6(SENT, { source: STRANGER_V6 })),
        error6(sent6(tcp({ sourcePort: 81, targetPort: 31337 }))),
        error6(sent6(fragmentHeader(SENT, { offsetBytes: 8, moreFragments: true }))),
        error6(sent6(icmpv6({ type: 128 }, pattern(20)))),
        error6(sent6(raw(59, new Uint8Array()))),
      ]),
      ...all("malformed_icmp", [
        error4(sent6(SENT)),
        error6(sent4(SENT)),
        error6(pattern(60).fill(0)),
        error4(pattern(60).fill(0)),
        error4(pattern(60).fill(0x44)),
      ]),
    ],
  },
  {
    name: "icmp-errors-and-the-flow-table",
    description:
      "Errors follow the flow table where it knows the flow, but neither enter it nor renew it; without an entry the ring decides, and a SYN or RST in the quote plays no part.",
    config: {
      vips: [
        { address: VIP_V4, port: 80, protocol: "tcp", backends: BACKENDS_V4 },
        { address: VIP_V4, port: 53, protocol: "udp", backends: BACKENDS_V4 },
        { address: VIP_V4, port: 0, protocol: "tcp", backends: BACKENDS_V4 },
        { address: VIP_V4, port: 90, protocol: "tcp", flags: ["bypass-flow-table"], backends: BACKENDS_V4 },
        {
          address: VIP_V4,
          port: 91,
          protocol: "tcp",
          flags: ["hash-destination-port"],
          backends: BACKENDS_V4,
        },
        { address: VIP_V4, port: 92, protocol: "tcp", flags: ["hash-no-source-port"], backends: BACKENDS_V4 },
        { address: VIP_V4, port: 93, protocol: "tcp", backends: [] },
        { address: VIP_V6, port: 80, protocol: "tcp", backends: BACKENDS_V6 },
      ],
    },
    packets: [
      ...[80, 7777, 90, 91, 92].flatMap((sourcePort): FixturePacket[] =>
        [0, TCP_SYN, TCP_RST].map((flags) => ({
          frame: error4(sent4(tcp({ sourcePort, targetPort: 31337, flags }))),
          reason: "icmp_error",
        })),
      ),
      { frame: error4(sent4(tcp({ sourcePort: 93, targetPort: 31337 }))), reason: "no_backend" },
      { frame: v4(tcp({ sourcePort: 31337, targetPort: 80 })), reason: "flow_new" },
      { frame: error4(sent4(SENT)), reason: "icmp_error" },
      // UDP: the error at 29 s does not keep the flow known beyond its 30.
      { frame: v4(udp({ sourcePort: 40000, targetPort: 53 })), reason: "flow_new", atMs: 1000 },
      { frame: error4(sent4(ANSWERED)), reason: "icmp_error", atMs: 30_000 },
      { frame: v4(udp({ sourcePort: 40000, targetPort: 53 })), reason: "flow_new", atMs: 31_001 },
      { frame: error4(sent4(ANSWERED)), reason: "icmp_error", atMs: 91_001 },
      { frame: error6(sent6(SENT)), reason: "icmp_error" },
    ],
  },
  {
    name: "icmp-errors-4in6-and-6in4",
    description: "Errors are encapsulated towards backends of the other family too.",
    config: {
      vips: [
        { address: VIP_V4, port: 80, protocol: "tcp", backends: BACKENDS_V6 },
        { address: VIP_V6, port: 80, protocol: "tcp", backends: BACKENDS_V4 },
      ],
    },
    packets: all("icmp_error", [
      error4(sent4(SENT)),
      error4(sent4(SENT).slice(0, 28)),
      error6(sent6(SENT)),
      error6(sent6(SENT).slice(0, 48)),
    ]),
  },
];
