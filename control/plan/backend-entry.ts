/** A backend's address as the program's `backends` map knows it: the outer header of what is forwarded to it, as a template. */
import {
  type Backend as BackendEntry,
  backend,
  backendIpv4,
  backendIpv6,
  Family,
} from "../../dataplane/xdp/generated/balancer.ts";
import type { IpAddress } from "../model/address.ts";

const OUTER_HOP_LIMIT = 64;
/**
 * 172.16.0.0/16 and 100::/64 (the discard prefix, RFC 6666), of which the program fills in the last bits from the flow, so that
 * a backend's NIC spreads what comes from one balancer. The prefixes are Katran's.
 */
const OUTER_SOURCE_IPV4: Uint8Array = Uint8Array.of(172, 16, 0, 0);
const OUTER_SOURCE_IPV6: Uint8Array = Uint8Array.of(0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

/** The value of the `backends` map. Depends on the address alone. */
export function encodeBackend({ family, bytes: destination }: IpAddress): Uint8Array {
  const bytes = new Uint8Array(backend.sizeBytes);
  const isIpv4 = family === 4;
  if (isIpv4) {
    backendIpv4.write(bytes, {
      versionIhl: 0x45,
      tos: 0,
      totalLength: 0,
      id: 0,
      fragmentOffset: 0,
      ttl: OUTER_HOP_LIMIT,
      protocol: 0,
      checksum: 0,
      source: OUTER_SOURCE_IPV4,
      destination,
    });
  } else {
    backendIpv6.write(bytes, {
      versionClassLabel: 6 * 2 ** 28,
      payloadLength: 0,
      nextHeader: 0,
      hopLimit: OUTER_HOP_LIMIT,
      source: OUTER_SOURCE_IPV6,
      destination,
    });
  }
  backend.write(bytes, {
    outer: backend.read(bytes).outer,
    templateSum: isIpv4 ? wordSum(bytes.subarray(0, backendIpv4.sizeBytes)) : 0,
    family: isIpv4 ? Family.FAMILY_IPV4 : Family.FAMILY_IPV6,
    flags: 0,
  });
  return bytes;
}

/** The address of an entry, or undefined when it is free. */
export function addressOfBackend({ family, outer }: BackendEntry): IpAddress | undefined {
  switch (family) {
    case Family.FAMILY_IPV4:
      return { family, bytes: backendIpv4.read(outer).destination };
    case Family.FAMILY_IPV6:
      return { family, bytes: backendIpv6.read(outer).destination };
    default:
      return undefined;
  }
}

/** Of the header's 16-bit words as a little-endian machine loads them, carries not folded in. */
function wordSum(header: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < header.length; at += 2) sum += header[at]! | (header[at + 1]! << 8);
  return sum;
}
