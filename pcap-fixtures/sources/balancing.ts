/** Which backend a packet goes to, and in what outer header. */
import { ethernet, ipv4, ipv6, type Layer, pattern, raw, tcp, udp } from "../../test/packets/frame.ts";
import { TCP_FIN, TCP_RST, TCP_SYN } from "../../test/packets/tcp.ts";
import {
  ALL_VIPS,
  all,
  BACKENDS_V4,
  BACKENDS_V6,
  CLIENT_V4,
  CLIENT_V6,
  type FixtureCase,
  type FixturePacket,
  type FixtureVip,
  VIP_V4,
  VIP_V6,
  v4,
  v6,
  WEB_V4,
  WEB_V6,
} from "../case.ts";

const GATEWAY_MAC = "00:00:de:ad:be:af";
const SYN = tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_SYN });
const DATA = tcp({ sourcePort: 31337, targetPort: 80 }, pattern(100));

function web(address: string, backend: string): FixtureVip {
  return { address, port: 80, protocol: "tcp", backends: [{ address: backend }] };
}

function inner4(layer: Layer, tos = 0): Uint8Array {
  return ipv4({ source: CLIENT_V4, destination: VIP_V4, tos }, layer);
}

function inner6(layer: Layer, trafficClass = 0): Uint8Array {
  return ipv6({ source: CLIENT_V6, destination: VIP_V6, trafficClass, flowLabel: 0xabcde }, layer);
}

function outer(packet: Uint8Array): Uint8Array {
  return ethernet({ destination: GATEWAY_MAC, source: "02:00:00:00:00:01" }, packet);
}

/** Different clients: enough that every backend of a few gets some. */
function clientsV4(count: number, layer: (index: number) => Layer): Uint8Array[] {
  return Array.from({ length: count }, (_, index) => v4(layer(index), { source: `198.18.${index}.7` }));
}

function syns(count: number, port = 80): Uint8Array[] {
  return clientsV4(count, (index) =>
    tcp({ sourcePort: 1024 + index * 97, targetPort: port, flags: TCP_SYN }),
  );
}

export const BALANCING_CASES: readonly FixtureCase[] = [
  {
    name: "4in4",
    description:
      "IPv4 in IPv4: the outer source comes from the client's address and port, TOS is copied, TTL is 64, there is no id and no DF.",
    config: { vips: [web(VIP_V4, "10.0.0.1")] },
    packets: [0, 0xb8, 0xff].map(
      (tos, index): FixturePacket => ({
        frame: ethernet({}, inner4(SYN, tos)),
        reason: "flow_new",
        backend: "10.0.0.1",
        atMs: index,
        out: outer(
          ipv4({ source: "172.16.104.123", destination: "10.0.0.1", ttl: 64, tos }, raw(4, inner4(SYN, tos))),
        ),
      }),
    ),
  },
  {
    name: "6in6",
    description:
      "IPv6 in IPv6: the outer source's last word is the client's, mixed with its port; the traffic class is copied, the flow label is not.",
    config: { vips: [web(VIP_V6, "fc00::1")] },
    packets: [0, 0xb8, 0xff].map(
      (trafficClass, index): FixturePacket => ({
        frame: ethernet({}, inner6(SYN, trafficClass)),
        reason: "flow_new",
        backend: "fc00::1",
        atMs: index,
        out: outer(
          ipv6(
            { source: "100::7a69:c1", destination: "fc00::1", hopLimit: 64, trafficClass },
            raw(41, inner6(SYN, trafficClass)),
          ),
        ),
      }),
    ),
  },
  {
    name: "4in6",
    description: "IPv4 in IPv6: next header 4, TOS becomes the traffic class.",
    config: { vips: [web(VIP_V4, "fc00::1")] },
    packets: [0, 0xb8, 0xff].map(
      (tos, index): FixturePacket => ({
        frame: ethernet({}, inner4(SYN, tos)),
        reason: "flow_new",
        backend: "fc00::1",
        atMs: index,
        out: outer(
          ipv6(
            { source: "100::bac1:101", destination: "fc00::1", hopLimit: 64, trafficClass: tos },
            raw(4, inner4(SYN, tos)),
          ),
        ),
      }),
    ),
  },
  {
    name: "6in4",
    description:
      "IPv6 in IPv4: protocol 41, the outer source from the last two bytes of the client's address.",
    config: { vips: [web(VIP_V6, "10.0.0.1")] },
    packets: [0, 0xb8, 0xff].map(
      (trafficClass, index): FixturePacket => ({
        frame: ethernet({}, inner6(SYN, trafficClass)),
        reason: "flow_new",
        backend: "10.0.0.1",
        atMs: index,
        out: outer(
          ipv4(
            { source: "172.16.105.187", destination: "10.0.0.1", ttl: 64, tos: trafficClass },
            raw(41, inner6(SYN, trafficClass)),
          ),
        ),
      }),
    ),
  },
  {
    name: "outer-checksum",
    description:
      "Outer IPv4 headers of many lengths, sources and traffic classes: every carry of the checksum.",
    config: { settings: { mtu: 0 }, vips: [web(VIP_V6, "10.0.0.1")] },
    packets: Array.from(
      { length: 256 },
      (_, index): FixturePacket => ({
        frame: v6(
          tcp({ sourcePort: (index * 257) & 0xffff, targetPort: 80, flags: TCP_SYN }, pattern(index)),
          {
            source: `2001:db8::${(index * 0x101).toString(16)}`,
            trafficClass: index,
            payloadLengthBytes: (20 + index * 199) & 0xffff,
          },
        ),
        reason: "flow_new",
      }),
    ),
  },
  {
    name: "ring-of-weights",
    description: "New flows of many clients, shared by weight among backends of both families.",
    config: {
      vips: [
        {
          address: VIP_V4,
          port: 80,
          protocol: "tcp",
          backends: [
            { address: "10.0.0.1", weight: 1 },
            { address: "10.0.0.2", weight: 3 },
            { address: "fc00::3", weight: 6 },
            { address: "10.0.0.4", weight: 0 },
          ],
        },
      ],
    },
    packets: all("flow_new", syns(200)),
  },
  {
    name: "maglev-v1",
    description: "The same clients on a ring of Maglev's first version.",
    config: {
      settings: { maglev: "v1" },
      vips: [
        {
          ...WEB_V4,
          backends: [
            { address: "10.0.0.1", weight: 2 },
            { address: "10.0.0.2", weight: 5 },
          ],
        },
        { ...WEB_V6, maglev: "v2" },
      ],
    },
    packets: [...all("flow_new", syns(100)), { frame: v6(SYN), reason: "flow_new" }],
  },
  {
    name: "hash-seed",
    description: "Another hash seed spreads the same clients otherwise, over IPv4 and IPv6.",
    config: { settings: { hashSeed: 0x5eed5eed }, vips: ALL_VIPS },
    packets: [
      ...all("flow_new", syns(50)),
      ...Array.from(
        { length: 50 },
        (_, index): FixturePacket => ({
          frame: v6(tcp({ sourcePort: 1024 + index, targetPort: 80, flags: TCP_SYN })),
          reason: "flow_new",
        }),
      ),
    ],
  },
  {
    name: "port-0",
    description:
      "A VIP of every port takes what no exact VIP of its address and protocol has; all of a client's ports go by the source port alone.",
    config: {
      vips: [
        { address: VIP_V4, port: 0, protocol: "tcp", backends: BACKENDS_V4 },
        { address: VIP_V4, port: 443, protocol: "tcp", backends: [{ address: "10.0.9.9" }] },
        { address: VIP_V6, port: 0, protocol: "udp", backends: BACKENDS_V6 },
      ],
    },
    packets: [
      ...[1, 22, 80, 444, 65535].map(
        (targetPort, index): FixturePacket => ({
          frame: v4(tcp({ sourcePort: 5000, targetPort })),
          // One flow for all of them: the target port is neither in the hash nor in the flow's key.
          reason: index === 0 ? "flow_new" : "flow_hit",
        }),
      ),
      { frame: v4(tcp({ sourcePort: 5000, targetPort: 443 })), reason: "flow_new", backend: "10.0.9.9" },
      { frame: v4(tcp({ sourcePort: 5000, targetPort: 0 })), reason: "flow_hit" },
      { frame: v4(udp({ sourcePort: 5000, targetPort: 80 })), reason: "not_vip" },
      { frame: v6(udp({ sourcePort: 5000, targetPort: 1 })), reason: "flow_new" },
      { frame: v6(udp({ sourcePort: 5000, targetPort: 9 })), reason: "flow_hit" },
      { frame: v6(tcp({ sourcePort: 5000, targetPort: 1 })), reason: "not_vip" },
    ],
  },
  {
    name: "hash-both-ports",
    description: "A VIP of every port that hashes both: each target port is a flow of its own.",
    config: {
      vips: [
        { address: VIP_V4, port: 0, protocol: "tcp", flags: ["hash-both-ports"], backends: BACKENDS_V4 },
      ],
    },
    packets: Array.from({ length: 40 }, (_, index) => index).flatMap((index): FixturePacket[] => [
      { frame: v4(tcp({ sourcePort: 5000, targetPort: 1000 + index })), reason: "flow_new" },
      { frame: v4(tcp({ sourcePort: 5000, targetPort: 1000 + index })), reason: "flow_hit" },
    ]),
  },
  {
    name: "hash-no-source-port",
    description:
      "Without the source port in the hash, all connections of a client are one flow, also in the outer source address.",
    config: {
      vips: [
        { ...WEB_V4, flags: ["hash-no-source-port"] },
        { ...WEB_V6, flags: ["hash-no-source-port"] },
      ],
    },
    packets: [v4, v6].flatMap((frame) =>
      Array.from(
        { length: 20 },
        (_, index): FixturePacket => ({
          frame: frame(tcp({ sourcePort: 1000 + index * 501, targetPort: 80 })),
          reason: index === 0 ? "flow_new" : "flow_hit",
        }),
      ),
    ),
  },
  {
    name: "hash-destination-port",
    description:
      "By the target port alone: every client of a port goes to one backend, while each connection is a flow of its own and keeps its port in the outer source.",
    config: {
      vips: [
        {
          address: VIP_V4,
          port: 0,
          protocol: "udp",
          flags: ["hash-destination-port"],
          backends: BACKENDS_V4,
        },
        {
          address: VIP_V6,
          port: 80,
          protocol: "tcp",
          flags: ["hash-destination-port"],
          backends: BACKENDS_V6,
        },
        {
          address: VIP_V6,
          port: 0,
          protocol: "tcp",
          flags: ["hash-destination-port", "hash-no-source-port"],
          backends: BACKENDS_V4,
        },
      ],
    },
    packets: [
      ...Array.from(
        { length: 60 },
        (_, index): FixturePacket => ({
          frame: v4(udp({ sourcePort: 4000 + index, targetPort: 3000 + (index % 6) }), {
            source: `198.51.100.${index}`,
          }),
          reason: "flow_new",
        }),
      ),
      {
        frame: v4(udp({ sourcePort: 4000, targetPort: 3000 }), { source: "198.51.100.0" }),
        reason: "flow_hit",
      },
      ...Array.from(
        { length: 10 },
        (_, index): FixturePacket => ({
          frame: v6(tcp({ sourcePort: 4000 + index, targetPort: 80 }), { source: `2001:db8::${index}` }),
          reason: "flow_new",
        }),
      ),
      { frame: v6(tcp({ sourcePort: 4000, targetPort: 81 })), reason: "flow_new" },
      { frame: v6(tcp({ sourcePort: 4001, targetPort: 81 })), reason: "flow_hit" },
      { frame: v6(tcp({ sourcePort: 4001, targetPort: 82 })), reason: "flow_new" },
    ],
  },
  {
    name: "bypass-flow-table",
    description: "A VIP that bypasses the flow table asks the ring for every packet.",
    config: {
      vips: [
        { ...WEB_V4, flags: ["bypass-flow-table"] },
        { address: VIP_V6, port: 53, protocol: "udp", flags: ["bypass-flow-table"], backends: BACKENDS_V6 },
      ],
    },
    packets: all("flow_bypass", [
      v4(SYN),
      v4(DATA),
      v4(tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_FIN })),
      v4(tcp({ sourcePort: 31337, targetPort: 80, flags: TCP_RST })),
      v6(udp({ sourcePort: 31337, targetPort: 53 })),
      v6(udp({ sourcePort: 31337, targetPort: 53 })),
    ]),
  },
  {
    name: "no-backend",
    description:
      "A VIP whose backends are none, weightless, draining or down has nobody for new flows and drops.",
    config: {
      vips: [
        { ...WEB_V4, backends: [] },
        { address: VIP_V4, port: 81, protocol: "tcp", backends: [{ address: "10.0.0.1", weight: 0 }] },
        {
          address: VIP_V4,
          port: 82,
          protocol: "tcp",
          backends: [{ address: "10.0.0.1", state: "draining" }],
        },
        { address: VIP_V4, port: 83, protocol: "tcp", backends: [{ address: "10.0.0.1", state: "down" }] },
        { ...WEB_V6, backends: [] },
      ],
    },
    packets: [
      ...all(
        "no_backend",
        [80, 81, 82, 83].flatMap((targetPort) => [
          v4(tcp({ sourcePort: 1, targetPort, flags: TCP_SYN })),
          v4(tcp({ sourcePort: 1, targetPort }, pattern(10))),
          v4(tcp({ sourcePort: 1, targetPort, flags: TCP_RST })),
        ]),
      ),
      { frame: v6(SYN), reason: "no_backend" },
      { frame: v4(tcp({ sourcePort: 1, targetPort: 84 })), reason: "not_vip" },
    ],
  },
  {
    name: "backends-out-of-the-ring",
    description:
      "Draining, down and weightless backends get no new flows; one that is down in Katran's sense stays in the ring.",
    config: {
      vips: [
        {
          address: VIP_V4,
          port: 80,
          protocol: "tcp",
          backends: [
            { address: "10.0.0.1" },
            { address: "10.0.0.2", state: "draining" },
            { address: "10.0.0.3", state: "down" },
            { address: "10.0.0.4", weight: 0 },
            { address: "10.0.0.5", state: "down", katranDown: true },
          ],
        },
        { address: VIP_V4, port: 81, protocol: "tcp", backends: [{ address: "10.0.0.2" }] },
      ],
    },
    packets: [...all("flow_new", syns(60)), ...all("flow_new", syns(5, 81))],
  },
];
