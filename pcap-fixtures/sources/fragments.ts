/** Fragments of IPv4 and IPv6, balanced or dropped. */
import {
  destinationOptions,
  ethernet,
  fragmentHeader,
  fragmentsIpv4,
  fragmentsIpv6,
  hopByHop,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  type Layer,
  pattern,
  raw,
  tcp,
  udp,
} from "../../test/packets/frame.ts";
import { TCP_SYN } from "../../test/packets/tcp.ts";
import {
  ALL_VIPS,
  all,
  BACKENDS_V4,
  CLIENT_V4,
  CLIENT_V6,
  type FixtureCase,
  type FixturePacket,
  STRANGER_V4,
  STRANGER_V6,
  VIP_V4,
  VIP_V6,
  v4,
  v6,
} from "../case.ts";

const DATAGRAM = udp({ sourcePort: 40000, targetPort: 53 }, pattern(100));

/** The fragments of a datagram, cut after 32 and 64 bytes: the first, the middle and the last. */
function three(
  family: 4 | 6,
  id: number,
  options: { layer?: Layer; destination?: string; ipOptions?: Uint8Array } = {},
) {
  const layer = options.layer ?? DATAGRAM;
  const whole =
    family === 4
      ? ipv4(
          {
            source: CLIENT_V4,
            destination: options.destination ?? VIP_V4,
            id,
            options: options.ipOptions ?? new Uint8Array(),
          },
          layer,
        )
      : ipv6({ source: CLIENT_V6, destination: options.destination ?? VIP_V6 }, layer);
  const fragments = family === 4 ? fragmentsIpv4(whole, [32, 64]) : fragmentsIpv6(whole, id, [32, 64]);
  const [first, middle, last] = fragments.map((packet) => ethernet({}, packet));
  return { first: first!, middle: middle!, last: last!, all: [first!, middle!, last!] };
}

const FAMILIES = [4, 6] as const;

export const FRAGMENT_CASES: readonly FixtureCase[] = [
  {
    name: "fragments-in-order",
    description:
      "The first fragment carries ports and is balanced like a whole packet; the others follow it, also to a backend that the flow table remembers.",
    config: { vips: ALL_VIPS },
    packets: FAMILIES.flatMap((family): FixturePacket[] => [
      { frame: three(family, 1).first, reason: "flow_new" },
      { frame: three(family, 1).middle, reason: "fragment_hit" },
      { frame: three(family, 1).last, reason: "fragment_hit" },
      { frame: three(family, 2).first, reason: "flow_hit" },
      { frame: three(family, 2).last, reason: "fragment_hit" },
      // A TCP segment in fragments: a SYN with data, as fast open sends it.
      ...[0, 1, 2].map((index): FixturePacket => {
        const layer = tcp({ sourcePort: 7, targetPort: 80, flags: TCP_SYN }, pattern(100));
        return {
          frame: three(family, 3, { layer }).all[index]!,
          reason: index === 0 ? "flow_new" : "fragment_hit",
        };
      }),
    ]),
  },
  {
    name: "fragments-out-of-order",
    description:
      "When a later fragment comes first it decides, by the VIP with the lowest port and ports 0, for all of its datagram; the first fragment then follows it, and leaves no flow.",
    config: { vips: ALL_VIPS },
    packets: FAMILIES.flatMap((family): FixturePacket[] => [
      { frame: three(family, 1).last, reason: "fragment_guessed" },
      { frame: three(family, 1).first, reason: "fragment_hit" },
      { frame: three(family, 1).middle, reason: "fragment_hit" },
      { frame: three(family, 2).middle, reason: "fragment_guessed" },
      { frame: three(family, 2).middle, reason: "fragment_hit" },
      { frame: three(family, 3).first, reason: "flow_new" },
    ]),
  },
  {
    name: "fragments-id-again",
    description:
      "A first fragment of other ports than those that the id is known for begins another datagram: it goes by its own flow, and the others follow it.",
    config: { vips: ALL_VIPS },
    packets: FAMILIES.flatMap((family): FixturePacket[] => {
      const flows = [0, 1, 2, 3].map((index) =>
        three(family, 7, { layer: udp({ sourcePort: 41000 + index, targetPort: 53 }, pattern(100)) }),
      );
      return [...flows, ...flows].flatMap((datagram, index): FixturePacket[] => [
        { frame: datagram.first, reason: index < flows.length ? "flow_new" : "flow_hit" },
        { frame: datagram.middle, reason: "fragment_hit" },
        // The same once more, as networks do.
        { frame: datagram.first, reason: "fragment_hit" },
        { frame: datagram.last, reason: "fragment_hit" },
      ]);
    }),
  },
  {
    name: "fragments-of-others",
    description:
      "Fragments without ports of no VIP's address and protocol pass; so do those of ICMP, to anyone.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: three(4, 1, { destination: STRANGER_V4 }).first, reason: "not_vip" },
      { frame: three(4, 1, { destination: STRANGER_V4 }).middle, reason: "not_vip_fragment" },
      { frame: three(6, 1, { destination: STRANGER_V6 }).first, reason: "not_vip" },
      { frame: three(6, 1, { destination: STRANGER_V6 }).last, reason: "not_vip_fragment" },
      ...all("not_vip_fragment", three(4, 2, { layer: icmp({ type: 8 }, pattern(100)) }).all),
      ...all("not_vip_fragment", three(6, 2, { layer: icmpv6({ type: 128 }, pattern(100)) }).all),
      ...all("other_protocol", three(4, 3, { layer: raw(50, pattern(100)) }).all),
      // The first fragment's port has no VIP though the address has: it passes, and the others are a guess.
      {
        frame: three(4, 4, { layer: udp({ sourcePort: 1, targetPort: 9 }, pattern(100)) }).first,
        reason: "not_vip",
      },
      {
        frame: three(4, 4, { layer: udp({ sourcePort: 1, targetPort: 9 }, pattern(100)) }).middle,
        reason: "fragment_guessed",
      },
    ],
  },
  {
    name: "fragments-lowest-port",
    description:
      "Fragments without ports belong to the address's VIP with the lowest port; port 0 is the lowest.",
    config: {
      vips: [
        { address: VIP_V4, port: 5353, protocol: "udp", backends: [{ address: "10.0.0.3" }] },
        { address: VIP_V4, port: 53, protocol: "udp", backends: [{ address: "10.0.0.1" }] },
        { address: VIP_V4, port: 443, protocol: "udp", backends: [{ address: "10.0.0.2" }] },
        { address: VIP_V4, port: 7, protocol: "tcp", backends: [{ address: "10.0.0.9" }] },
        { address: "10.200.1.2", port: 53, protocol: "udp", backends: [{ address: "10.0.0.1" }] },
        { address: "10.200.1.2", port: 0, protocol: "udp", backends: [{ address: "10.0.0.4" }] },
      ],
    },
    packets: [
      { frame: three(4, 1).middle, reason: "fragment_guessed", backend: "10.0.0.1" },
      {
        frame: three(4, 2, { destination: "10.200.1.2" }).middle,
        reason: "fragment_guessed",
        backend: "10.0.0.4",
      },
      {
        frame: three(4, 3, { layer: tcp({ sourcePort: 1, targetPort: 7 }, pattern(80)) }).middle,
        reason: "fragment_guessed",
        backend: "10.0.0.9",
      },
    ],
  },
  {
    name: "fragments-are-forgotten",
    description:
      "A datagram is remembered for two seconds after the fragment that decided, to the tick, and not longer by others.",
    config: { vips: ALL_VIPS },
    packets: FAMILIES.flatMap((family, index): FixturePacket[] => [
      { frame: three(family, 1).first, reason: "flow_new", atMs: 10_000 * index },
      { frame: three(family, 1).middle, reason: "fragment_hit", atMs: 10_000 * index + 1999 },
      { frame: three(family, 1).last, reason: "fragment_hit", atMs: 10_000 * index + 2000 },
      { frame: three(family, 1).last, reason: "fragment_guessed", atMs: 10_000 * index + 2001 },
      { frame: three(family, 1).first, reason: "fragment_hit", atMs: 10_000 * index + 4001 },
      { frame: three(family, 1).first, reason: "flow_hit", atMs: 10_000 * index + 4002 },
    ]),
  },
  {
    name: "fragments-told-apart",
    description: "Datagrams differ by id, source, destination and protocol: each is guessed for itself.",
    config: {
      vips: [
        ...ALL_VIPS,
        { address: VIP_V4, port: 443, protocol: "tcp", backends: BACKENDS_V4 },
        { address: "10.200.1.9", port: 53, protocol: "udp", backends: BACKENDS_V4 },
      ],
    },
    packets: [
      ...[0, 1, 2, 255, 256, 65535].map(
        (id): FixturePacket => ({ frame: three(4, id).middle, reason: "fragment_guessed" }),
      ),
      ...[0, 1, 65536, 0x01000000, 0xffffffff].map(
        (id): FixturePacket => ({ frame: three(6, id).middle, reason: "fragment_guessed" }),
      ),
      { frame: three(4, 1, { destination: "10.200.1.9" }).middle, reason: "fragment_guessed" },
      {
        frame: three(4, 1, { layer: tcp({ sourcePort: 1, targetPort: 80 }, pattern(80)) }).middle,
        reason: "fragment_guessed",
      },
      ...[0, 1, 2, 255, 256, 65535].map(
        (id): FixturePacket => ({ frame: three(4, id).last, reason: "fragment_hit" }),
      ),
    ],
  },
  {
    name: "fragments-and-flags",
    description:
      "What hashes and outer sources make of fragments: without source port, by target port, bypassing the flow table, every port.",
    config: {
      vips: [
        {
          address: "10.200.1.1",
          port: 53,
          protocol: "udp",
          flags: ["hash-no-source-port"],
          backends: BACKENDS_V4,
        },
        {
          address: "10.200.1.2",
          port: 53,
          protocol: "udp",
          flags: ["hash-destination-port"],
          backends: BACKENDS_V4,
        },
        {
          address: "10.200.1.3",
          port: 53,
          protocol: "udp",
          flags: ["bypass-flow-table"],
          backends: BACKENDS_V4,
        },
        { address: "10.200.1.4", port: 0, protocol: "udp", backends: BACKENDS_V4 },
      ],
    },
    packets: ["10.200.1.1", "10.200.1.2", "10.200.1.3", "10.200.1.4"].flatMap(
      (destination): FixturePacket[] => [
        {
          frame: three(4, 1, { destination }).first,
          reason: destination === "10.200.1.3" ? "flow_bypass" : "flow_new",
        },
        { frame: three(4, 1, { destination }).middle, reason: "fragment_hit" },
        { frame: three(4, 2, { destination }).middle, reason: "fragment_guessed" },
        { frame: three(4, 2, { destination }).first, reason: "fragment_hit" },
      ],
    ),
  },
  {
    name: "fragments-first-too-short",
    description:
      "A first fragment that ends in its transport header is malformed, whatever the others may hold.",
    config: { vips: ALL_VIPS },
    packets: [
      ...all(
        "malformed_tcp",
        [0, 8, 16].map((bytes) => v4(raw(6, pattern(bytes)), { moreFragments: true, id: 1 })),
      ),
      { frame: v4(raw(17, new Uint8Array()), { moreFragments: true, id: 1 }), reason: "malformed_udp" },
      ...all(
        "malformed_tcp",
        [0, 8, 16].map((bytes) => v6(fragmentHeader(raw(6, pattern(bytes)), { moreFragments: true, id: 1 }))),
      ),
      {
        frame: v6(fragmentHeader(raw(17, new Uint8Array()), { moreFragments: true })),
        reason: "malformed_udp",
      },
      {
        frame: v4(raw(6, pattern(16)), { moreFragments: true, destination: STRANGER_V4 }),
        reason: "not_vip_malformed",
      },
      // A later fragment may be as short as it likes.
      { frame: v4(raw(6, new Uint8Array()), { fragmentOffsetBytes: 8 }), reason: "fragment_guessed" },
      {
        frame: v6(fragmentHeader(raw(6, pattern(1)), { offsetBytes: 8, id: 9 })),
        reason: "fragment_guessed",
      },
    ],
  },
  {
    name: "ipv6-fragment-header-cut",
    description: "A fragment header that does not fit into the packet is malformed.",
    config: { vips: ALL_VIPS },
    packets: [
      ...Array.from(
        { length: 8 },
        (_, bytes): FixturePacket => ({
          frame: three(6, 1).first.slice(0, 54 + bytes),
          reason: "malformed_ipv6",
        }),
      ),
      ...[0, 7].map(
        (payloadLengthBytes): FixturePacket => ({
          frame: v6(fragmentHeader(DATAGRAM, { moreFragments: true }), { payloadLengthBytes }),
          reason: "malformed_ipv6",
        }),
      ),
    ],
  },
  {
    name: "ipv6-fragments-of-fragments",
    description:
      "A second fragment header is malformed, wherever it stands and whatever it says; behind a later fragment's header nothing is read.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: v6(fragmentHeader(fragmentHeader(DATAGRAM))), reason: "malformed_ipv6" },
      {
        frame: v6(fragmentHeader(fragmentHeader(DATAGRAM, { offsetBytes: 8 }), { moreFragments: true })),
        reason: "malformed_ipv6",
      },
      { frame: v6(fragmentHeader(destinationOptions(fragmentHeader(DATAGRAM)))), reason: "malformed_ipv6" },
      { frame: v6(fragmentHeader(fragmentHeader(DATAGRAM), { offsetBytes: 8 })), reason: "other_protocol" },
      {
        frame: v6(fragmentHeader(destinationOptions(DATAGRAM), { offsetBytes: 8 })),
        reason: "other_protocol",
      },
      { frame: v6(fragmentHeader(DATAGRAM, { offsetBytes: 8 })), reason: "fragment_guessed" },
    ],
  },
  {
    name: "ipv6-atomic-fragment",
    description:
      "A fragment header on a whole packet (RFC 6946): balanced as what it is, without regard to other fragments of its id.",
    config: { vips: ALL_VIPS },
    packets: [
      { frame: three(6, 5).middle, reason: "fragment_guessed" },
      { frame: v6(fragmentHeader(DATAGRAM, { id: 5 })), reason: "flow_new" },
      { frame: v6(hopByHop(fragmentHeader(destinationOptions(DATAGRAM), { id: 5 }))), reason: "flow_hit" },
      { frame: v6(fragmentHeader(icmpv6({ type: 128 }))), reason: "echo_reply" },
      { frame: v6(fragmentHeader(raw(6, pattern(19)))), reason: "malformed_tcp" },
      { frame: v6(fragmentHeader(DATAGRAM), { destination: STRANGER_V6 }), reason: "not_vip" },
    ],
  },
  {
    name: "fragments-drop",
    description:
      "With fragments drop, a VIP's fragments are dropped, by their port where they carry one, atomic ones too; those of others pass.",
    config: { settings: { fragments: "drop" }, vips: ALL_VIPS },
    packets: [
      ...FAMILIES.flatMap((family) => all("fragment", three(family, 1).all)),
      { frame: v6(fragmentHeader(DATAGRAM)), reason: "fragment" },
      {
        frame: three(4, 1, { layer: udp({ sourcePort: 1, targetPort: 9 }, pattern(100)) }).first,
        reason: "not_vip_fragment",
      },
      ...all("not_vip_fragment", three(4, 1, { destination: STRANGER_V4 }).all),
      ...all("not_vip_fragment", three(6, 1, { destination: STRANGER_V6 }).all),
      ...all("not_vip_fragment", three(4, 2, { layer: icmp({ type: 8 }, pattern(100)) }).all),
      { frame: v4(raw(6, pattern(16)), { moreFragments: true }), reason: "malformed_tcp" },
      ...all("other_protocol", three(4, 3, { layer: raw(50, pattern(100)) }).all),
      { frame: v4(DATAGRAM, { dontFragment: true }), reason: "flow_new" },
    ],
  },
  {
    name: "fragments-drop-scope-all",
    description: "With fragments drop and scope all, every fragment is dropped.",
    config: { settings: { fragments: "drop", scope: "all" }, vips: ALL_VIPS },
    packets: [
      ...all("fragment", three(4, 1, { destination: STRANGER_V4 }).all),
      ...all("fragment", three(6, 1, { destination: STRANGER_V6 }).all),
      ...all("fragment", three(4, 2, { layer: icmp({ type: 8 }, pattern(100)) }).all),
      ...all("fragment", three(6, 2, { layer: icmpv6({ type: 128 }, pattern(100)) }).all),
      { frame: v6(fragmentHeader(DATAGRAM)), reason: "fragment" },
      { frame: v4(DATAGRAM), reason: "flow_new" },
    ],
  },
  {
    name: "fragments-with-options",
    description:
      "IPv4 options are kept on every fragment: dropped or balanced as the setting says, fragment or not.",
    config: { settings: { ipOptions: "balance" }, vips: ALL_VIPS },
    packets: [
      { frame: three(4, 1, { ipOptions: pattern(40).fill(1) }).first, reason: "flow_new" },
      { frame: three(4, 1, { ipOptions: pattern(40).fill(1) }).middle, reason: "fragment_hit" },
      { frame: three(4, 2, { ipOptions: pattern(4).fill(1) }).last, reason: "fragment_guessed" },
      { frame: three(4, 2, { ipOptions: pattern(4).fill(1) }).first, reason: "fragment_hit" },
    ],
  },
  {
    name: "fragments-without-backend",
    description: "Fragments of a VIP that nobody serves are dropped, and not remembered.",
    config: {
      vips: [
        {
          address: VIP_V4,
          port: 53,
          protocol: "udp",
          backends: [{ address: "10.0.0.1", state: "draining" }],
        },
      ],
    },
    packets: all("no_backend", [...three(4, 1).all, ...three(4, 1).all]),
  },
];
