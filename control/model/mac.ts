/** Ethernet addresses: six bytes in the order of the wire, written as "00:00:de:ad:be:af". */
export type MacAddress = Uint8Array;

/** Reads six two-digit hex numbers between colons or dashes. Undefined for anything else. */
export function parseMac(text: string): MacAddress | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$|^[0-9a-fA-F]{2}(-[0-9a-fA-F]{2}){5}$/.test(text))
    return undefined;
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

export function formatMac(mac: MacAddress): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** A MAC that one station can have: neither a group address (IEEE 802, lowest bit of the first byte) nor all zero. */
export function isStationMac(mac: MacAddress): boolean {
  return (mac[0]! & 1) === 0 && mac.some((byte) => byte !== 0);
}
