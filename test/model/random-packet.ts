/**
 * Random packets of the kinds that the program tells apart, most of them sound, about few addresses and ports; and mutations
 * that make them unsound. What is aimed at: lengths at their limits, headers behind headers, quotes within quotes.
 */
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
  "192.168.1.2",
  "198.51.100.77",
  "0.0.0.0",
  "224.0.0.1",
  "255.255.255.255",
] as const;
const CLIENTS_V6 = ["2001:db8::c1", "2001:db8::c2", "fe80::1", "::", "ff02::1"] as const;
const CLIENT_PORTS = [0, 1, 1024, 31337, 40000, 65535] as const;

export function randomFrame(random: Random): Uint8Array {
  const packet = random.chance(0.05) ? random.bytes(random.integer(1, 80)) : ipPacket(random);
  const tags = Array.from({ length: random.pick([0, 0, 0, 0, 1, 2, 3]) }, () => ({
    protocol: random.pick([ETH_P_8021Q, ETH_P_8021AD]),
    control: random.integer(0, 0xffff),
  }));
  const padToBytes = random.chance(0.2) ? random.pick([60, 128, 601, 1514, 1515]) : 0;
  return ethernet({ tags, padToBytes }, packet);
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

function ipPacket(random: Random): Uint8Array {
  const isV4 = random.chance(0.5);
  const layer = random.chance(0.25) ? icmpLayer(random, isV4) : transport(random);
  return isV4 ? ipv4Packet(random, layer) : ipv6Packet(random, layer);
}

function ipv4Packet(random: Random, layer: Layer): Uint8Array {
  const header = {
    source: random.pick(random.chance(0.9) ? CLIENTS_V4.slice(0, 3) : CLIENTS_V4),
    destination: random.chance(0.9) ? random.pick(VIP_ADDRESSES_V4) : "203.0.113.5",
    tos: random.pick([0, 0, 0xb8, 0xff]),
    ttl: random.pick([0, 1, 63, 64, 65, 255]),
    id: random.integer(0, 7),
    options: random.chance(0.2) ? pattern(random.integer(1, 10) * 4).fill(1) : new Uint8Array(),
    ...(random.chance(0.03) && {
      totalLengthBytes: random.pick([0, 19, 20, 27, 28, 40, 1500, 65515, 65535]),
    }),
    ...(random.chance(0.03) && { protocol: random.pick([1, 4, 6, 17, 41, 58]) }),
  };
  const packet = ipv4(header, layer);
  if (!random.chance(0.2)) return packet;
  const payloadBytes = packet.length - 20 - header.options.length;
  const cut = random.integer(0, Math.floor(payloadBytes / 8)) * 8;
  return random.pick(fragmentsIpv4(packet, [cut]));
}

function ipv6Packet(random: Random, layer: Layer): Uint8Array {
  let chain = layer;
  for (let count = random.pick([0, 0, 0, 1, 2, 5, 6, 7]); count > 0; count--) {
    const header = random.pick([hopByHop, routing, destinationOptions, fragmentHeader]);
    chain = header === fragmentHeader ? randomFragmentHeader(random, chain) : header(chain);
  }
  const packet = ipv6(
    {
      source: random.pick(random.chance(0.9) ? CLIENTS_V6.slice(0, 3) : CLIENTS_V6),
      destination: random.chance(0.9) ? random.pick(VIP_ADDRESSES_V6) : "2001:db8:ffff::5",
      trafficClass: random.pick([0, 0, 0xb8, 0xff]),
      flowLabel: random.pick([0, 0xfffff]),
      hopLimit: random.pick([0, 1, 63, 64, 65, 255]),
      ...(random.chance(0.03) && { payloadLengthBytes: random.pick([0, 7, 8, 20, 1460, 65455, 65535]) }),
    },
    chain,
  );
  if (!random.chance(0.15)) return packet;
  const cut = random.integer(0, Math.floor((packet.length - 40) / 8)) * 8;
  return random.pick(fragmentsIpv6(packet, random.integer(0, 7), [cut]));
}

function randomFragmentHeader(random: Random, chain: Layer): Layer {
  return fragmentHeader(chain, {
    offsetBytes: random.pick([0, 0, 8, 65528]),
    moreFragments: random.chance(0.5),
    id: random.integer(0, 7),
  });
}

function transport(random: Random): Layer {
  const ports = {
    sourcePort: random.pick(CLIENT_PORTS),
    targetPort: random.chance(0.9) ? random.pick(VIP_PORTS) : random.integer(0, 65535),
  };
  const data = payload(random);
  if (random.chance(0.06))
    return raw(random.pick([6, 17, 1, 58, 50, 59]), random.bytes(random.integer(0, 24)));
  return random.chance(0.6)
    ? tcp({ ...ports, flags: random.pick([0x02, 0x10, 0x10, 0x18, 0x11, 0x04, 0x12, 0x06, 0]) }, data)
    : udp(ports, data);
}

/** Small for the most part, now and then around what the limits allow. */
function payload(random: Random): Uint8Array {
  if (random.chance(0.9)) return pattern(random.integer(0, 48));
  const limit = random.pick([600, 1000, 1400, 1480, 1500, 576, 3000]);
  return pattern(Math.max(0, limit - random.integer(0, 90)));
}

function icmpLayer(random: Random, isV4: boolean): Layer {
  if (random.chance(0.35)) {
    const rest = random.pick([0, 1, 0xffff, 0xf7ff, 0xf800, random.word()]);
    return isV4 ? icmp({ type: 8, rest }, payload(random)) : icmpv6({ type: 128, rest }, payload(random));
  }
  const quoted = quote(random, random.chance(0.97) ? isV4 : !isV4);
  const shown = quoted.slice(0, random.chance(0.5) ? quoted.length : random.integer(0, quoted.length));
  const type = isV4 ? random.pick([3, 3, 11, 12, 5, 0]) : random.pick([1, 2, 3, 4, 135, 0]);
  const rest = random.word();
  return isV4 ? icmp({ type, code: random.integer(0, 15), rest }, shown) : icmpv6({ type, rest }, shown);
}

/** A backend's packet to a client, from a VIP's address, and from the others'. */
function quote(random: Random, isV4: boolean): Uint8Array {
  const ports = { sourcePort: random.pick(VIP_PORTS), targetPort: random.pick(CLIENT_PORTS) };
  const layer = random.pick([tcp(ports, payload(random)), udp(ports, payload(random)), icmp({ type: 0 })]);
  if (isV4) {
    return ipv4(
      {
        source: random.pick(VIP_ADDRESSES_V4),
        destination: random.pick(CLIENTS_V4.slice(0, 3)),
        options: random.chance(0.3) ? pattern(random.integer(1, 10) * 4).fill(1) : new Uint8Array(),
        fragmentOffsetBytes: random.chance(0.1) ? 8 : 0,
        moreFragments: random.chance(0.1),
      },
      layer,
    );
  }
  let chain = layer;
  for (let count = random.pick([0, 0, 0, 1, 2, 6, 7]); count > 0; count--) {
    const header = random.pick([hopByHop, routing, destinationOptions, fragmentHeader]);
    chain = header === fragmentHeader ? randomFragmentHeader(random, chain) : header(chain);
  }
  return ipv6(
    { source: random.pick(VIP_ADDRESSES_V6), destination: random.pick(CLIENTS_V6.slice(0, 3)) },
    chain,
  );
}
