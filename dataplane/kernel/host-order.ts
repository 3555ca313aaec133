/** The byte order of this machine, which is that of kernel structs and of netlink. For DataView's last argument. */
import { endianness } from "node:os";

export const IS_LITTLE_ENDIAN: boolean = endianness() === "LE";

/** A view of exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
