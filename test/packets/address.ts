/**
 * Addresses as tests write them: "192.0.2.1", "2001:db8::1" and "02:00:00:00:00:01" to bytes in wire order, and back.
 * Only for text that the test's author wrote: a mistake throws.
 */
import { isIPv4, isIPv6 } from "node:net";

/** 4 or 16 bytes. */
export function ip(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes(".") || text.includes("%"))
    throw new RangeError(`not an address: ${text}`);

  const [head = "", tail] = text.split("::");
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  for (const [index, group] of left.entries()) view.setUint16(index * 2, group);
  for (const [index, group] of right.entries()) view.setUint16((8 - right.length + index) * 2, group);
  return bytes;
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
}

/** Not shortened beyond leaving out leading zeros: for messages and map keys, where one spelling is what matters. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
  return Array.from({ length: 8 }, (_, index) => view.getUint16(index * 2).toString(16)).join(":");
}

/** 6 bytes. */
export function mac(text: string): Uint8Array {
  const parts = text.split(":");
  if (parts.length !== 6) throw new RangeError(`not a MAC address: ${text}`);
  return Uint8Array.from(parts, (part) => Number.parseInt(part, 16));
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
