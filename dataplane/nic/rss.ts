/**
 * Receive-side scaling: which queue a frame goes to. The NIC looks for what it understands and hashes that, as the common drivers
 * have it:
 *
 *   TCP or UDP over IPv4 or IPv6     addresses and ports, or addresses only, as configured per protocol
 *   a fragment, also the first       addresses only, since the others carry no ports and must go the same way
 *   any other IP packet              addresses only; so also IPv6 with extension headers, behind which simple NICs do not look
 *   everything else                  not hashed: queue 0
 *
 * Up to two VLAN tags are skipped. A frame too short for what it claims to hold is hashed as far as it makes sense.
 */
import { TOEPLITZ_KEY_MICROSOFT, Toeplitz } from "./toeplitz.ts";

export const INDIRECTION_ENTRIES = 128;

export type HashFields = "addresses" | "addresses-and-ports";

export interface RssOptions {
  readonly queueCount: number;
  /** 40 bytes; Microsoft's verification key by default. */
  readonly key?: Uint8Array;
  /** Default for both: addresses and ports. */
  readonly tcp?: HashFields;
  readonly udp?: HashFields;
  /** 128 queue numbers, chosen by the low 7 bits of the hash. By default all queues in turn. */
  readonly indirection?: readonly number[];
}

const ETH_HEADER_BYTES = 14;
const ETH_P_IP = 0x0800;
const ETH_P_IPV6 = 0x86dd;
const ETH_P_8021Q = 0x8100;
const ETH_P_8021AD = 0x88a8;
const VLAN_TAG_BYTES = 4;
const VLAN_TAGS_MAX = 2;

const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const IPV4_HEADER_BYTES_MIN = 20;
const IPV4_FRAGMENT_OFFSET_OR_MORE = 0x3fff;
const IPV6_HEADER_BYTES = 40;
const PORTS_BYTES = 4;

export class Rss {
  readonly queueCount: number;
  readonly #toeplitz: Toeplitz;
  readonly #indirection: Uint16Array;
  readonly #hasTcpPorts: boolean;
  readonly #hasUdpPorts: boolean;

  /** Throws RangeError for a key, table or queue number that a NIC would refuse. */
  constructor(options: RssOptions) {
    const { queueCount } = options;
    if (!Number.isInteger(queueCount) || queueCount < 1 || queueCount > 65535) {
      throw new RangeError(`${queueCount} queues, expected 1 to 65535`);
    }
    this.queueCount = queueCount;
    this.#toeplitz = new Toeplitz(options.key ?? TOEPLITZ_KEY_MICROSOFT);
    const indirection =
      options.indirection ?? Array.from({ length: INDIRECTION_ENTRIES }, (_, i) => i % queueCount);
    if (indirection.length !== INDIRECTION_ENTRIES) {
      throw new RangeError(`indirection table of ${indirection.length}, expected ${INDIRECTION_ENTRIES}`);
    }
    const stray = indirection.findIndex(
      (queue) => !(Number.isInteger(queue) && queue >= 0 && queue < queueCount),
    );
    if (stray !== -1) {
      throw new RangeError(
        `indirection entry ${stray} names queue ${indirection[stray]}, expected 0 to ${queueCount - 1}`,
      );
    }
    this.#indirection = Uint16Array.from(indirection);
    this.#hasTcpPorts = (options.tcp ?? "addresses-and-ports") === "addresses-and-ports";
    this.#hasUdpPorts = (options.udp ?? "addresses-and-ports") === "addresses-and-ports";
  }

  /** The queue of a frame that starts with its Ethernet header. */
  queueOf(frame: Uint8Array): number {
    const hash = this.hashOf(frame);
    return hash === -1 ? 0 : this.#indirection[hash & (INDIRECTION_ENTRIES - 1)]!;
  }

  /** The hash, unsigned, or -1 when the frame is not hashed. */
  hashOf(frame: Uint8Array): number {
    let offset = ETH_HEADER_BYTES;
    if (frame.length < offset) return -1;
    let etherType = u16(frame, offset - 2);
    for (let tags = 0; etherType === ETH_P_8021Q || etherType === ETH_P_8021AD; tags++) {
      if (tags === VLAN_TAGS_MAX || frame.length < offset + VLAN_TAG_BYTES) return -1;
      offset += VLAN_TAG_BYTES;
      etherType = u16(frame, offset - 2);
    }
    if (etherType === ETH_P_IP) return this.#hashIpv4(frame, offset);
    return etherType === ETH_P_IPV6 ? this.#hashIpv6(frame, offset) : -1;
  }

  #hashIpv4(frame: Uint8Array, offset: number): number {
    if (frame.length < offset + IPV4_HEADER_BYTES_MIN) return -1;
    const versionAndLength = frame[offset]!;
    const headerBytes = (versionAndLength & 0xf) * 4;
    if (versionAndLength >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES_MIN) return -1;

    const hash = this.#toeplitz.extend(0, frame, offset + 12, 8, 0);
    const isFragment = (u16(frame, offset + 6) & IPV4_FRAGMENT_OFFSET_OR_MORE) !== 0;
    if (isFragment || !this.#hasPorts(frame[offset + 9]!)) return hash;
    return this.#hashPorts(hash, frame, offset + headerBytes, 8);
  }

  #hashIpv6(frame: Uint8Array, offset: number): number {
    if (frame.length < offset + IPV6_HEADER_BYTES || frame[offset]! >>> 4 !== 6) return -1;
    const hash = this.#toeplitz.extend(0, frame, offset + 8, 32, 0);
    if (!this.#hasPorts(frame[offset + 6]!)) return hash;
    return this.#hashPorts(hash, frame, offset + IPV6_HEADER_BYTES, 32);
  }

  #hasPorts(protocol: number): boolean {
    return (protocol === IPPROTO_TCP && this.#hasTcpPorts) || (protocol === IPPROTO_UDP && this.#hasUdpPorts);
  }

  #hashPorts(hash: number, frame: Uint8Array, offset: number, place: number): number {
    if (frame.length < offset + PORTS_BYTES) return hash;
    return this.#toeplitz.extend(hash, frame, offset, PORTS_BYTES, place);
  }
}

/** Big-endian, in range. */
function u16(frame: Uint8Array, offset: number): number {
  return (frame[offset]! << 8) | frame[offset + 1]!;
}
