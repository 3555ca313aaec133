/** What else arrives at an edge host: pings, errors, scans, a flood, what routers and neighbours say, and what is broken. */
import { ETH_P_ARP, ETH_P_LLDP } from "../../test/packets/ethernet.ts";
import {
  destinationOptions,
  ethernet,
  icmp,
  icmpv6,
  ipv4,
  ipv6,
  raw,
  tcp,
  udp,
} from "../../test/packets/frame.ts";
import type { Random } from "../../test/packets/random.ts";
import { TCP_ACK, TCP_PSH, TCP_SYN } from "../../test/packets/tcp.ts";
import {
  type Client,
  clientOf,
  dnsQuestion,
  filler,
  frameFrom,
  type Sent,
  type Service,
} from "./sessions.ts";

export const HOST_V4 = "192.0.2.10";
export const HOST_V6 = "2001:db8:2::10";
const ROUTER_V4 = "192.0.2.1";
const HOST_LINK = { destination: "02:00:5e:00:53:10", source: "02:00:5e:00:53:01" };

/** A second of pings, or a single one. */
export function ping(random: Random, client: Client, destination: string, startMs: number): Sent[] {
  const identifier = random.integer(0, 65535);
  const count = random.pareto(1, 1, 5);
  return Array.from({ length: count }, (_, sequence) => {
    const rest = ((identifier << 16) | sequence) >>> 0;
    const layer = client.address.includes(":")
      ? icmpv6({ type: 128, rest }, filler(56))
      : icmp({ type: 8, rest }, filler(56));
    return { timeMs: startMs + sequence * 1000, frame: frameFrom(client, destination, layer, random.word()) };
  });
}

/** A router between a backend and its client complains about one of the backend's packets. */
export function icmpError(
  random: Random,
  flow: {
    readonly client: Client;
    readonly service: Service;
    readonly clientPort: number;
    readonly isUdp: boolean;
  },
  startMs: number,
): Sent {
  const { client, service, clientPort, isUdp } = flow;
  const ports = { sourcePort: service.port, targetPort: clientPort };
  const layer = isUdp ? udp(ports, filler(1200)) : tcp({ ...ports, flags: TCP_ACK }, filler(1400));
  const router = clientOf(random, client.address.includes(":") ? 6 : 4);
  if (client.address.includes(":")) {
    const quote = ipv6({ source: service.address, destination: client.address }, layer).slice(0, 1232);
    const kind = random.pick([
      { type: 2, rest: 1400 },
      { type: 1, code: 4 },
      { type: 3, code: 0 },
    ]);
    return { timeMs: startMs, frame: frameFrom(router, service.address, icmpv6(kind, quote)) };
  }
  const quote = ipv4({ source: service.address, destination: client.address }, layer);
  // RFC 792 asks for eight bytes of the transport header, RFC 1812 for as much as fits.
  const shown = quote.slice(0, random.pick([28, 28, 128, 548]));
  const kind = random.pick([
    { type: 3, code: 4, rest: 1400 },
    { type: 3, code: 3 },
    { type: 3, code: 1 },
    { type: 11, code: 0 },
  ]);
  return { timeMs: startMs, frame: frameFrom(router, service.address, icmp(kind, shown)) };
}

/** SYNs from addresses that nobody answers at, as fast as somebody can. */
export function synFlood(random: Random, service: Service, startMs: number, count: number): Sent[] {
  let timeMs = startMs;
  return Array.from({ length: count }, () => {
    timeMs += random.exponential(0.1);
    const client = { ...clientOf(random, 4), tags: [], hopLimit: random.integer(230, 250) };
    const layer = tcp({
      sourcePort: random.integer(1024, 65535),
      targetPort: service.port,
      sequence: random.word(),
      flags: TCP_SYN,
    });
    return { timeMs, frame: frameFrom(client, service.address, layer, random.word()) };
  });
}

/** Somebody tries every door. */
export function portScan(random: Random, address: string, startMs: number): Sent[] {
  const client = clientOf(random, address.includes(":") ? 6 : 4);
  const ports = [
    21, 22, 23, 25, 80, 110, 143, 443, 445, 1433, 3306, 3389, 5432, 6379, 8080, 8443, 9200, 27017,
  ];
  return ports.map((targetPort, index) => ({
    timeMs: startMs + index * 15,
    frame: frameFrom(client, address, tcp({ sourcePort: 54321, targetPort, flags: TCP_SYN }), index),
  }));
}

/** The operator's own session on the host. */
export function ssh(random: Random, startMs: number, count: number): Sent[] {
  const client: Client = { address: "192.0.2.99", hopLimit: 64, tags: [], roundTripMs: 1 };
  let timeMs = startMs;
  let sequence = random.word();
  return Array.from({ length: count }, () => {
    timeMs += random.exponential(120);
    const data = random.chance(0.5) ? filler(36) : new Uint8Array();
    const flags = data.length > 0 ? TCP_ACK | TCP_PSH : TCP_ACK;
    const frame = frameFrom(
      client,
      HOST_V4,
      tcp({ sourcePort: 50022, targetPort: 22, sequence, flags }, data),
      random.word(),
    );
    sequence = (sequence + data.length) >>> 0;
    return { timeMs, frame };
  });
}

/** What the link carries that is not for anybody's service. */
export function neighbours(durationMs: number): Sent[] {
  const every = (periodMs: number, frame: Uint8Array, firstMs = periodMs / 2): Sent[] =>
    Array.from({ length: Math.floor((durationMs - firstMs) / periodMs) + 1 }, (_, index) => ({
      timeMs: firstMs + index * periodMs,
      frame,
    }));
  const arp = Uint8Array.of(
    0,
    1,
    8,
    0,
    6,
    4,
    0,
    1,
    2,
    0,
    0x5e,
    0,
    0x53,
    1,
    192,
    0,
    2,
    1,
    0,
    0,
    0,
    0,
    0,
    0,
    192,
    0,
    2,
    10,
  );
  const lldp = Uint8Array.of(2, 7, 4, 2, 0, 0x5e, 0, 0x53, 1, 4, 4, 5, 0x65, 0x74, 0x31, 6, 2, 0, 120, 0, 0);
  const solicitation = icmpv6({ type: 135 }, filler(24));
  return [
    ...every(
      700,
      ethernet(
        { destination: "ff:ff:ff:ff:ff:ff", source: HOST_LINK.source, etherType: ETH_P_ARP, padToBytes: 60 },
        arp,
      ),
    ),
    ...every(
      5000,
      ethernet(
        { destination: "01:80:c2:00:00:0e", source: HOST_LINK.source, etherType: ETH_P_LLDP, padToBytes: 60 },
        lldp,
      ),
    ),
    ...every(
      900,
      ethernet(
        { ...HOST_LINK, destination: "33:33:ff:00:00:10" },
        ipv6({ source: "fe80::1", destination: "ff02::1:ff00:10", hopLimit: 255 }, solicitation),
      ),
    ),
    ...every(
      1000,
      ethernet(
        { ...HOST_LINK, destination: "01:00:5e:00:00:05" },
        ipv4({ source: ROUTER_V4, destination: "224.0.0.5", ttl: 1 }, raw(89, filler(44))),
      ),
    ),
    ...every(
      3000,
      ethernet(
        { ...HOST_LINK, destination: "01:00:5e:00:00:fb" },
        ipv4(
          { source: ROUTER_V4, destination: "224.0.0.251", ttl: 255 },
          udp({ sourcePort: 5353, targetPort: 5353 }, dnsQuestion(0, "_ipp._tcp.local")),
        ),
      ),
    ),
    // The router's BGP session and the host's clock.
    ...every(
      2500,
      ethernet(
        HOST_LINK,
        ipv4(
          { source: ROUTER_V4, destination: HOST_V4, ttl: 1 },
          tcp({ sourcePort: 179, targetPort: 41000, flags: TCP_ACK | TCP_PSH }, filler(19)),
        ),
      ),
    ),
    ...every(
      4000,
      ethernet(
        HOST_LINK,
        ipv4(
          { source: "192.0.2.123", destination: HOST_V4 },
          udp({ sourcePort: 123, targetPort: 123 }, filler(48)),
        ),
      ),
    ),
    ...every(
      3300,
      ethernet(
        HOST_LINK,
        ipv6(
          { source: "2001:db8:2::123", destination: HOST_V6 },
          udp({ sourcePort: 123, targetPort: 123 }, filler(48)),
        ),
      ),
    ),
  ];
}

/** Packets that are wrong in one way each, to a service: one a time, in turn. */
export function broken(random: Random, index: number, service: Service, timeMs: number): Sent {
  const client = { ...clientOf(random, 4), tags: [] };
  const { address: source } = client;
  const { address: destination, port: targetPort } = service;
  const sourcePort = random.integer(1024, 65535);
  const good = ipv4({ source, destination }, tcp({ sourcePort, targetPort }, filler(20)));
  const frames = [
    () => ethernet(HOST_LINK, good.slice(0, random.integer(20, 39))),
    () => ethernet(HOST_LINK, good.slice(0, random.integer(1, 19))),
    () =>
      ethernet(
        HOST_LINK,
        ipv4({ source, destination, totalLengthBytes: 12 }, tcp({ sourcePort, targetPort })),
      ),
    () =>
      ethernet(
        HOST_LINK,
        ipv4(
          { source, destination, options: Uint8Array.of(7, 7, 4, 0, 0, 0, 0, 0) },
          tcp({ sourcePort, targetPort, flags: TCP_SYN }),
        ),
      ),
    () => ethernet(HOST_LINK, ipv4({ source, destination }, icmp({ type: 3, code: 3 }, good.slice(0, 24)))),
    () => ethernet(HOST_LINK, ipv4({ source, destination }, raw(47, filler(60)))),
    () => ethernet(HOST_LINK, ipv4({ source, destination }, raw(17, filler(5)))),
    // A neighbour whose interface was set to jumbo frames.
    () =>
      ethernet(
        HOST_LINK,
        ipv4({ source, destination, dontFragment: true }, tcp({ sourcePort, targetPort }, filler(2000))),
      ),
  ];
  return { timeMs, frame: frames[index % frames.length]!() };
}

/** IPv6 that takes a closer look: options in front of the transport. */
export function optionedIpv6(random: Random, service: Service, timeMs: number): Sent {
  const client = clientOf(random, 6);
  const layer = destinationOptions(
    tcp({ sourcePort: random.integer(32768, 60999), targetPort: service.port, flags: TCP_SYN }),
  );
  return { timeMs, frame: frameFrom(client, service.address, layer) };
}
