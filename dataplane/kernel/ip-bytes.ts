/** IP addresses as the kernel has them: bytes in network order, 4 or 16 of them. */

export type IpBytes = Uint8Array;

/** include/linux/socket.h */
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

export function familyOf(address: IpBytes): typeof AF_INET | typeof AF_INET6 {
  if (address.length !== 4 && address.length !== 16) {
    throw new RangeError(`an IP address of ${address.length} bytes, expected 4 or 16`);
  }
  return address.length === 4 ? AF_INET : AF_INET6;
}

/** For messages; canonical (RFC 5952 section 4, whose rules URLs have as well). */
export function formatIpBytes(address: IpBytes): string {
  if (familyOf(address) === AF_INET) return address.join(".");
  const hex = Buffer.from(address).toString("hex");
  const groups = hex.match(/.{4}/g) as string[];
  return new URL(`http://[${groups.join(":")}]/`).hostname.slice(1, -1);
}

export function isSameIp(a: IpBytes, b: IpBytes): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

export function formatMacBytes(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
