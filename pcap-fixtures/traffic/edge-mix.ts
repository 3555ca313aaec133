/**
 * The bundled capture: twenty seconds at an edge host, from one seed. Sessions start on their own (Poisson) and
 * have heavy-tailed lengths; in the middle somebody floods the web VIP with SYNs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../control/model/config-file.ts";
import { encodePcapng } from "../../dataplane/capture/capture-contents.ts";
import { Random } from "../../test/packets/random.ts";
import { runModel, START_NS, type TimedFrame } from "../files.ts";
import {
  broken,
  HOST_V4,
  HOST_V6,
  icmpError,
  neighbours,
  optionedIpv6,
  ping,
  portScan,
  ssh,
  synFlood,
} from "./noise.ts";
import {
  type Client,
  clientOf,
  dnsQuery,
  fragmentedDatagram,
  quicSession,
  type Sent,
  type Service,
  tcpSession,
  voiceCall,
} from "./sessions.ts";

const SEED = 20260115;
const DURATION_MS = 20_000;
const FLOOD_START_MS = 12_000;
const FLOOD_PACKETS = 4_000;

const WEB = { address: "198.51.100.10", port: 443 };
const WEB_PLAIN = { address: "198.51.100.10", port: 80 };
const WEB_V6 = { address: "2001:db8:10::443", port: 443 };
const DNS = { address: "198.51.100.53", port: 53 };
const DNS_V6 = { address: "2001:db8:10::53", port: 53 };
const VOICE = { address: "198.51.100.20", port: 0 };
const MAIL = { address: "198.51.100.25", port: 25 };

/** in.pcapng and expect.json; config.yaml is written by hand. */
export function buildEdgeMix(folder: string): ReadonlyMap<string, Uint8Array> {
  const file = join(folder, "config.yaml");
  const config = parseConfig(readFileSync(file, "utf8"), { file });
  const frames = edgeMix();
  const { expectation } = runModel({
    config,
    frames,
    description: "Twenty seconds at an edge host, with a SYN flood from the twelfth on.",
  });
  return new Map([
    ["in.pcapng", encodePcapng({ packets: frames.map(({ frame, timeNs }) => ({ timeNs, bytes: frame })) })],
    ["expect.json", new TextEncoder().encode(`${JSON.stringify(expectation, undefined, 2)}\n`)],
  ]);
}

export function edgeMix(): TimedFrame[] {
  const sent: Sent[] = [
    ...arrivals(1, 26, (random, timeMs) =>
      tcpSession(random, clientOf(random, 4), random.chance(0.8) ? WEB : WEB_PLAIN, timeMs),
    ),
    ...arrivals(2, 50, (random, timeMs) => tcpSession(random, clientOf(random, 6), WEB_V6, timeMs)),
    ...arrivals(3, 110, (random, timeMs) => quicSession(random, clientOf(random, 4), WEB, timeMs)),
    ...arrivals(4, 180, (random, timeMs) => quicSession(random, clientOf(random, 6), WEB_V6, timeMs)),
    ...arrivals(5, 12, (random, timeMs) => dnsQuery(random, clientOf(random, 4), DNS, timeMs)),
    ...arrivals(6, 40, (random, timeMs) => dnsQuery(random, clientOf(random, 6), DNS_V6, timeMs)),
    ...arrivals(7, 800, call),
    ...arrivals(8, 900, (random, timeMs) => fragmentedDatagram(random, clientOf(random, 4), DNS, timeMs)),
    ...arrivals(9, 250, (random, timeMs) =>
      ping(random, clientOf(random, 4), random.pick([WEB.address, DNS.address, HOST_V4]), timeMs),
    ),
    ...arrivals(10, 500, (random, timeMs) =>
      ping(random, clientOf(random, 6), random.pick([WEB_V6.address, HOST_V6]), timeMs),
    ),
    ...arrivals(11, 120, flowWithError),
    ...arrivals(12, 4000, (random, timeMs) =>
      portScan(random, random.pick([WEB.address, DNS.address, WEB_V6.address]), timeMs),
    ),
    ...arrivals(13, 400, (random, timeMs) =>
      tcpSession(random, clientOf(random, 4), MAIL, timeMs).slice(0, 1),
    ),
    ...arrivals(14, 300, (random, timeMs) => [optionedIpv6(random, WEB_V6, timeMs)]),
    ...neighbours(DURATION_MS),
    ...ssh(new Random(SEED + 15), 300, 150),
    ...synFlood(new Random(SEED + 16), WEB, FLOOD_START_MS, FLOOD_PACKETS),
    ...Array.from({ length: 64 }, (_, index) =>
      broken(new Random(SEED + 100 + index), index, WEB, 150 + index * 300),
    ),
  ];
  return sent
    .filter(({ timeMs }) => timeMs <= DURATION_MS)
    .map(({ timeMs, frame }, order) => ({
      timeNs: START_NS + BigInt(Math.round(timeMs * 1e6)),
      frame,
      order,
    }))
    .sort((a, b) => (a.timeNs === b.timeNs ? a.order - b.order : a.timeNs < b.timeNs ? -1 : 1))
    .map(({ timeNs, frame }) => ({ timeNs, frame }));
}

/** Sessions that start on their own, `meanMs` apart. Each kind has random numbers of its own, so that changing one leaves the others. */
function arrivals(
  kind: number,
  meanMs: number,
  session: (random: Random, timeMs: number) => readonly Sent[],
): Sent[] {
  const random = new Random(SEED + kind);
  const sent: Sent[] = [];
  for (let timeMs = random.exponential(meanMs); timeMs < DURATION_MS; timeMs += random.exponential(meanMs)) {
    sent.push(...session(random, timeMs));
  }
  return sent;
}

/** Both ends of a call, from different networks, to one port. */
function call(random: Random, timeMs: number): Sent[] {
  const service = { ...VOICE, port: random.integer(20000, 29999) & ~1 };
  return [
    ...voiceCall(random, clientOf(random, 4), service, timeMs),
    ...voiceCall(random, clientOf(random, 4), service, timeMs + 35),
  ];
}

/** A web flow, and an error about it while it lasts. */
function flowWithError(random: Random, timeMs: number): Sent[] {
  const isV6 = random.chance(0.4);
  const isUdp = random.chance(0.3);
  const client: Client = clientOf(random, isV6 ? 6 : 4);
  const service: Service = isV6 ? WEB_V6 : WEB;
  const session = isUdp
    ? quicSession(random, client, service, timeMs)
    : tcpSession(random, client, service, timeMs);
  const error = icmpError(
    random,
    { client, service, clientPort: clientPort(session[0]!.frame, client, isV6), isUdp },
    timeMs + client.roundTripMs * 2,
  );
  return [...session, error];
}

function clientPort(frame: Uint8Array, client: Client, isV6: boolean): number {
  const offset = 14 + client.tags.length * 4 + (isV6 ? 40 : 20);
  return (frame[offset]! << 8) | frame[offset + 1]!;
}
