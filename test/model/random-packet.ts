/**
 * Random packets of the kinds that the program tells apart, most of them sound, about few addresses and ports; and mutations
 * that make them unsound. What is aimed at: lengths at their limits, headers behind headers, quotes within quotes.
 */
import { formatIpAddress } from "../../control/model/address.ts";
import type { Config } from "../../control/model/config.ts";
import { ETH_P_8021AD, ETH_P_8021Q } from "../packets/ethernet.ts";
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
  routing,
  tcp,
  udp,
  viewOf,
} from "../packets/frame.ts";
import type { Random } from "../packets/random.ts";
import { VIP_ADDRESSES_V4, VIP_ADDRESSES_V6, VIP_PORTS } from "./random-config.ts";

const CLIENTS_V4 = [
  "192.168.1.1",
  "198.51.100.77",
  "192.168.1.1",
  "198.51.100.77",
  "224.0.0.1",
  "0.0.0.0",
] as const;
const CLIENTS_V6 = ["2001:db8::c1", "fe80::1", "2001:db8::c1", "fe80::1", "ff02::1", "::"] as const;
const CLIENT_PORTS = [0, 1024, 31337, 65535] as const;

/** A place that a packet can be about: a VIP's, or one that looks like it. */
interface Target {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
  readonly isUdp: boolean;
}

/** A packet for, about or near the VIPs of this configuration. */
export function randomFrame(random: Random, vips: Config["vips"]): Uint8Array {
  const target = randomTarget(random, vips);
  const packet = random.chance(0.03) ? random.bytes(random.integer(1, 80)) : ipPacket(random, target);
  const tags = Array.from({ length: random.pick([0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3]) }, () => ({
    protocol: random.pick([ETH_P_8021Q, ETH_P_8021AD]),
    control: random.integer(0, 0xffff),
  }));
  const padToBytes = random.chance(0.1) ? random.pick([60, 128, 601, 1514, 1515]) : 0;
  return ethernet({ tags, padToBytes }, packet);
}

function randomTarget(random: Random, vips: Config["vips"]): Target {
  if (vips.length > 0 && random.chance(0.85)) {
    const { address, port, protocol } = random.pick(vips);
    const isUdp = random.chance(0.97) ? protocol === "udp" : protocol !== "udp";
    return {
      address: formatIpAddress(address),
      family: address.family,
      port: port === 0 ? random.pick([...VIP_PORTS, 7]) : port,
      isUdp,
    };
  }
  const family = random.chance(0.5) ? 4 : 6;
  return {
    address:
      family === 4
        ? random.pick([...VIP_ADDRESSES_V4, "203.0.113.5", "224.0.0.9", "255.255.255.255"])
        : random.pick([...VIP_ADDRESSES_V6, "2001:db8:ffff::5", "ff02::9"]),
    family,
    port: random.chance(0.8) ? random.pick(VIP_PORTS) : random.integer(0, 65535),
    isUdp: random.chance(0.5),
  };
}

/** Changes a frame in some way; the result may be longer, shorter or the same. `other` lends its bytes. */
export function mutate(random: Random, frame: Uint8Array, other: Uint8Array): Uint8Array {
  const kind = random.integer(0, 7);
  const out = frame.slice();
  const at = random.integer(0, Math.max(0, Math.min(out.length, 140) - 1));
  switch (kind) {
    case 0: // one bit
      if (out.length > 0) out[at] = out[at]! ^ (1 << random.integer(0, 7));
      return out;
    case 1: // one byte at an end of its range
      if (out.length > 0) out[at] = random.pick([0, 1, 4, 6, 0x7f, 0x80, 0xff]);
      return out;
    case 2: // a 16-bit word: lengths, checksums, offsets, ports
      if (out.length >= at + 2) {
        viewOf(out).setUint16(at, random.pick([0, 1, 8, 20, 39, 40, 0x1fff, 0x2000, 0x7fff, 0xfff8, 0xffff]));
      }
      return out;
    case 3: // cut
      return out.slice(0, random.integer(0, out.length));
    case 4: // grow
      return Uint8Array.from([...out, ...random.bytes(random.integer(1, 60))]);
    case 5: {
      // the front of one, the back of another
      const splice = random.integer(0, Math.min(out.length, other.length));
      return Uint8Array.from([...out.subarray(0, splice), ...other.subarray(splice)]);
    }
    case 6: // a length field of the first IP header, by a little
      return nudgeLength(random, out);
    default: // a piece taken out or put in, so that everything behind it is elsewhere
      return random.chance(0.5)
        ? Uint8Array.from([...out.subarray(0, at), ...out.subarray(at + random.integer(1, 8))])
        : Uint8Array.from([
            ...out.subarray(0, at),
            ...random.bytes(random.integer(1, 8)),
            ...out.subarray(at),
          ]);
  }
}

function nudgeLength(random: Random, frame: Uint8Array): Uint8Array {
  if (frame.length < 20) return frame;
  const offset = frame[12] === 0x86 ? 18 : 16;
  const view = viewOf(frame);
  view.setUint16(offset, (view.getUint16(offset) + random.integer(-40, 40)) & 0xffff);
  return frame;
}

function ipPacket(random: Random, target: Target): Uint8Array {
  const layer = random.chance(0.25) ? icmpLayer(random, target) : transport(random, target);
  return target.family === 4 ? ipv4Packet(random, target, layer) : ipv6Packet(random, target, layer);
}

function ipv4Packet(random: Random, target: Target, layer: Layer): Uint8Array {
  const header = {
    source: clientOf(random, target),
    destination: target.address,
    tos: random.pick([0, 0, 0xb8, 0xff]),
    ttl: random.pick([0, 1, 63, 64, 65, 255]),
    id: random.integer(0, 3),
    options: random.chance(0.15) ? pattern(random.integer(1, 10) * 4).fill(1) : new Uint8Array(),
    ...(random.chance(0.03) && {
      totalLengthBytes: random.pick([0, 19, 20, 27, 28, 40, 1500, 65515, 65535]),
    }),
    ...(random.chance(0.03) && { protocol: random.pick([1, 4, 6, 17, 41, 58]) }),
  };
  const packet = ipv4(header, layer);
  if (!random.chance(0.2)) return packet;
  const payloadBytes = packet.length - 20 - header.options.length;
  return random.pick(fragmentsIpv4(packet, [cutOf(random, payloadBytes)]));
}

function ipv6Packet(random: Random, target: Target, layer: Layer): Uint8Array {
  const packet = ipv6(
    {
      source: clientOf(random, target),
      destination: target.address,
      trafficClass: random.pick([0, 0, 0xb8, 0xff]),
      flowLabel: random.pick([0, 0xfffff]),
      hopLimit: random.pick([0, 1, 63, 64, 65, 255]),
      ...(random.chance(0.03) && { payloadLengthBytes: random.pick([0, 7, 8, 20, 1460, 65455, 65535]) }),
    },
    extended(random, layer),
  );
  if (!random.chance(0.15)) return packet;
  return random.pick(fragmentsIpv6(packet, random.integer(0, 3), [cutOf(random, packet.length - 40)]));
}

/** A layer behind none, some or too many extension headers. */
function extended(random: Random, layer: Layer): Layer {
  let chain = layer;
  for (let count = random.pick([0, 0, 0, 0, 0, 0, 1, 2, 5, 6, 7]); count > 0; count--) {
    const kind = random.integer(0, 12);
    if (kind === 0) chain = randomFragmentHeader(random, chain);
    else chain = random.pick([hopByHop, routing, destinationOptions])(chain);
  }
  return random.chance(0.08) ? randomFragmentHeader(random, chain) : chain;
}

function randomFragmentHeader(random: Random, chain: Layer): Layer {
  return fragmentHeader(chain, {
    offsetBytes: random.pick([0, 0, 8, 65528]),
    moreFragments: random.chance(0.5),
    id: random.integer(0, 3),
  });
}

function cutOf(random: Random, payloadBytes: number): number {
  return random.integer(0, Math.floor(payloadBytes / 8)) * 8;
}

function clientOf(random: Random, { family }: Target): string {
  const clients = family === 4 ? CLIENTS_V4 : CLIENTS_V6;
  return random.chance(0.95) ? random.pick(clients.slice(0, 4)) : random.pick(clients);
}

function transport(random: Random, { port, isUdp }: Target): Layer {
  const ports = { sourcePort: random.pick(CLIENT_PORTS), targetPort: port };
  const data = payload(random);
  if (random.chance(0.06))
    return raw(random.pick([6, 17, 1, 58, 50, 59]), random.bytes(random.integer(0, 24)));
  return isUdp
    ? udp(ports, data)
    : tcp(
        { ...ports, flags: random.pick([0x02, 0x10, 0x10, 0x10, 0x18, 0x18, 0x11, 0x04, 0x12, 0x06, 0]) },
        data,
      );
}

/** Small for the most part, now and then around what the limits allow. */
function payload(random: Random): Uint8Array {
  if (random.chance(0.9)) return pattern(random.integer(0, 48));
  const limit = random.pick([600, 1000, 1400, 1480, 1500, 576, 3000]);
  return pattern(Math.max(0, limit - random.integer(0, 90)));
}

function icmpLayer(random: Random, target: Target): Layer {
  const isV4 = target.family === 4;
  if (random.chance(0.3)) {
    const rest = random.pick([0, 1, 0xffff, 0xf7ff, 0xf800, random.word()]);
    return isV4 ? icmp({ type: 8, rest }, payload(random)) : icmpv6({ type: 128, rest }, payload(random));
  }
  const quoted = quote(random, target);
  const shown = quoted.slice(0, random.chance(0.6) ? quoted.length : random.integer(0, quoted.length));
  const type = isV4 ? random.pick([3, 3, 11, 12, 5, 0]) : random.pick([1, 2, 3, 4, 135, 0]);
  const rest = random.word();
  return isV4 ? icmp({ type, code: random.integer(0, 15), rest }, shown) : icmpv6({ type, rest }, shown);
}

/** A backend's packet from the VIP to a client; at times from and to somebody else, or of the other family. */
function quote(random: Random, target: Target): Uint8Array {
  const ports = { sourcePort: target.port, targetPort: random.pick(CLIENT_PORTS) };
  const layer = random.chance(0.05)
    ? icmp({ type: 0 })
    : target.isUdp
      ? udp(ports, payload(random))
      : tcp(ports, payload(random));
  const isV4 = random.chance(0.97) === (target.family === 4);
  if (isV4) {
    return ipv4(
      {
        source: random.chance(0.95) && target.family === 4 ? target.address : "10.200.1.2",
        destination: random.pick(CLIENTS_V4),
        options: random.chance(0.3) ? pattern(random.integer(1, 10) * 4).fill(1) : new Uint8Array(),
        fragmentOffsetBytes: random.chance(0.05) ? 8 : 0,
        moreFragments: random.chance(0.1),
      },
      layer,
    );
  }
  const source = random.chance(0.95) && target.family === 6 ? target.address : "fc00:1::2";
  return ipv6({ source, destination: random.pick(CLIENTS_V6) }, extended(random, layer));
}
