/** A backend's address as the program's `backends` map knows it: the outer header of what is forwarded to it, as a template. */
import { type Backend as BackendEntry, backend } from "../../dataplane/xdp/generated/balancer.ts";
import type { IpAddress } from "../model/address.ts";

const OUTER_HOP_LIMIT = 64;
/** 172.16.0.0/16 and 100::/64, of which the program fills in the last bits from the flow: where a packet came from decides
 * which of the backend's receive queues takes it. The numbers are Katran's; 100::/64 is the discard prefix (RFC 6666). */
const OUTER_SOURCE_IPV4 = [172, 16, 0, 0];
const OUTER_SOURCE_IPV6_FIRST = 0x01; // 0x0100, then zeros

const IPV4_HEADER_BYTES = 20;

/** The value of the `backends` map. Depends on the address alone. */
export function encodeBackend(address: IpAddress): Uint8Array {
  const outer = new Uint8Array(backend.sizeBytes).slice(0, 40);
  if (address.family === 4) {
    outer[0] = 0x45; // version 4, five words
    outer[8] = OUTER_HOP_LIMIT;
    outer.set(OUTER_SOURCE_IPV4, 12);
    outer.set(address.bytes, 16);
  } else {
    outer[0] = 0x60; // version 6
    outer[7] = OUTER_HOP_LIMIT;
    outer[8] = OUTER_SOURCE_IPV6_FIRST;
    outer.set(address.bytes, 24);
  }
  const bytes = new Uint8Array(backend.sizeBytes);
  backend.write(bytes, {
    outer,
    templateSum: address.family === 4 ? wordSum(outer) : 0,
    family: address.family,
    flags: 0,
  });
  return bytes;
}

/** The address of an entry, or undefined when it is free. */
export function addressOfBackend({ family, outer }: BackendEntry): IpAddress | undefined {
  if (family === 4) return { family, bytes: outer.slice(16, 20) };
  if (family === 6) return { family, bytes: outer.slice(24, 40) };
  return undefined;
}

/** Of the IPv4 header's 16-bit words as a little-endian machine loads them, carries not folded in. */
function wordSum(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < IPV4_HEADER_BYTES; at += 2) sum += header[at]! | (header[at + 1]! << 8);
  return sum;
}
