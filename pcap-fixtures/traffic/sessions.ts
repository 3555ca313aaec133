/**
 * What clients send to an edge host, as the host sees it: only their half, since answers go from the backends straight to the clients.
 * A session is a list of frames with times; the mix puts many of them together.
 */
import type { VlanTag } from "../../test/packets/ethernet.ts";
import { ethernet, fragmentsIpv4, ipv4, ipv6, type Layer, tcp, udp } from "../../test/packets/frame.ts";
import type { Random } from "../../test/packets/random.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN } from "../../test/packets/tcp.ts";

export interface Sent {
  readonly timeMs: number;
  readonly frame: Uint8Array;
}

export interface Client {
  readonly address: string;
  readonly hopLimit: number;
  /** Of the port channel it comes in by. */
  readonly tags: readonly VlanTag[];
  readonly roundTripMs: number;
}

export interface Service {
  readonly address: string;
  readonly port: number;
}

const HOST = { destination: "02:00:5e:00:53:10", source: "02:00:5e:00:53:01" };
/** What a capture shows of the shortest frames. */
const SHORTEST_FRAME_BYTES = 60;

export function clientOf(random: Random, family: 4 | 6): Client {
  const address =
    family === 4
      ? `198.${random.integer(18, 19)}.${random.integer(0, 255)}.${random.integer(1, 254)}`
      : `2001:db8:c${random.integer(0, 0xfff).toString(16).padStart(3, "0")}:${random.integer(0, 0xffff).toString(16)}::${random.integer(1, 0xffff).toString(16)}`;
  // One of the two routers tags its frames.
  const tags = random.chance(0.15) ? [{ protocol: 0x8100, control: 100 }] : [];
  return { address, hopLimit: random.integer(44, 60), tags, roundTripMs: 5 + random.exponential(30) };
}

export function frameFrom(client: Client, destination: string, layer: Layer, id = 0): Uint8Array {
  const link = { ...HOST, tags: client.tags, padToBytes: SHORTEST_FRAME_BYTES };
  const { address: source, hopLimit } = client;
  return client.address.includes(":")
    ? ethernet(link, ipv6({ source, destination, hopLimit, flowLabel: id & 0xfffff }, layer))
    : ethernet(
        link,
        ipv4({ source, destination, ttl: hopLimit, id: id & 0xffff, dontFragment: true }, layer),
      );
}

/** MSS 1460 or 1440, selective acknowledgements, timestamps, window scaling: what an ordinary client offers. */
function synOptions(family: 4 | 6): Uint8Array {
  const mss = family === 4 ? 1460 : 1440;
  return Uint8Array.of(2, 4, mss >> 8, mss & 0xff, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7);
}

const TIMESTAMPS = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1);
const TIMESTAMPED_MSS_BYTES = { 4: 1448, 6: 1428 } as const;

/** Text that repeats, so that the committed capture packs well. */
export function filler(sizeBytes: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, index) => FILLER[index % FILLER.length]!);
}

const FILLER = new TextEncoder().encode("the same sixteen ");

/** A handshake, requests, acknowledgements of what comes back, now and then an upload, and an end of one kind or another. */
export function tcpSession(random: Random, client: Client, service: Service, startMs: number): Sent[] {
  const family = client.address.includes(":") ? 6 : 4;
  const sourcePort = random.integer(32768, 60999);
  const sent: Sent[] = [];
  let sequence = random.word();
  let acknowledgement = 0;
  let timeMs = startMs;
  const send = (flags: number, data: Uint8Array, options: Uint8Array): void => {
    const layer = tcp(
      { sourcePort, targetPort: service.port, sequence, acknowledgement, flags, options },
      data,
    );
    sent.push({ timeMs, frame: frameFrom(client, service.address, layer, random.word()) });
    sequence = (sequence + data.length + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0)) >>> 0;
  };
  const acknowledge = (): void => send(TCP_ACK, new Uint8Array(), TIMESTAMPS);

  send(TCP_SYN, new Uint8Array(), synOptions(family));
  if (random.chance(0.02)) {
    timeMs += 1000; // the SYN was lost on the way
    sequence = (sequence - 1) >>> 0;
    send(TCP_SYN, new Uint8Array(), synOptions(family));
  }
  acknowledgement = random.word();
  timeMs += client.roundTripMs;
  acknowledge();

  const requests = random.pareto(1.3, 1, 12);
  for (let request = 0; request < requests; request++) {
    timeMs += random.exponential(request === 0 ? 1 : 250);
    send(TCP_ACK | TCP_PSH, filler(request === 0 ? 517 : random.integer(120, 700)), TIMESTAMPS);
    // One acknowledgement for every other full segment of the answer.
    const answers = random.pareto(1.1, 1, 60);
    for (let answer = 0; answer < answers; answer++) {
      timeMs += answer === 0 ? client.roundTripMs : random.exponential(2);
      acknowledgement = (acknowledgement + 2896) >>> 0;
      acknowledge();
    }
  }
  if (random.chance(0.04)) {
    const segments = random.pareto(1, 4, 40);
    for (let segment = 0; segment < segments; segment++) {
      timeMs += segment % 10 === 9 ? client.roundTripMs : 0.12;
      send(TCP_ACK, filler(TIMESTAMPED_MSS_BYTES[family]), TIMESTAMPS);
    }
  }
  timeMs += random.exponential(400);
  const ending = random.unit();
  if (ending < 0.08) {
    send(TCP_RST | TCP_ACK, new Uint8Array(), new Uint8Array());
  } else if (ending < 0.9) {
    send(TCP_FIN | TCP_ACK, new Uint8Array(), TIMESTAMPS);
    timeMs += client.roundTripMs;
    acknowledge();
  }
  return sent;
}

/** QUIC version 1 (RFC 9000): an Initial padded to 1200 bytes, a Handshake, and packets with short headers. */
export function quicSession(random: Random, client: Client, service: Service, startMs: number): Sent[] {
  const sourcePort = random.integer(32768, 60999);
  const connectionId = random.bytes(8);
  const sent: Sent[] = [];
  let timeMs = startMs;
  const send = (data: Uint8Array): void => {
    const layer = udp({ sourcePort, targetPort: service.port }, data);
    sent.push({ timeMs, frame: frameFrom(client, service.address, layer, random.word()) });
  };
  const long = (type: number, sizeBytes: number): Uint8Array => {
    const data = filler(sizeBytes);
    data.set([0xc0 | (type << 4), 0, 0, 0, 1, connectionId.length, ...connectionId, 0]);
    return data;
  };
  const short = (sizeBytes: number): Uint8Array => {
    const data = filler(sizeBytes);
    data.set([0x40, ...connectionId]);
    return data;
  };

  send(long(0, 1200));
  timeMs += client.roundTripMs;
  if (random.chance(0.5)) send(long(0, 1200));
  send(long(2, random.integer(60, 120)));
  const packets = random.pareto(0.9, 4, 120);
  for (let packet = 0; packet < packets; packet++) {
    timeMs += random.exponential(random.chance(0.05) ? 300 : 4);
    send(short(random.chance(0.08) ? random.integer(300, 1200) : random.integer(31, 48)));
  }
  return sent;
}

/** A question, asked again when no answer came. */
export function dnsQuery(random: Random, client: Client, service: Service, startMs: number): Sent[] {
  const name = `${random.pick(["www", "api", "img", "mail", "cdn-eu", "static"])}.${random.pick(["example", "shop", "a-longer-name"])}.test`;
  const frame = frameFrom(
    client,
    service.address,
    udp(
      { sourcePort: random.integer(1024, 65535), targetPort: service.port },
      dnsQuestion(random.integer(0, 65535), name),
    ),
    random.word(),
  );
  const isAskedAgain = random.chance(0.02);
  return [{ timeMs: startMs, frame }, ...(isAskedAgain ? [{ timeMs: startMs + 2000, frame }] : [])];
}

/** A query for an IPv4 address (RFC 1035 section 4) that offers answers of 1232 bytes (RFC 6891 section 6.1.2). */
export function dnsQuestion(id: number, name: string): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  const header = [id >> 8, id & 0xff, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1];
  const additional = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
  return Uint8Array.from([...header, ...labels, 0, 0, 1, 0, 1, ...additional]);
}

/** One side of a call: a packet every 20 ms, to the call's port. */
export function voiceCall(random: Random, client: Client, service: Service, startMs: number): Sent[] {
  const sourcePort = random.integer(16384, 32767);
  const packets = random.integer(20, 60);
  return Array.from({ length: packets }, (_, packet) => {
    const data = filler(172);
    data.set([0x80, 0, packet >> 8, packet & 0xff]);
    const layer = udp({ sourcePort, targetPort: service.port }, data);
    return { timeMs: startMs + packet * 20, frame: frameFrom(client, service.address, layer, packet) };
  });
}

/** A UDP datagram too long for one packet, now and then in the wrong order. */
export function fragmentedDatagram(
  random: Random,
  client: Client,
  service: Service,
  startMs: number,
): Sent[] {
  const { address: source, hopLimit: ttl } = client;
  const whole = ipv4(
    { source, destination: service.address, ttl, id: random.integer(1, 65535) },
    udp(
      { sourcePort: random.integer(1024, 65535), targetPort: service.port },
      filler(random.integer(1500, 3200)),
    ),
  );
  const fragments = fragmentsIpv4(whole, whole.length > 2980 ? [1480, 2960] : [1480]);
  const ordered = random.chance(0.2) ? fragments.reverse() : fragments;
  return ordered.map((fragment, index) => ({
    timeMs: startMs + index * 0.05,
    frame: ethernet({ ...HOST, tags: client.tags, padToBytes: SHORTEST_FRAME_BYTES }, fragment),
  }));
}
